"""What people choose from menus and fill into forms, checked as Discord's own app does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from halext.testing.discordapi.components import FIELDS, LABEL, MAX_INPUT, SELECT, TEXT_INPUT, walk
from halext.testing.discordapi.options import Resolved

RADIO, CHECKS, CHECK = 21, 22, 23
Component = Mapping[str, Any]


def chosen(menu: Component, things: Sequence[Any], resolved: Resolved) -> list[str]:
    """The values of what was chosen: labels or values of options, or users, roles, channels and files themselves.

    LookupError for what a menu doesn't have, ValueError for too few or too many.
    """
    _check_count(menu, things)
    if menu["type"] not in {SELECT, RADIO, CHECKS}:
        return [str(resolved.value(one)) for one in things]
    known = {str(option["label"]): str(option["value"]) for option in menu["options"]}
    known |= {value: value for value in known.values()}
    if strange := [one for one in things if one not in known]:
        raise LookupError(f"the menu has no {strange}")
    return [known[one] for one in things]


def submitted(rows: Sequence[Component], written: Mapping[str, Any], resolved: Resolved) -> list[dict[str, Any]]:
    """The rows of a form as they come back, filled in by the labels or the `custom_id`s of the fields.

    LookupError for a field that it doesn't have, ValueError for one that isn't filled in as it wants to be.
    """
    inputs = {str(one["custom_id"]): one for one in walk(rows) if one["type"] in FIELDS}
    labels = {str(one["label"]): number for number, one in inputs.items() if one.get("label")}
    labels |= {str(row["label"]): str(row["component"]["custom_id"]) for row in rows if row["type"] == LABEL}
    if strange := written.keys() - inputs.keys() - labels.keys():
        raise LookupError(f"no field {', '.join(sorted(strange))}; there are {', '.join(labels)}")
    values = {labels.get(name, name): value for name, value in written.items()}
    filled = {name: _filled(one, values.get(name), resolved) for name, one in inputs.items()}
    return [_row(row, filled) for row in rows]


def _row(row: Component, filled: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    about = {"type": row["type"], "id": row["id"]}
    if row["type"] == LABEL:
        return {**about, "component": filled[row["component"]["custom_id"]]}
    if "components" not in row:
        return about  # words between the fields
    return {**about, "components": [filled[one["custom_id"]] for one in row["components"]]}


def _filled(field: Component, value: Any, resolved: Resolved) -> dict[str, Any]:
    kind = field["type"]
    about = {"type": kind, "id": field["id"], "custom_id": field["custom_id"]}
    if kind == TEXT_INPUT:
        return {**about, "value": _text(field, value)}
    if kind == CHECK:
        return {**about, "value": bool(field.get("default") if value is None else value)}
    things = value if isinstance(value, list) else [] if value is None else [value]
    values = chosen(field, things, resolved)
    return {**about, "value": next(iter(values), None)} if kind == RADIO else {**about, "values": values}


def _text(field: Component, value: Any) -> str:
    text = str(field.get("value") or "") if value is None else str(value)
    least, most = field.get("min_length", 0), field.get("max_length", MAX_INPUT)
    if not text and field.get("required", True):
        raise ValueError(f"{field['custom_id']} must be filled in")
    if text and not least <= len(text) <= most:
        raise ValueError(f"{field['custom_id']} takes {least} to {most} characters, not {len(text)}")
    return text


def _check_count(menu: Component, things: Sequence[Any]) -> None:
    if not things and menu.get("required") is False:
        return
    least, most = menu.get("min_values", 1), menu.get("max_values", 1)
    if not least <= len(things) <= most:
        raise ValueError(f"choose {least} to {most}, not {len(things)}")
