"""`halext up`: opens the house, starts its parts, says so, and closes everything in order when told to stop."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial

from halext._version import __version__
from halext.accounts.audit.types import HOUSE
from halext.errors import HalextError, MissingExtra
from halext.hosts.llama import BuiltinModel
from halext.runtime import builtin, schedule, service
from halext.runtime.app import App
from halext.runtime.redaction import remember
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app, written

FIRST_LOOK_S = 2.0
"""How long the start waits for the first look at the nodes; those that take longer are found a moment later."""

Say = Callable[[str], None]
_log = logging.getLogger(__name__)


def new_loop() -> asyncio.AbstractEventLoop:
    """The event loop for a long run: uvloop where there is one, since it moves the same bytes with less work."""
    try:
        import uvloop
    except ModuleNotFoundError:  # Windows, or halext without its web part
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def run_up(settings: Settings, parts: Sequence[str], say: Say) -> None:
    """Run the named parts, or all that are installed, until SIGINT or SIGTERM; then drain and close.

    `say` gets the lines that the owner reads. Raises the `HalextError` that kept a part from running.
    """
    services = _parts(parts, say)
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(settings))
        app.local_token = secrets.token_urlsafe(32)
        remember(app.local_token)
        model = await builtin.provide(app, say)
        scheduler = schedule.start(app)
        stack.push_async_callback(schedule.stop, app, scheduler)
        await _first_look(app, model)
        if [part.name for part in services] != ["worker"]:  # answers belong to a door's process; theirs may be alive
            await app.answers.recover(app.people.caller_of)
        await app.audit.write("house.start", HOUSE, version=__version__)
        stack.push_async_callback(written, "the audit log", partial(app.audit.write, "house.stop", HOUSE), app.clock)
        await _serve(app, services, say)
        say("halext has stopped.")


def _parts(named: Sequence[str], say: Say) -> list[service.Service]:
    """The parts that are named; or all, where one whose libraries are not installed is merely off."""
    if named:
        return [service.load(name) for name in named]
    found: list[service.Service] = []
    missing: MissingExtra | None = None
    for name in service.known():
        try:
            found.append(service.load(name))
        except MissingExtra as error:
            missing = error
            say(f"  {name:<12}off: {error.message}")
    if not found and missing is not None:
        raise missing
    return found


async def _first_look(app: App, model: BuiltinModel | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_LOOK_S):
            if model is not None:
                await model.child.wait_ready()
            await app.prober.refresh(max_age_s=0)


async def _serve(app: App, services: Sequence[service.Service], say: Say) -> None:
    """Run the services until a signal comes or one of them fails."""
    waiting = {part.name for part in services}

    def ready(name: str) -> Callable[[str], None]:
        def tell(line: str) -> None:
            say(f"  {name:<12}{line}")
            waiting.discard(name)
            if not waiting:
                everyone.set()

        return tell

    stop, everyone = asyncio.Event(), asyncio.Event()
    try:
        with _signals(stop):
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(part.run(app, ready(part.name)), name=part.name) for part in services]
                announcing = group.create_task(_announce(app, everyone, say))
                await stop.wait()
                say("stopping: what has begun may finish; press Ctrl-C again to stop at once")
                announcing.cancel()
                for task in running:
                    task.cancel()
    except BaseExceptionGroup as failures:
        raise _first_known(failures) from failures


async def _announce(app: App, everyone: asyncio.Event, say: Say) -> None:
    """Once every door is open: tell the owner, and tell this machine's command line how to get in."""
    await everyone.wait()
    if app.base_url and app.local_token:
        app.lock.publish({"url": app.base_url, "token": app.local_token})
    nodes = ", ".join(node.name for node in app.registry.nodes()) or "none yet; `halext node add NAME URL`"
    say(f"  {'nodes':<12}{nodes}")
    if app.base_url and (code := await app.people.first_admin_code()) is not None:
        base = (app.settings.public_url or app.base_url).rstrip("/")
        say("")
        say("  Nobody is an administrator yet. Open this link, once, within 24 hours:")
        say(f"  {base}/welcome?code={code}")
        say("")
    say(f"halext {__version__} is ready; Ctrl-C stops it.")


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM ask for an orderly stop; a second one stops at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def asked() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    names = [signal.SIGINT, signal.SIGTERM]
    try:
        for name in names:
            loop.add_signal_handler(name, asked)
    except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt and unwinds the same stack
        names = []
    try:
        yield
    finally:
        for name in names:
            loop.remove_signal_handler(name)


def _first_known(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The reason to show: a `HalextError` where there is one, since it says what to do."""
    leaves = list(_leaves(failures))
    return next((leaf for leaf in leaves if isinstance(leaf, HalextError)), leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
