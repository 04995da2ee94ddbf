"""Attack 36: reading secrets where they have no business: in the log, in tracebacks, in `repr`, in errors and answers.

Every kind of secret is driven down the paths on which things go wrong. The search itself is that of
`tests/canaries.py`, which looks through logs, answers, objects and databases in every test of the suite; here its marks
are also looked for in everything that people are told.
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

import halext
from halext.accounts.audit.types import Query
from halext.accounts.types import LOCAL
from halext.alerts.types import Alert
from halext.errors import HalextError, InvalidInput, Unauthenticated, UnknownSecret, WrongKey
from halext.runtime import log, settings
from halext.runtime.alerting import Webhooks
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.redaction import redact
from halext.runtime.service import Service
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode, AddUser, CreateToken, Nothing, SetKey, SetPassword, TryNode
from halext.runtime.verbs.keys import set_key
from halext.runtime.verbs.nodes import add_node, list_nodes, try_node
from halext.runtime.verbs.people import add_user, create_token, set_password
from halext.runtime.wiring import open_app
from halext.storage.engine import open_database
from halext.testing.discord import FakeDiscord
from halext.testing.telegram import FakeTelegram
from halext.testing.webhooks import FakeWebhooks
from halext.types import SecretRef
from halext.upstreams.webhook import Reach
from halext.vault.cipher import Cipher, new_key
from halext_bots.discord.service import DiscordService
from halext_bots.telegram.service import TelegramService
from tests.canaries import MARK, plant

ALERT = Alert("hx-1-open", "mac is offline", "Offline since noon.", is_over=False, started_at=0.0, ended_at=None)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process that is set up as `halext up` writes."""
    stream, root = io.StringIO(), logging.getLogger()
    before, level, hook = root.handlers[:], root.level, sys.excepthook
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure("console", "debug")
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook = hook
    assert MARK not in stream.getvalue()


@pytest.fixture
async def app(tmp_path: Path, lines: io.StringIO) -> AsyncIterator[App]:
    async with open_app(Settings(data_dir=tmp_path / "data", demo=False, port=0)) as app:
        yield app


def clean(error: BaseException) -> str:
    """An error as it is told, with everything that led to it, and without a mark."""
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)
    assert MARK not in told
    return told


