from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from halext.errors import AlreadyRunning, InvalidSetting
from halext.hosts.lock import DataDirLock
from halext.runtime import masterkey
from halext.runtime.settings import Settings
from halext.vault.cipher import new_key


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_the_first_start_makes_a_key_that_stays(settings: Settings) -> None:
    (key,) = masterkey.load(settings)
    assert masterkey.load(settings) == (key,)
    assert (settings.data_dir / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_key_in_the_settings_is_used_and_not_written(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    given = Settings(data_dir=tmp_path, master_key=SecretStr(f"{new}, {old}"))
    assert masterkey.load(given) == (new, old)
    assert list(tmp_path.iterdir()) == []


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="does not exist"):
        masterkey.load(Settings(data_dir=tmp_path, master_key_file=tmp_path / "nowhere"))


def test_a_new_key_goes_in_front(settings: Settings) -> None:
    (old,) = masterkey.load(settings)
    keys = masterkey.add(settings)
    assert keys[1:] == (old,)
    assert masterkey.load(settings) == keys


def test_a_key_in_the_settings_is_not_ours_to_change(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="HALEXT_MASTER_KEY"):
        masterkey.add(Settings(data_dir=tmp_path, master_key=SecretStr(new_key())))


@pytest.mark.parametrize("named", [True, False])
def test_reading_makes_no_key(tmp_path: Path, named: bool) -> None:
    file = tmp_path / "elsewhere.key" if named else None
    with pytest.raises(InvalidSetting, match="does not exist"):
        masterkey.read(Settings(data_dir=tmp_path, master_key_file=file))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [b"\xff\xfe", b""])
def test_a_file_that_holds_no_key(settings: Settings, kept: bytes) -> None:
    masterkey.path(settings).write_bytes(kept)
    with pytest.raises(InvalidSetting):
        masterkey.load(settings)
    assert masterkey.path(settings).read_bytes() == kept


def test_a_shared_key_file_gets_one_new_key_at_a_time(tmp_path: Path) -> None:
    (folder := tmp_path / "shared").mkdir()
    file = folder / "master.key"
    file.write_text(new_key())
    shared = Settings(data_dir=tmp_path, master_key_file=file)
    with DataDirLock(folder), pytest.raises(AlreadyRunning):
        masterkey.add(shared)
    assert len(masterkey.read(shared)) == 1
    assert len(masterkey.add(shared)) == 2


def test_whoever_reads_while_a_key_is_added_sees_all_of_before_or_all_of_now(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = masterkey.load(settings)
    swap, seen = Path.replace, []

    def look_and_swap(self: Path, target: Path) -> Path:
        seen.append(masterkey.read(settings))
        return swap(self, target)

    monkeypatch.setattr(Path, "replace", look_and_swap)
    assert masterkey.add(settings) == masterkey.read(settings)
    assert seen == [before]


def test_each_key_has_one_for_signing_in_every_process(settings: Settings) -> None:
    (first,) = masterkey.signing_keys(settings)
    masterkey.add(settings)
    newest, older = masterkey.signing_keys(settings)
    assert older == first != newest
    assert masterkey.signing_keys(settings) == (newest, older)


def test_a_short_key_stops_the_start(tmp_path: Path) -> None:
    short = SecretStr(base64.urlsafe_b64encode(bytes(range(31))).decode())
    with pytest.raises(InvalidSetting, match="32 bytes"):
        masterkey.signing_keys(Settings(data_dir=tmp_path, master_key=short))
