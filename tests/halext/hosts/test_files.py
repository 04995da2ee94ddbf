"""Private files are whole, private, and say where writing failed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from halext.errors import DataDirUnusable
from halext.hosts import files
from halext.hosts.files import private_dir, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_modes(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        folder = private_dir(tmp_path / "a" / "data")
        write_private(folder / "key", "secret")
    finally:
        os.umask(old)
    assert (mode(folder), mode(folder / "key")) == (0o700, 0o600)


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    private_dir(tmp_path)
    file = tmp_path / "key"
    write_private(file, "old")
    write_private(file, "new ü")
    assert file.read_text(encoding="utf-8") == "new ü"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_private(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(file, "\ud800")
    assert file.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable, match="--data"):
        private_dir(tmp_path / "file" / "data")
    with pytest.raises(DataDirUnusable, match="missing"):
        write_private(tmp_path / "missing" / "key", "x")


@pytest.mark.parametrize(
    ("path", "kind"), [("/data/halext", "nfs4"), ("/data/with space/x", "cifs"), ("/else", "ext4")]
)
def test_the_file_system_of_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda / ext4 rw 0 0\nnas:/x /data nfs4 rw 0 0\n//nas/y /data/with\\040space cifs rw 0 0\n")
    monkeypatch.setattr(files, "MOUNTS", mounts)
    assert files.filesystem(Path(path)) == kind


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files, "MOUNTS", tmp_path / "none")
    assert files.filesystem(tmp_path) == ""