@asynccontextmanager
async def a_node(reply: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A server that answers whatever comes with what it makes of it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(reply(await reader.read(65536)))
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http(status: str, body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n%sconnection: close\r\n\r\n%s" % (
        status.encode(),
        len(body),
        headers,
        body,
    )


def _key(asked: bytes) -> bytes:
    found = re.search(rb"Bearer ([\w-]+)", asked)
    return found[1] if found else b"none"


FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "hangs up": lambda _: b"",
    "is no server": lambda asked: b"SSH-2.0-nothing\r\n" + asked,
    "refuses the key": lambda _: http("401 No", b'{"error": "no"}'),
    "has a fault": lambda _: http("500 No", b'{"error": "oh"}'),
    "quotes its key": lambda asked: http("500 No", b'{"error": "no such key: %s"}' % _key(asked)),
    "says no JSON": lambda _: http("200 OK", b"<html>"),
    "sends elsewhere": lambda _: http("302 Found", b"", b"location: http://127.0.0.1:1/\r\n"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_node_s_key_when_the_node_fails(app: App, lines: io.StringIO, fault: str) -> None:
    control = LocalControl(app, LOCAL)
    async with a_node(FAULTS[fault]) as url:
        add = AddNode(name="mac", urls=[url], kind="ollama", headers={"Authorization": f"Bearer {plant()}"})
        try:
            added = await control.call(add_node, add)
        except HalextError as error:
            told = clean(error)
        else:
            tried = await control.call(try_node, TryNode(name="mac"))
            shown = await control.call(list_nodes, Nothing())
            told = f"{added!r} {tried!r} {shown!r}"
    assert MARK not in told
    assert told


async def test_a_node_that_quotes_its_key_is_not_quoted_in_the_log(app: App) -> None:
    key = plant()
    await app.vault.set_headers(SecretRef("node/mac/headers"), {"X-Key": key})
    said = logging.makeLogRecord({"msg": "the node says: %s is no key", "args": (key,)})
    assert "[hidden] is no key" in log.formatter("json").format(said)


async def test_a_webhook_s_address_when_it_fails(app: App, lines: io.StringIO) -> None:
    async with FakeWebhooks() as hooks:
        here = Reach(("127.0.0.1/32",), insecure=True)
        webhooks = Webhooks(app.vault, app.door, app.notifiers, here)
        for name, url in (("webhook/slack", hooks.slack_url), ("webhook/discord", hooks.discord_url)):
            key = url.rpartition("/")[2]
            await app.vault.set(SecretRef(name), url)
            await webhooks.refresh()
            for status in (400, 401, 404, 410, 429, 500):
                hooks.fail("status", status)
                with pytest.raises(HalextError) as caught:
                    await app.notifiers[name].send(ALERT)
                assert key not in "".join(traceback.format_exception(caught.value)) + repr(app.notifiers)
        with pytest.raises(InvalidInput) as wrong:
            await LocalControl(app, LOCAL).call(set_key, SetKey(name="webhook/slack", value=f"https://{plant()}/x"))
        clean(wrong.value)


async def test_the_password_of_a_database(lines: io.StringIO, tmp_path: Path) -> None:
    password = plant()
    for url in (f"postgresql://ada:{password}@127.0.0.1:1/x", f"postgresql://{password}@[::1:1/x"):
        own = Settings(data_dir=tmp_path, database_url=SecretStr(url))
        assert MARK not in repr(own) + str(own)
        with pytest.raises(HalextError) as caught:
            async with open_app(own):
                pass
        assert MARK not in caught.value.message + repr(caught.value)
        assert MARK not in redact("".join(traceback.format_exception(caught.value)))
    database = open_database(f"postgresql://ada:{password}@127.0.0.1:1/x")
    assert MARK not in repr(database)
    await database.close()


async def test_what_the_vault_holds_when_it_does_not_open(app: App, lines: io.StringIO) -> None:
    control = LocalControl(app, LOCAL)
    await control.call(set_key, SetKey(name="discord", value=plant()))
    await control.call(set_key, SetKey(name="broken-headers", value=plant("no json")))
    with pytest.raises(HalextError) as caught:
        await app.vault.reveal_headers(SecretRef("broken-headers"))
    clean(caught.value)
    with pytest.raises(UnknownSecret) as missing:
        await app.vault.reveal(SecretRef("nothing"), purpose="a test")
    clean(missing.value)
    app.vault._cipher, app.vault._reload = Cipher((new_key(),)), None
    with pytest.raises(WrongKey) as wrong:
        await app.vault.reveal(SecretRef("discord"), purpose="a test")
    clean(wrong.value)
    assert MARK not in repr(app.vault) + repr(await app.vault.list())


async def test_passwords_and_tokens_of_people(app: App, lines: io.StringIO) -> None:
    control = LocalControl(app, LOCAL)
    await control.call(add_user, AddUser(name="Eve", role="member", password=plant()))
    for call in (
        lambda: control.call(add_user, AddUser(name="Eve", role="member", password=plant())),
        lambda: control.call(set_password, SetPassword(name="nobody", password=plant())),
        lambda: app.people.sign_in("Eve", plant()),
        lambda: app.people.sign_in(plant(), plant()),
        lambda: app.people.caller_for(f"hx_{plant()}"),
    ):
        with pytest.raises(HalextError) as caught:
            await call()
        clean(caught.value)
    made = await control.call(create_token, CreateToken(name="x", user="Eve"))
    with pytest.raises(Unauthenticated) as wrong:
        await app.people.caller_for(made.token[:-1] + ("a" if made.token[-1] != "a" else "b"))
    clean(wrong.value)


def test_settings_that_are_wrong_are_told_without_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALEXT_DISCORD_ALERT_CHANNEL", plant())
    with pytest.raises(HalextError) as caught:
        settings.load()
    clean(caught.value)


async def refused(app: App, part: Service, lines: io.StringIO) -> str:
    """Run a bot until its platform has refused its token; what it told its owner."""
    told: list[str] = []
    task = asyncio.get_running_loop().create_task(part.run(app, told.append))
    async with asyncio.timeout(20):
        while True:
            if "refuses the bot's token" in lines.getvalue() + " ".join(told):
                break
            await asyncio.sleep(0.02)
    shown = f"{told!r} {part!r} {task!r} {app.notifiers!r} {app.settings!r}"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return shown


async def test_a_token_that_discord_refuses(tmp_path: Path, lines: io.StringIO) -> None:
    async with FakeDiscord() as discord:
        own = Settings(
            data_dir=tmp_path / "d",
            discord_token=SecretStr(plant()),
            discord_api_base=discord.api_base,
            discord_gateway=discord.gateway_url,
        )
        async with open_app(own) as app:
            shown = await refused(app, DiscordService(), lines)
            await app.audit.close()
            shown += repr(await app.audit.page(LOCAL, Query(limit=1000)))
    assert MARK not in shown


async def test_a_token_that_telegram_refuses(tmp_path: Path, lines: io.StringIO) -> None:
    async with FakeTelegram() as telegram:
        token = f"1234567:{plant()}"
        own = Settings(data_dir=tmp_path / "t", telegram_token=SecretStr(token), telegram_api_base=telegram.url)
        async with open_app(own) as app:
            shown = await refused(app, TelegramService(), lines)
            await app.audit.close()
            shown += repr(await app.audit.page(LOCAL, Query(limit=1000)))
    assert MARK not in shown


def test_what_a_notebook_shows_of_a_client_and_of_its_errors() -> None:
    """The values of a cell, their HTML, their attributes in completions and the traceback of a cell that failed."""
    dead = "http://127.0.0.1:1"
    headers = {dead: {"Authorization": f"Bearer {plant()}"}}
    with halext.Client(dead, token=plant(), headers=headers) as client:
        things: list[object] = [client, client.aio, client.aio.session]
        for call in (lambda: client.ask("hi"), lambda: client.models, lambda: client.nodes):
            try:
                things.append(call())
            except HalextError as error:
                clean(error)
                told = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
                assert MARK not in told
        for thing in things:
            assert MARK not in repr(thing) + str(thing)
            for way in (getattr(thing, name, None) for name in ("_repr_html_", "_repr_markdown_")):
                try:
                    assert MARK not in str(way() if way else "")
                except HalextError as error:  # a table that looks again when it is shown
                    clean(error)
