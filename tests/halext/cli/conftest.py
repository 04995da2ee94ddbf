"""The command line in this process, over a halext that is made of canned answers."""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from halext.cli.main import main
from halext.errors import HalextError
from halext.messages import ChatChunk, Done, EmbedReply, EmbedRequest, TextRequest, Usage
from halext.runtime import connect, log
from halext.runtime.control import Answer
from halext.runtime.operations import Operation
from halext.runtime.settings import Settings
from halext.runtime.shapes import ChoiceInfo, EndpointInfo, NodeInfo, RequestInfo
from halext.types import NodeName

DONE = ChatChunk(done=Done("stop", Usage(prompt_tokens=3, completion_tokens=2)))


@dataclass
class FakeAnswer:
    """Says its pieces, then fails or ends."""

    pieces: Sequence[ChatChunk]
    failure: BaseException | None
    told: RequestInfo | None
    info: RequestInfo | None = None
    is_closed: bool = False

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        try:
            for piece in self.pieces:
                yield piece
            if self.failure is not None:
                raise self.failure
        finally:
            self.info = self.told
            self.is_closed = True


@dataclass
class FakeControl:
    """Answers what a test has laid out, and remembers what it was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    """By the verb's name; an error is raised."""
    pieces: Sequence[ChatChunk] = (ChatChunk("Hel"), ChatChunk("lo"), DONE)
    failure: BaseException | None = None
    info: RequestInfo | None = None
    vectors: tuple[tuple[float, ...], ...] = ()
    calls: list[tuple[str, Any]] = field(default_factory=list)
    asked: list[tuple[TextRequest | EmbedRequest, NodeName | None]] = field(default_factory=list)
    settings: Settings | None = None

    async def call(self, operation: Operation[Any, Any], params: Any) -> Any:
        self.calls.append((operation.name, params))
        answer = self.answers[operation.name]
        if isinstance(answer, HalextError):
            raise answer
        return answer

    def generate(self, request: TextRequest, node: NodeName | None = None) -> Answer:
        self.asked.append((request, node))
        return FakeAnswer(self.pieces, self.failure, self.info)

    async def embed(self, request: EmbedRequest, node: NodeName | None = None) -> EmbedReply:
        self.asked.append((request, node))
        return EmbedReply(self.vectors)


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeControl:
    """What every command of the test talks to."""
    fake = FakeControl()

    @asynccontextmanager
    async def open_control(settings: Settings) -> AsyncIterator[FakeControl]:
        fake.settings = settings
        yield fake

    monkeypatch.setattr(connect, "open_control", open_control)
    return fake


@pytest.fixture
def log_levels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The levels that commands set the log to, instead of setting it: the log is the whole process's."""
    levels: list[str] = []
    monkeypatch.setattr(log, "configure", lambda _format, level: levels.append(level))
    for name in ("HALEXT_URL", "HALEXT_TOKEN", "HALEXT_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HALEXT_DATA_DIR", str(tmp_path / "data"))
    return levels


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log_levels: list[str]) -> Run:
    """`run("node", "list", stdin="piped")`: exit code and both outputs of one command line."""

    def call(*args: str, stdin: str | bytes = "") -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        code = main(list(args))
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return call


def an_endpoint(name: str = "mac", **changed: Any) -> EndpointInfo:
    fields = {
        "id": name,
        "kind": "ollama",
        "url": f"http://{name}.local:11434",
        "status": "healthy",
        "reason": "",
        "since": 0.0,
        "slots": 4,
        "in_flight": 1,
        "version": "0.33.0",
        "models": ["llama3.2:3b"],
        "loaded": ["llama3.2:3b"],
        "latency_s": 0.01,
        "last_seen_at": 0.0,
        "has_headers": False,
    }
    return EndpointInfo(**{**fields, **changed})


def a_node(name: str = "mac", *, endpoints: Sequence[EndpointInfo] | None = None, **changed: Any) -> NodeInfo:
    fields = {
        "name": name,
        "status": "healthy",
        "cordon": "open",
        "cordon_until": None,
        "builtin": False,
        "memory_bytes": None,
        "tags": [],
        "endpoints": list(endpoints) if endpoints is not None else [an_endpoint(name)],
    }
    return NodeInfo(**{**fields, **changed})


def a_request(**changed: Any) -> RequestInfo:
    fields: dict[str, Any] = {
        "id": "r-1",
        "kind": "chat",
        "model": "llama3.2:3b",
        "node": "mac",
        "outcome": "done",
        "started_at": 0.0,
        "first_token_s": 0.25,
        "total_s": 1.0,
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "tokens_per_s": 42.0,
        "choices": [],
        "failures": [],
        "why": ["mac: 2.1 s (warm, 1 of 4 slots taken) — chose mac"],
    }
    return RequestInfo(**{**fields, **changed})


def a_choice(sentence: str) -> ChoiceInfo:
    return ChoiceInfo(model="llama3.2:3b", chosen=None, sentence=sentence, estimates=[], rejected={})
