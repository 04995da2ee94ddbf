from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from halext.errors import InvalidSetting, MissingExtra
from halext.runtime import service


def test_the_web_door_is_a_part() -> None:
    assert "web" in service.known()
    assert service.load("web").name == "web"


def test_a_part_that_is_none_is_said() -> None:
    with pytest.raises(InvalidSetting, match=r"no part called 'wbe'; there are: .*web"):
        service.load("wbe")


def test_a_part_whose_libraries_are_missing_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("fax", "no_such_library.door:Door", service.GROUP)
    monkeypatch.setattr(service, "entry_points", lambda **_: EntryPoints([broken]))
    with pytest.raises(MissingExtra, match=r"pip install 'halext\[fax\]'"):
        service.load("fax")
