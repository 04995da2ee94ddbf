from __future__ import annotations

from typing import Any

import pytest

from halext.testing.discordapi.components import numbered
from halext.testing.discordapi.filling import chosen, submitted
from halext.testing.discordapi.options import Resolved
from halext.testing.discordapi.people import Person
from halext.testing.discordapi.things import Channel, Guild
from halext.testing.discordapi.world import World

OPTIONS = [{"label": "Dry", "value": "dry"}, {"label": "Warm", "value": "warm"}]


@pytest.fixture
def resolved(world: World, home: Guild, room: Channel) -> Resolved:
    return Resolved(home, lambda name, data: world.keep(room, name, data))


def form(component: dict[str, Any]) -> list[dict[str, Any]]:
    """One field, with the label "Field"."""
    return numbered([{"type": 18, "label": "Field", "component": {"custom_id": "f", **component}}])


@pytest.mark.parametrize(
    ("component", "written", "sent"),
    [
        ({"type": 4, "style": 1}, "words", {"value": "words"}),
        ({"type": 4, "style": 1, "value": "given"}, None, {"value": "given"}),
        ({"type": 4, "style": 1, "required": False, "min_length": 3}, None, {"value": ""}),
        ({"type": 3, "options": OPTIONS}, "Dry", {"values": ["dry"]}),
        ({"type": 3, "options": OPTIONS, "max_values": 2}, ["Dry", "warm"], {"values": ["dry", "warm"]}),
        ({"type": 3, "options": OPTIONS, "required": False}, None, {"values": []}),
        ({"type": 21, "options": OPTIONS}, "Warm", {"value": "warm"}),
        ({"type": 21, "options": OPTIONS, "required": False}, None, {"value": None}),
        ({"type": 22, "options": OPTIONS, "min_values": 0, "max_values": 2}, [], {"values": []}),
        ({"type": 23}, True, {"value": True}),
        ({"type": 23, "default": True}, None, {"value": True}),
    ],
)
def test_fields(component: dict[str, Any], written: Any, sent: dict[str, Any], resolved: Resolved) -> None:
    [row] = submitted(form(component), {} if written is None else {"Field": written}, resolved)
    assert row["component"] == {"type": component["type"], "id": 2, "custom_id": "f", **sent}


@pytest.mark.parametrize(
    ("component", "written", "message"),
    [
        ({"type": 4, "style": 1}, None, "f must be filled in"),
        ({"type": 4, "style": 1, "max_length": 2}, "xxx", "takes 0 to 2 characters, not 3"),
        ({"type": 3, "options": OPTIONS}, ["Dry", "Warm"], "choose 1 to 1, not 2"),
        ({"type": 21, "options": OPTIONS}, None, "choose 1 to 1, not 0"),
        ({"type": 19, "max_values": 3}, None, "choose 1 to 3, not 0"),
    ],
)
def test_fields_not_filled_in_as_they_want(
    component: dict[str, Any], written: Any, message: str, resolved: Resolved
) -> None:
    with pytest.raises(ValueError, match=message):
        submitted(form(component), {"f": written}, resolved)


def test_files_people_and_what_is_not_there(resolved: Resolved, ada: Person) -> None:
    [row] = submitted(form({"type": 19}), {"Field": ("a.txt", b"x")}, resolved)
    [number] = row["component"]["values"]
    assert resolved.json()["resolved"]["attachments"][number]["filename"] == "a.txt"
    assert chosen({"type": 5}, [ada.user], resolved) == [str(ada.id)]
    with pytest.raises(LookupError, match=r"has no \['Loud'\]"):
        chosen({"type": 3, "options": OPTIONS}, ["Loud"], resolved)
    with pytest.raises(LookupError, match="no field Mood; there are Field"):
        submitted(form({"type": 23}), {"Mood": "x"}, resolved)


def test_rows_of_old_forms_and_texts_between(resolved: Resolved) -> None:
    field = {"type": 4, "custom_id": "f", "style": 1, "label": "Words"}
    rows = numbered([{"type": 1, "components": [field]}, {"type": 10, "content": "advice"}])
    first, second = submitted(rows, {"Words": "x"}, resolved)
    assert first["components"][0]["value"] == "x"
    assert second == {"type": 10, "id": 3}
