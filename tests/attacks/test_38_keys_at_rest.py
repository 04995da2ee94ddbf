"""Secrets at rest: a stolen or altered database, a lost key, and a rotation that is killed give nothing up."""

from __future__ import annotations

import asyncio
import base64
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.errors import WrongKey
from halext.runtime import masterkey
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app
from halext.storage.engine import Database
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import SecretRef, UserId
from halext.vault.box import Vault
from halext.vault.cipher import Cipher, new_key
from halext.vault.store import SecretStore

CANARY = "canary-4f1d"
ROWS = 8
REFS = [SecretRef(f"ref-{number:02}") for number in range(ROWS)]
ROTATE = """
import asyncio, sys
from pathlib import Path
from halext.runtime import masterkey
from halext.runtime.settings import Settings
from halext.storage.engine import open_database
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.vault.box import Vault
from halext.vault.cipher import Cipher
from halext.vault.store import SecretStore


async def rotate(url, data_dir):
    settings = Settings(data_dir=Path(data_dir))
    database = open_database(url)
    store = SecretStore(Scope(database))
    replace = store.replace

    async def replace_and_tell(*row):
        done = await replace(*row)
        print("sealed", flush=True)
        sys.stdin.readline()  # the parent says when to go on, or never does
        return done

    store.replace = replace_and_tell
    vault = Vault(store, Cipher(masterkey.read(settings)), ManualClock())
    await vault.rotate(Cipher(masterkey.add(settings)))

asyncio.run(rotate(*sys.argv[1:]))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", demo=False, port=0)


@dataclass
class Stolen:
    """A vault with secrets of the house and of Mia in a database that somebody else can write to."""

    vault: Vault
    scope: Scope
    mia: UserId

    async def tamper(self, statement: str, **values: object) -> None:
        """Change the rows behind the vault's back."""
        async with self.scope.write() as session:
            await session.execute(text(statement), values)

    async def row(self, ref: str) -> dict[str, str]:
        """What a thief reads of the house's secret of this name."""
        async with self.scope.read() as session:
            query = text("SELECT sealed, data_key FROM secrets WHERE ref = :ref AND owner_id IS NULL")
            return dict((await session.execute(query, {"ref": ref})).mappings().one())

    async def dump(self) -> str:
        """Everything in the table of secrets."""
        async with self.scope.read() as session:
            return str((await session.execute(text("SELECT * FROM secrets"))).all())

    async def is_closed(self, ref: str, owner: UserId | None = None) -> bool:
        """Whether the secret is refused, by its own name in the list of what must be entered again too."""
        try:
            await self.vault.reveal(SecretRef(ref), purpose="an attack", owner=owner)
        except WrongKey as error:
            named = {(info.ref, info.label.owner) for info in await self.vault.check()}
            return CANARY not in str(error) and (ref, owner) in named
        return False


@pytest.fixture
async def stolen(database: Database) -> Stolen:
    scope = Scope(database)
    mia = await PeopleStore(scope).add("Mia", Role.MEMBER, None, 0.0)
    vault = Vault(SecretStore(scope), Cipher([new_key()]), ManualClock())
    for ref in ("discord", "node/mac/headers", "node/pc/headers"):
        await vault.set(SecretRef(ref), f"{CANARY} {ref}")
    await vault.set(SecretRef("discord"), f"{CANARY} mia", owner=mia.id)
    return Stolen(vault, scope, mia.id)


async def test_a_dump_holds_no_value_and_no_data_key(stolen: Stolen) -> None:
    assert CANARY not in await stolen.dump()
    sealed = (await stolen.row("discord"))["data_key"]
    assert CANARY.encode() not in base64.urlsafe_b64decode(sealed)


REGIONS = {"version": 0, "time": 4, "vector": 12, "ciphertext": 30, "signature": -1}
"""The parts of a sealed text, each by one of its bytes."""


async def test_one_changed_byte_anywhere_closes_the_secret(stolen: Stolen) -> None:
    row = await stolen.row("discord")
    for column in ("sealed", "data_key"):
        for place in REGIONS.values():
            raw = bytearray(base64.urlsafe_b64decode(row[column]))
            raw[place] ^= 1
            altered = row | {column: base64.urlsafe_b64encode(raw).decode()}
            await stolen.tamper(
                "UPDATE secrets SET sealed = :sealed, data_key = :data_key WHERE ref = 'discord' AND owner_id IS NULL",
                **altered,
            )
            assert await stolen.is_closed("discord"), (column, place)


@pytest.mark.parametrize("columns", [["sealed"], ["data_key"], ["sealed", "data_key"]])
async def test_what_is_copied_to_another_row_does_not_open_there(stolen: Stolen, columns: list[str]) -> None:
    """Or a node's owner could have another node's key sent to them."""
    taken = await stolen.row("node/mac/headers")
    for column in columns:
        await stolen.tamper(f"UPDATE secrets SET {column} = :value WHERE ref = 'node/pc/headers'", value=taken[column])
    assert await stolen.is_closed("node/pc/headers")


