"""Attack 32: a node, such as a friend's computer, that tries to fill, hold up or deceive halext.

Each form is answered with an error, or with an answer that is marked as broken; another node goes on serving all the
while; no request ends in a 500; and no stream takes more than its line and 2 MB beside it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import tracemalloc
from pathlib import Path

import pytest

from halext.nodes.types import Cordon
from tests.access.house import MODEL, Answer, House

from .lair import EVIL, MIA, Script, housed, lair, says

MB = 2**20
LINE_MAX = 8 * MB
BESIDE_MAX = 2 * MB
"""What a stream may take beside its line."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
BOMB = gzip.compress(bytes(30 * MB))


def line(**more: object) -> bytes:
    """One line of an answer."""
    return (
        json.dumps({"model": EVIL, "message": {"role": "assistant", "content": "Hi"}, "done": False, **more}).encode()
        + b"\n"
    )


END = line(done=True, done_reason="stop", eval_count=1, prompt_eval_count=1)


def floods(start: bytes, piece: bytes) -> Script:
    """These bytes, and then that piece for ever."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()

    return script


BROKEN: dict[str, Script] = {
    "a line without an end": floods(HEAD, b"x" * 65536),
    "a text without an end": floods(HEAD + b'{"message":{"content":"', b"x" * 65536),
    "nothing but spaces": floods(HEAD, b" " * 65536),
    "a gzip bomb": says(HEAD[:-2], b"Content-Encoding: gzip\r\n\r\n", BOMB),
    "a page": says(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><script>x</script>"),
    "no HTTP": says(b"220 mail.example ESMTP\r\n"),
    "a huge header": floods(b"HTTP/1.1 200 OK\r\nX-Big: ", b"x" * 65536),
    "headers without an end": floods(b"HTTP/1.1 200 OK\r\n", b"X-More: x\r\n" * 500),
    "another protocol": says(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"x" * 999
    ),
    "no done": says(HEAD, line(), line()),
    "no line at all": says(HEAD),
    "half a line": says(HEAD, line(), line()[:20]),
    "what is no JSON": says(HEAD, line(), b"\x00\xff\xfe{]\n"),
    "a list": says(HEAD, b"[1, 2, 3]\n"),
    "a number for a message": says(HEAD, b'{"message": 3, "done": false}\n'),
    "too deep": says(HEAD, b'{"message":' + b"[" * 100_000 + b"\n"),
    "an error inside": says(HEAD, line(), b'{"error": "out of memory"}\n'),
    "a status of nothing": says(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"),
    "a body shorter than said": says(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", line()),
}
"""Forms that must end in an error."""

LYING: dict[str, Script] = {
    "trailing garbage": says(HEAD, line(), END, b"\x00garbage" * 1000),
    "done twice": says(HEAD, line(), END, END, line()),
    "an answer behind the answer": says(HEAD, line(), END, b"HTTP/1.1 200 OK\r\n\r\n", END),
    "usage below nothing": says(HEAD, line(), line(done=True, eval_count=-5, prompt_eval_count=-1)),
    "usage beyond all": says(HEAD, line(), line(done=True, eval_count=10**30, prompt_eval_count=10**18)),
    "usage in words": says(HEAD, line(), line(done=True, eval_count="many")),
    "an end before its time": says(
        HEAD, line(), line(done=True, total_duration=-1, eval_duration=-(10**18), load_duration=0)
    ),
    "faster than light": says(HEAD, line(), line(done=True, total_duration=1, eval_count=10**9, eval_duration=1)),
    "for ever": says(HEAD, line(), line(done=True, total_duration=10**25, eval_duration=10**25, eval_count=1)),
}
"""Forms that may end as an answer: what is said is kept, and what is claimed must not hurt."""


async def ask(house: House, model: str, *, stream: bool) -> Answer:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    async with asyncio.timeout(20):
        return await house.ask(MIA, "POST", "/api/chat", json.dumps(body).encode())


def is_broken(answer: Answer) -> bool:
    """Whether a client is told that this is no whole answer."""
    last = json.loads(answer.body.strip().splitlines()[-1])
    return answer.status >= 400 or "error" in last


async def others_are_served(house: House) -> None:
    """A request to the honest node."""
    answer = await ask(house, MODEL, stream=False)
    assert answer.status == 200, answer
    assert b"scatters" in answer.body


async def test_what_is_broken_is_said_and_harms_nobody_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with lair(says()) as evil, housed(tmp_path, evil) as house:
        for form, script in BROKEN.items():
            evil.script = script
            for stream in (True, False):
                await readmitted(house)
                asked = len(evil.worked)
                answer, _ = await asyncio.gather(ask(house, EVIL, stream=stream), others_are_served(house))
                assert len(evil.worked) > asked, (form, answer)
                assert is_broken(answer), (form, answer.status, answer.body[-300:])
                assert answer.status != 500, (form, answer)
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_what_is_claimed_does_not_hurt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with lair(says()) as evil, housed(tmp_path, evil) as house:
        for form, script in LYING.items():
            evil.script = script
            for stream in (True, False):
                await readmitted(house)
                asked = len(evil.worked)
                answer = await ask(house, EVIL, stream=stream)
                assert len(evil.worked) > asked, (form, answer)
                assert answer.status == 200 or answer.status >= 502, (form, answer)
                await others_are_served(house)
                await house.app.ledger.flush()
                used = json.loads((await house.ask(MIA, "GET", "/hx/usage")).body)
                assert all(0 <= row["completion_tokens"] < 10**12 for row in used), (form, used)
                assert (await house.ask(MIA, "GET", "/hx/models")).status == 200, form
                assert (await house.ask(MIA, "POST", "/hx/route", b'{"model": "auto"}')).status == 200, form
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def readmitted(house: House) -> None:
    """Let the node be asked again, whatever it has done before."""
    (state,) = [state for state in house.app.registry.states() if state.node.name == "evil-0"]
    for _ in range(3):
        await house.app.prober.look(state.endpoint.id)


async def test_a_node_that_goes_on_failing_is_asked_no_more(tmp_path: Path) -> None:
    bad, fine = BROKEN["what is no JSON"], says(HEAD, line(), END)
    async with lair(bad) as evil, lair(fine) as good, housed(tmp_path, evil, good) as house:
        await house.app.registry.set_cordon("evil-1", Cordon.CORDONED)
        assert all([is_broken(await ask(house, EVIL, stream=True)) for _ in range(4)])
        asked = len(evil.worked)
        assert asked >= 3
        await house.app.registry.set_cordon("evil-1", Cordon.OPEN)
        assert not any([is_broken(await ask(house, EVIL, stream=True)) for _ in range(6)])
        assert len(evil.worked) == asked


@pytest.mark.parametrize(
    "form", ["a line without an end", "a text without an end", "nothing but spaces", "a gzip bomb"]
)
async def test_no_stream_takes_more_than_its_line_and_a_little(tmp_path: Path, form: str) -> None:
    async with lair(BROKEN[form]) as evil, housed(tmp_path, evil) as house:
        await others_are_served(house)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            await ask(house, EVIL, stream=True)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak - before < LINE_MAX + BESIDE_MAX, f"{(peak - before) / MB:.1f} MB"


async def test_a_million_models_are_no_list(tmp_path: Path) -> None:
    row = b'{"name":"model-%03d","model":"m","digest":"%064d","size":1},'
    rows = b"".join(row % (each, each) for each in range(1000))

    async def lists(writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"models":[')
        for _ in range(1000):
            writer.write(rows)
            await writer.drain()
        writer.write(b"{}]}")

    async with lair(says(), lists=lists) as evil, housed(tmp_path, evil) as house:
        (state,) = [state for state in house.app.registry.states() if state.node.name == "evil-0"]
        assert len(house.app.registry.known_models()) < 10
        assert state.health.reason
        await others_are_served(house)
