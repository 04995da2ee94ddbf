"""Run a fake server by hand, such as `python -m halext.testing.ollama`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable

from halext.testing.fake import Fake
from halext.testing.models import FakeModel


def shared_parser(program: str, description: str, *, port: int) -> argparse.ArgumentParser:
    """The arguments that all fakes have."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--port", type=int, default=port, help=f"0 takes any free one (default: {port})")
    parser.add_argument("--model", action="append", metavar="NAME", help="may be given several times")
    parser.add_argument("--scale", type=float, default=1, help="how much faster than life time runs (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other answers (default: 0)")
    return parser


def argument_parser(program: str, description: str, *, port: int) -> argparse.ArgumentParser:
    """The arguments of fakes that speak."""
    parser = shared_parser(program, description, port=port)
    parser.add_argument("--rate", type=float, default=50, help="tokens per second of one stream (default: 50)")
    parser.add_argument("--load", type=float, default=2, help="seconds to load a model (default: 2)")
    parser.add_argument("--tokens", type=int, default=40, help="tokens of an answer (default: 40)")
    return parser


def models_of(args: argparse.Namespace) -> list[FakeModel]:
    """The models that the arguments ask for."""
    names = args.model or ["llama3.2:3b"]
    return [FakeModel(name, tokens_per_s=args.rate, load_s=args.load, answer_tokens=args.tokens) for name in names]


def run(make: Callable[[], Fake]) -> int:
    """Serve until Ctrl-C or SIGTERM; the exit code."""
    try:
        asyncio.run(_serve(make))
    except OSError as error:
        print(f"Can't listen: {error.strerror or error}. Choose another port with --port.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _serve(make: Callable[[], Fake]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no handlers here; Ctrl-C ends it all the same
            loop.add_signal_handler(number, stop.set)
    async with make() as fake:
        print(fake.url, flush=True)  # noqa: T201 - scripts read the address from the first line
        await stop.wait()
