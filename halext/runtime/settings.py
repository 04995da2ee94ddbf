"""Every setting, read once at start: the only file that looks at the environment.

Order, first wins: command line, `HALEXT_*` in the environment, secrets files, `halext.toml`, the defaults here.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from halext.errors import InvalidSetting

PREFIX = "HALEXT_"
Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """What an owner can set. Each field is `HALEXT_` + its name in upper case, or its plain name in `halext.toml`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("halext", appauthor=False)),
        description="Where the database, the keys and the lock live. Readable by you only.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="`postgresql+asyncpg://user:password@host/name`; without it SQLite in the data directory.",
    )
    redis_url: SecretStr | None = Field(
        default=None, description="`redis://host:6379/0`, shared by several processes; without it memory."
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8484, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    public_url: str | None = Field(
        default=None, description="How people reach halext from outside, such as `https://ai.example.org`."
    )
    master_key: SecretStr | None = Field(
        default=None, description="Key or comma list of keys (newest first) that open the vault."
    )
    master_key_file: Path | None = Field(
        default=None,
        description="A file with the same; by default `master.key` in the data directory, made on first start.",
    )
    allowed_cidrs: Names = Field(
        default=(), description="Comma list of networks that may reach the whole site; empty means everyone."
    )
    admin_cidrs: Names = Field(
        default=(), description="Comma list of networks from which halext may be administered; empty means everywhere."
    )
    trusted_proxies: Names = Field(
        default=(), description="Comma list of networks whose X-Forwarded-For is believed; empty means nobody's."
    )
    max_connections: int = Field(
        default=1024, ge=8, le=100_000, description="Connections of clients at once; one more is told to come back."
    )
    max_connections_per_address: int = Field(
        default=64,
        ge=4,
        le=100_000,
        description="How many of them one address (in IPv6: one /64) may have; no limit for trusted proxies.",
    )
    node_cidrs: Names = Field(
        default=(),
        description="Comma list of networks in which nodes may live, beside the address each was added with.",
    )
    probe_interval_s: float = Field(default=5.0, ge=0.2, le=3600, description="Seconds between two looks at a node.")
    alert_offline_s: float = Field(
        default=300.0, ge=0, le=86_400, description="Seconds after which a node that is offline is told of."
    )
    default_model: str | None = Field(
        default=None,
        description="The model for requests that name none; without it the chat model that is fastest now.",
    )
    max_waiting: int = Field(
        default=256,
        ge=0,
        le=100_000,
        description="Requests that may wait for a free slot; one more is told to come back.",
    )
    max_wait_s: float = Field(
        default=120.0, gt=0, le=3600, description="Seconds after which a waiting request gives up."
    )
    job_slots: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Jobs in the background that this process works on at the same time; 0: none.",
    )
    cache: bool = Field(
        default=False,
        description="Keep answers in memory for an hour, for the same person and exactly the same request, where the"
        " request asks for the same answer each time (temperature 0, a seed, or vectors).",
    )
    log_format: Literal["console", "json"] = Field(default="console", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important line that is written."
    )
    audit_days: int = Field(default=365, ge=1, le=36_500, description="Days that entries of the audit log are kept.")
    demo: bool = Field(
        default=True, description="Start the built-in model when no other node is known (`--demo` / `--no-demo`)."
    )
    tunnel_host: str | None = Field(
        default=None, description="The address where computers dial in; without it every address of this machine."
    )
    tunnel_port: int = Field(
        default=2222,
        ge=0,
        le=65535,
        description="The port where computers dial in by ssh; open once `halext node join` was used.",
    )
    discord_token: SecretStr | None = Field(
        default=None, description="The Discord bot's token; `halext key set discord` keeps it encrypted instead."
    )
    discord_guilds: Names = Field(
        default=(),
        description="Comma list of Discord server ids; only these are offered the commands. Empty: all servers.",
    )
    discord_alert_channel: int | None = Field(
        default=None, gt=0, description="The id of the Discord channel that is told when a node is offline."
    )
    discord_api_base: str | None = Field(default=None, description="Another address for Discord's API; for tests.")
    discord_gateway: str | None = Field(default=None, description="Another address for Discord's gateway; for tests.")
    telegram_token: SecretStr | None = Field(
        default=None, description="The Telegram bot's token; `halext key set telegram` keeps it encrypted instead."
    )
    telegram_alert_chat: int | None = Field(
        default=None, description="The id of the Telegram chat that is told when a node is offline."
    )
    telegram_api_base: str | None = Field(
        default=None, description="Another address for Telegram's Bot API, such as a server of your own."
    )
    url: str | None = Field(default=None, description="For the library and the command line: the halext to talk to.")
    token: SecretStr | None = Field(
        default=None, description="For the library and the command line: an API token for it."
    )

    @field_validator("discord_guilds", mode="before")
    @classmethod
    def _split_guilds(cls, value: object) -> object:
        parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if isinstance(parts, list | tuple) and not all(str(part).isdigit() for part in parts):
            raise ValueError("a Discord server's id is a number; turn on Developer Mode to copy it")
        return [str(part) for part in parts] if isinstance(parts, list | tuple) else parts

    @field_validator("allowed_cidrs", "admin_cidrs", "trusted_proxies", "node_cidrs", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if isinstance(parts, list | tuple):
            for part in parts:
                ip_network(part, strict=False)
        return parts

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, secrets files, TOML."""
        del dotenv_settings, file_secret_settings  # .env files are not read; the secrets folder may be systemd's
        sources = [init_settings, env_settings]
        if (secrets := _secrets_dir()) is not None:
            sources.append(SecretsSettingsSource(settings_cls, secrets_dir=secrets))
        if (toml := config_file()) is not None:
            sources.append(TomlConfigSettingsSource(settings_cls, toml_file=toml))
        return tuple(sources)


def load(overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this process; `overrides` are what the command line said.

    Raises `InvalidSetting` with one line that names the setting, what is wrong with it and where it came from.
    """
    _refuse_unknown_variables()
    try:
        return Settings(**{key: value for key, value in (overrides or {}).items() if value is not None})
    except ValidationError as error:
        raise InvalidSetting(_sentence(error)) from None
    except (tomllib.TOMLDecodeError, OSError) as error:
        raise InvalidSetting(f"{config_file()} can't be read: {error}.") from None


def secrets_of(settings: Settings) -> list[str]:
    """Every secret among the settings, and the passwords of URLs by themselves too."""
    values = (getattr(settings, name) for name in Settings.model_fields)
    found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    for url in [each for each in found if "://" in each]:
        with suppress(ValueError):  # whoever opens it says that it is none
            found.append(unquote(urlsplit(url).password or ""))
    return found


def config_file() -> Path | None:
    """The TOML file in use: `HALEXT_CONFIG`, else `halext.toml` here, else in the user's configuration folder."""
    if named := os.environ.get(PREFIX + "CONFIG"):
        if not Path(named).is_file():
            raise InvalidSetting(f"HALEXT_CONFIG names {named}, which is no file.")
        return Path(named)
    folders = (Path(), Path(platformdirs.user_config_dir("halext", appauthor=False)))
    return next((folder / "halext.toml" for folder in folders if (folder / "halext.toml").is_file()), None)


def _secrets_dir() -> Path | None:
    """A folder with one file per secret setting: `HALEXT_SECRETS_DIR`, or what systemd's LoadCredential gives."""
    named = os.environ.get(PREFIX + "SECRETS_DIR") or os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(named) if named and Path(named).is_dir() else None


def secrets_in_files() -> list[Path]:
    """The files in use from which secret settings are read: secrets files, and a `halext.toml` that holds one."""
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    toml, folder = config_file(), _secrets_dir()
    found = [] if folder is None else [file for file in sorted(folder.iterdir()) if file.is_file()]
    if toml is not None and secret & tomllib.loads(toml.read_text(encoding="utf-8")).keys():
        found.append(toml)
    return found


def _refuse_unknown_variables() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {PREFIX + "CONFIG", PREFIX + "SECRETS_DIR"}
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(
                name.upper().removeprefix(PREFIX), [k.removeprefix(PREFIX) for k in known], n=1
            )
            hint = f" Did you mean {PREFIX}{near[0]}?" if near else " docs/settings.md lists them all."
            raise InvalidSetting(f"{name} is no setting of halext.{hint}")


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "?"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        return f"{name!r} is no setting of halext.{f' Did you mean {near[0]!r}?' if near else ''}"
    return f"{PREFIX}{name.upper()} has a value that can't be used: {first['msg'].removeprefix('Value error, ')}."
