"""Buttons, menus, layouts and modals: what Discord accepts of them, and how to find one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from halext.testing.discordapi.refusal import invalid, too_long

Component = Mapping[str, Any]

ROW, BUTTON, SELECT, TEXT_INPUT, SECTION, TEXT, LABEL = 1, 2, 3, 4, 9, 10, 18
SELECTS = frozenset({SELECT, 5, 6, 7, 8})
"""Menus of strings, users, roles, both, and channels."""
FIELDS = SELECTS | {TEXT_INPUT, 19, 21, 22, 23}
"""What a person fills in in a modal: menus, texts, files, radio buttons and check boxes."""
OLD_LAYOUT = frozenset({ROW})
NEW_LAYOUT = frozenset({ROW, SECTION, TEXT, 12, 13, 14, 17})
MODAL_LAYOUT = frozenset({ROW, TEXT, LABEL})

MAX_ROWS = 5
MAX_COMPONENTS = 40
MAX_SHOWN_TEXT = 4000
MAX_LABEL = 80
MAX_CUSTOM_ID = 100
MAX_OPTIONS = 25
MAX_MODAL_TITLE = 45
MAX_INPUT = 4000
LINK_STYLE, PREMIUM_STYLE = 5, 6


def walk(components: Sequence[Component]) -> Iterator[Component]:
    """Every component, those inside others too, in the order in which they are shown."""
    for component in components:
        yield component
        inner = [*component.get("components", [])]
        inner += [component[name] for name in ("accessory", "component") if component.get(name)]
        yield from walk(inner)


def shown_text(components: Sequence[Component]) -> str:
    """What the texts of a layout say."""
    return "\n".join(str(one["content"]) for one in walk(components) if one["type"] == TEXT)


def numbered(components: Sequence[Component]) -> list[dict[str, Any]]:
    """Copies in which every component has an id, as Discord hands them out when a client gives none."""
    taken = {one["id"] for one in walk(components) if one.get("id")}
    free = (number for number in range(1, 10_000) if number not in taken)

    def copy(component: Component) -> dict[str, Any]:
        mine = {**component, "id": component.get("id") or next(free)}
        if "components" in mine:
            mine["components"] = [copy(one) for one in mine["components"]]
        for name in ("accessory", "component"):
            if mine.get(name):
                mine[name] = copy(mine[name])
        return mine

    return [copy(component) for component in components]


def check_message(components: Sequence[Component], *, is_layout: bool) -> None:
    """Refuse what a message can't carry; `is_layout` is the flag for Components V2."""
    every = list(walk(components))
    allowed = NEW_LAYOUT if is_layout else OLD_LAYOUT
    for at, component in enumerate(components):
        if component["type"] not in allowed:
            raise invalid(f"components.{at}.type", 'Value of field "type" isn\'t allowed.', "UNION_TYPE_CHOICES")
    if is_layout:
        if len(every) > MAX_COMPONENTS:
            raise too_long("components", MAX_COMPONENTS)
        if sum(len(str(one["content"])) for one in every if one["type"] == TEXT) > MAX_SHOWN_TEXT:
            raise too_long("components", MAX_SHOWN_TEXT)
    elif len(components) > MAX_ROWS:
        raise too_long("components", MAX_ROWS)
    _check_parts(every)


def check_modal(modal: Mapping[str, Any]) -> None:
    """Refuse a modal that can't be shown."""
    components = modal.get("components") or []
    if not 1 <= len(str(modal.get("title", ""))) <= MAX_MODAL_TITLE:
        raise too_long("data.title", MAX_MODAL_TITLE)
    if not 1 <= len(str(modal.get("custom_id", ""))) <= MAX_CUSTOM_ID:
        raise too_long("data.custom_id", MAX_CUSTOM_ID)
    if not 1 <= len(components) <= MAX_ROWS:
        raise too_long("data.components", MAX_ROWS)
    for at, component in enumerate(components):
        if component["type"] not in MODAL_LAYOUT:
            raise invalid(f"data.components.{at}.type", "Value isn't allowed in a modal.", "UNION_TYPE_CHOICES")
        if component["type"] == LABEL and len(component["label"]) > MAX_MODAL_TITLE:
            raise too_long(f"data.components.{at}.label", MAX_MODAL_TITLE)
    _check_parts(list(walk(components)))


def _check_parts(every: Sequence[Component]) -> None:
    seen: set[str] = set()
    for component in every:
        kind = component["type"]
        if kind == ROW:
            _check_row(component)
        elif kind == BUTTON:
            _check_button(component)
        elif kind in SELECTS:
            _check_select(component)
        elif kind == TEXT_INPUT:
            _check_input(component)
        custom_id = component.get("custom_id")
        if custom_id is not None and (not 1 <= len(custom_id) <= MAX_CUSTOM_ID or custom_id in seen):
            text = "Component custom id cannot be duplicated" if custom_id in seen else "Must be between 1 and 100."
            raise invalid("components.custom_id", text, "COMPONENT_CUSTOM_ID_DUPLICATED")
        seen |= {custom_id} if custom_id else set()


def _check_row(row: Component) -> None:
    inner = row.get("components", [])
    most = 5 if all(one["type"] == BUTTON for one in inner) else 1
    if not 1 <= len(inner) <= most:
        raise invalid("components.components", f"Must be between 1 and {most} in length.")


def _check_button(button: Component) -> None:
    style = button.get("style", 0)
    wanted = {LINK_STYLE: "url", PREMIUM_STYLE: "sku_id"}.get(style, "custom_id")
    if not 1 <= style <= PREMIUM_STYLE or not button.get(wanted):
        raise invalid(f"components.{wanted}", "This field is required", "BASE_TYPE_REQUIRED")
    if wanted == "url" and button.get("custom_id"):
        raise invalid("components.custom_id", "A custom id and url cannot both be specified", "BUTTON_COMPONENT")
    if len(button.get("label") or "") > MAX_LABEL:
        raise too_long("components.label", MAX_LABEL)
    if style != PREMIUM_STYLE and not (button.get("label") or button.get("emoji")):
        raise invalid("components", "A button must have a label or emoji", "BUTTON_COMPONENT_INVALID")


def _check_select(menu: Component) -> None:
    if len(menu.get("placeholder") or "") > 150:
        raise too_long("components.placeholder", 150)
    if menu["type"] != SELECT:
        return
    options = menu.get("options", [])
    if not 1 <= len(options) <= MAX_OPTIONS:
        raise invalid("components.options", f"Must be between 1 and {MAX_OPTIONS} in length.")
    values = [option["value"] for option in options]
    if len(set(values)) < len(values):
        raise invalid("components.options", "The specified option value is already used", "SELECT_COMPONENT_OPTION")
    for option in options:
        texts = (option["label"], option["value"], option.get("description") or "-")
        if not all(1 <= len(text) <= 100 for text in texts):
            raise too_long("components.options", 100)


def _check_input(field: Component) -> None:
    if len(field.get("label") or "") > MAX_MODAL_TITLE:
        raise too_long("components.label", MAX_MODAL_TITLE)
    if len(field.get("value") or "") > field.get("max_length", MAX_INPUT):
        raise too_long("components.value", field.get("max_length", MAX_INPUT))
    if len(field.get("placeholder") or "") > 100:
        raise too_long("components.placeholder", 100)
