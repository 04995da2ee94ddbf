from __future__ import annotations

from pathlib import Path

import pytest

from halext.errors import InvalidSetting
from halext.runtime.settings import Settings, load, secrets_in_files


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(__import__("os").environ):
        if name.startswith(("HALEXT_", "CREDENTIALS_DIRECTORY")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_defaults_need_nothing() -> None:
    settings = load()
    assert (settings.host, settings.port) == ("127.0.0.1", 8484)
    assert settings.database_url is None
    assert settings.data_dir.name == "halext"


def test_command_line_beats_environment_beats_secrets_beats_toml(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("halext.toml").write_text('port = 1\nhost = "toml"\npublic_url = "https://toml"\ndefault_model = "toml"\n')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "HALEXT_PORT").write_text("2")
    (secrets / "HALEXT_HOST").write_text("secrets")
    (secrets / "HALEXT_PUBLIC_URL").write_text("https://secrets")
    monkeypatch.setenv("HALEXT_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("HALEXT_PORT", "3")
    monkeypatch.setenv("HALEXT_HOST", "environment")
    settings = load({"port": 4, "host": None})
    assert settings.port == 4
    assert settings.host == "environment"
    assert settings.public_url == "https://secrets"
    assert settings.default_model == "toml"


def test_systemd_credentials_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "halext_master_key").write_text("k" * 44)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    key = load().master_key
    assert key is not None
    assert key.get_secret_value() == "k" * 44


def test_lists_of_networks_are_read_from_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALEXT_NODE_CIDRS", "192.168.1.0/24, 100.64.0.0/10")
    assert load().node_cidrs == ("192.168.1.0/24", "100.64.0.0/10")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HALEXT_PROT", "1", "HALEXT_PROT is no setting of halext. Did you mean HALEXT_PORT?"),
        ("HALEXT_XYZZY", "1", "HALEXT_XYZZY is no setting of halext. docs/settings.md lists them all."),
        ("HALEXT_PORT", "http", "HALEXT_PORT has a value that can't be used: "),
        ("HALEXT_PORT", "65536", "HALEXT_PORT has a value that can't be used: "),
        ("HALEXT_NODE_CIDRS", "192.168.1.0/99", "HALEXT_NODE_CIDRS has a value that can't be used: "),
        ("HALEXT_LOG_FORMAT", "xml", "HALEXT_LOG_FORMAT has a value that can't be used: "),
    ],
)
def test_a_wrong_variable_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSetting) as failure:
        load()
    assert failure.value.message.startswith(says)
    assert "\n" not in failure.value.message


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("prot = 1", "'prot' is no setting of halext. Did you mean 'port'?"),
        ("port = ", "halext.toml can't be read: "),
        ("port = 'x'", "HALEXT_PORT has a value that can't be used: "),
    ],
)
def test_a_wrong_file_is_one_clear_line(toml: str, says: str) -> None:
    Path("halext.toml").write_text(toml)
    with pytest.raises(InvalidSetting) as failure:
        load()
    assert failure.value.message.startswith(says)


def test_a_named_file_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALEXT_CONFIG", "/nowhere/halext.toml")
    with pytest.raises(InvalidSetting, match="nowhere"):
        load()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-canary-of-this-test"
    for name in ("DATABASE_URL", "REDIS_URL", "MASTER_KEY", "TOKEN"):
        monkeypatch.setenv(f"HALEXT_{name}", secret)
    settings = load()
    assert secret not in repr(settings) + str(settings)
    monkeypatch.setenv("HALEXT_PORT", "no")
    with pytest.raises(InvalidSetting) as failure:
        load()
    assert secret not in repr(failure.value)


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_which_files_hold_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert secrets_in_files() == []
    toml = Path("halext.toml")
    toml.write_text("port = 1\n")
    assert secrets_in_files() == []
    toml.write_text('telegram_token = "x"\n')
    (folder := tmp_path / "secrets").mkdir()
    (folder / "HALEXT_TOKEN").write_text("x")
    monkeypatch.setenv("HALEXT_SECRETS_DIR", str(folder))
    assert secrets_in_files() == [folder / "HALEXT_TOKEN", toml]