async def test_a_row_under_another_name_owner_or_purpose_does_not_open(stolen: Stolen) -> None:
    await stolen.tamper("UPDATE secrets SET ref = 'node/evil/headers' WHERE ref = 'node/mac/headers'")
    assert await stolen.is_closed("node/evil/headers")
    await stolen.tamper("UPDATE secrets SET kind = 'webhook' WHERE ref = 'node/pc/headers'")
    assert await stolen.is_closed("node/pc/headers")
    await stolen.tamper("DELETE FROM secrets WHERE owner_id IS NOT NULL")
    await stolen.tamper("UPDATE secrets SET owner_id = :mia WHERE ref = 'discord'", mia=stolen.mia)
    assert await stolen.is_closed("discord", stolen.mia)


async def test_a_row_is_not_taken_for_one_of_an_older_version(stolen: Stolen) -> None:
    """Those were sealed by the master key alone, and bound to their name alone."""
    await stolen.tamper("UPDATE secrets SET sealed = data_key, data_key = NULL WHERE ref = 'node/pc/headers'")
    assert await stolen.is_closed("node/pc/headers")


async def test_no_file_of_the_house_holds_a_value(settings: Settings) -> None:
    async with open_app(settings) as app:
        await app.vault.set_headers(SecretRef("node/mac/headers"), {"Authorization": CANARY})
        assert await app.vault.reveal_headers(SecretRef("node/mac/headers")) == {"Authorization": CANARY}
        files = [path for path in settings.data_dir.rglob("*") if path.is_file()]  # with the journal of now
        assert {"halext.db", "halext.db-wal", "master.key"} <= {path.name for path in files}
        assert not any(CANARY.encode() in path.read_bytes() for path in files)


async def test_a_lost_key_is_said_and_nothing_is_overwritten(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_app(settings) as app:
        await app.vault.set(SecretRef("discord"), CANARY)
    key = masterkey.path(settings).read_text()
    masterkey.path(settings).unlink()
    caplog.set_level(logging.INFO)
    async with open_app(settings) as app:  # it starts, with a new key
        assert "does not open discord" in caplog.text
        with pytest.raises(WrongKey):
            await app.vault.reveal(SecretRef("discord"), purpose="a test")
        await app.vault.set(SecretRef("telegram"), "entered again")
    masterkey.path(settings).write_text(masterkey.path(settings).read_text().strip() + "," + key)
    async with open_app(settings) as app:  # the old one was found
        assert await app.vault.check() == ()
        assert await app.vault.reveal(SecretRef("discord"), purpose="a test") == CANARY
    assert CANARY not in caplog.text


@pytest.mark.parametrize("step", [1, ROWS - 1])
async def test_readers_see_every_secret_while_a_rotation_runs_is_killed_and_goes_on(
    database: Database, tmp_path: Path, step: int
) -> None:
    settings = Settings(data_dir=tmp_path)
    (old,) = masterkey.load(settings)
    vault = vault_of(database, settings)
    for ref in REFS:
        await vault.set(ref, f"value of {ref}")
    async with reading(vault) as reader, rotating(database, settings) as rotation:
        for done in range(1, step + 1):
            await rotation.row_sealed()
            await reader.whole_round()
            if done < step:
                rotation.go_on()
        await rotation.kill()
    new, *older = masterkey.read(settings)
    assert older == [old]
    resumed = vault_of(database, settings)
    assert await resumed.is_half_rotated()
    async with reading(vault):
        assert await resumed.rotate(Cipher([new, old])) == ROWS - step
    assert await Vault(SecretStore(Scope(database)), Cipher([new]), ManualClock()).check() == ()


def vault_of(database: Database, settings: Settings) -> Vault:
    async def reload() -> Cipher:
        return Cipher(masterkey.read(settings))

    return Vault(SecretStore(Scope(database)), Cipher(masterkey.read(settings)), ManualClock(), reload=reload)


@dataclass
class Reader:
    """Reads every secret again and again."""

    vault: Vault
    stopped: bool = False
    rounds: int = 0
    turned: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        """Until stopped, and at least once."""
        while not (self.stopped and self.rounds):
            for ref in REFS:
                assert await self.vault.reveal(ref, purpose="a test") == f"value of {ref}"
            async with self.turned:
                self.rounds += 1
                self.turned.notify_all()

    async def whole_round(self) -> None:
        """Wait for one that began after this was called."""
        enough = self.rounds + 2
        async with self.turned:
            await self.turned.wait_for(lambda: self.rounds >= enough)


@asynccontextmanager
async def reading(vault: Vault) -> AsyncIterator[Reader]:
    async with asyncio.TaskGroup() as group:
        reader = Reader(vault)
        group.create_task(reader.run())
        yield reader
        reader.stopped = True


@dataclass
class Rotation:
    """Another process that makes a new key and seals row by row, waiting for a word after each."""

    process: asyncio.subprocess.Process

    async def row_sealed(self) -> None:
        """Wait until it has written a row."""
        assert self.process.stdout
        assert await self.process.stdout.readline() == b"sealed\n"

    def go_on(self) -> None:
        """The word."""
        assert self.process.stdin
        self.process.stdin.write(b"\n")

    async def kill(self) -> None:
        """As the power does it."""
        self.process.send_signal(signal.SIGKILL)
        assert await self.process.wait() == -signal.SIGKILL


@asynccontextmanager
async def rotating(database: Database, settings: Settings) -> AsyncIterator[Rotation]:
    url = database._url.render_as_string(hide_password=False)
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ROTATE, url, str(settings.data_dir), stdin=pipe, stdout=pipe
    )
    try:
        yield Rotation(running)
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
