from __future__ import annotations

import sys
from pathlib import Path

import pytest

from halext.errors import DataDirUnusable, MissingExtra
from halext.runtime import hostkey
from halext.runtime.settings import Settings


def test_the_first_use_makes_a_key_that_stays(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    key = hostkey.load(settings)
    assert hostkey.load(settings).public == key.public
    assert hostkey.path(settings).stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_not_replaced(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    hostkey.path(settings).write_text("damaged")
    with pytest.raises(DataDirUnusable, match="Restore it"):
        hostkey.load(settings)
    assert hostkey.path(settings).read_text() == "damaged"


def test_without_the_library_the_pip_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    for name in [name for name in sys.modules if name.startswith("halext.tunnel.hostkey")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("halext.tunnel.hostkey", raising=False)
    with pytest.raises(MissingExtra, match=r"pip install 'halext\[tunnel\]'"):
        hostkey.load(Settings(data_dir=tmp_path))
