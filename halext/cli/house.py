"""The way from a command to a halext: the settings that apply, and a halext opened for one piece of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from halext.runtime.control import Control
    from halext.runtime.operations import Operation
    from halext.runtime.settings import Settings
    from halext.runtime.shapes import Params

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was said before the command's name; every command finds it as `ctx.obj`."""

    data: Path | None = None


def settings(ctx: typer.Context, **said: object) -> Settings:
    """The settings of this process, with what the command line `said` on top. Raises `InvalidSetting`."""
    from halext.runtime.settings import load

    invocation: Invocation = ctx.obj
    return load({"data_dir": invocation.data, **{name: value for name, value in said.items() if value is not None}})


def log_quietly(found: Settings) -> None:
    """A command that ends at once logs what broke and nothing else, unless HALEXT_LOG_LEVEL asks for more."""
    from halext.runtime import log

    log.configure(found.log_format, found.log_level if "log_level" in found.model_fields_set else "error")


def finish(work: Coroutine[object, object, T], new_loop: Callable[[], AbstractEventLoop] | None = None) -> T:
    """The result of `work`, in an event loop of its own. Loaded only now: `--help` needs none."""
    import asyncio

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


def run(ctx: typer.Context, work: Callable[[Control], Awaitable[T]]) -> T:
    """The result of `work`, done with the halext that the settings name. Raises `HalextError`."""
    from halext.runtime import connect

    found = settings(ctx)
    log_quietly(found)

    async def opened() -> T:
        async with connect.open_control(found) as control:
            return await work(control)

    return finish(opened())


P = TypeVar("P", bound="Params")
R = TypeVar("R")


def call(ctx: typer.Context, operation: Operation[P, R], params: P) -> R:
    """The answer of one operation."""

    async def work(control: Control) -> R:
        return await control.call(operation, params)

    return run(ctx, work)
