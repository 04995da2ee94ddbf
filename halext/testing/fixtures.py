"""pytest fixtures that come with halext: fake servers by the handful, and a clock that stands still.

    async def test_it(fake_ollama):
        ollama = await fake_ollama(models=["llama3.2:3b"], slots=2)
        ...  # point a client at ollama.url; it is closed after the test

This file is loaded in every pytest run where halext is installed, so it imports nothing heavy before it is asked to.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from halext.testing.automatic1111 import FakeAutomatic1111
    from halext.testing.clock import ManualClock
    from halext.testing.discord import FakeDiscord
    from halext.testing.ollama import FakeOllama
    from halext.testing.openai import FakeOpenAI
    from halext.testing.telegram import FakeTelegram


def async_fixture(function: Callable[[], AsyncIterator[Any]]) -> Any:
    """A fixture that also works in pytest-asyncio's strict mode, where that plugin is installed (it is loaded then)."""
    try:
        from pytest_asyncio import fixture
    except ImportError:
        return pytest.fixture(function)
    return fixture(function)


@async_fixture
async def fake_ollama() -> AsyncIterator[Callable[..., Awaitable[FakeOllama]]]:
    """Starts fake Ollamas that are closed after the test.

    `await fake_ollama(models=[…], slots=2)` takes the arguments of `FakeOllama`.
    """
    from halext.testing.ollama import FakeOllama

    async with contextlib.AsyncExitStack() as stack:

        async def start(*args: Any, **kwargs: Any) -> FakeOllama:
            return await stack.enter_async_context(FakeOllama(*args, **kwargs))

        yield start


@async_fixture
async def fake_openai() -> AsyncIterator[Callable[..., Awaitable[FakeOpenAI]]]:
    """Starts fake OpenAI-like servers that are closed after the test.

    `await fake_openai(flavour="llama.cpp")` takes the arguments of `FakeOpenAI`.
    """
    from halext.testing.openai import FakeOpenAI

    async with contextlib.AsyncExitStack() as stack:

        async def start(*args: Any, **kwargs: Any) -> FakeOpenAI:
            return await stack.enter_async_context(FakeOpenAI(*args, **kwargs))

        yield start


@async_fixture
async def fake_automatic1111() -> AsyncIterator[Callable[..., Awaitable[FakeAutomatic1111]]]:
    """Starts fake Stable Diffusion web UIs that are closed after the test.

    `await fake_automatic1111(["dreamshaper_8"], flavour="forge")` takes the arguments of `FakeAutomatic1111`.
    """
    from halext.testing.automatic1111 import FakeAutomatic1111

    async with contextlib.AsyncExitStack() as stack:

        async def start(*args: Any, **kwargs: Any) -> FakeAutomatic1111:
            return await stack.enter_async_context(FakeAutomatic1111(*args, **kwargs))

        yield start


@async_fixture
async def fake_telegram() -> AsyncIterator[Callable[..., Awaitable[FakeTelegram]]]:
    """Starts fake Telegrams that are closed after the test, which fails if its bot called an unknown method.

    `await fake_telegram(scale=10)` takes the arguments of `FakeTelegram`.
    """
    from halext.testing.telegram import FakeTelegram

    async with contextlib.AsyncExitStack() as stack:

        async def start(*args: Any, **kwargs: Any) -> FakeTelegram:
            return await stack.enter_async_context(FakeTelegram(*args, **kwargs))

        yield start


@async_fixture
async def fake_discord() -> AsyncIterator[Callable[..., Awaitable[FakeDiscord]]]:
    """Starts fake Discords that are closed after the test, which fails if its bot asked for an unknown route.

    `await fake_discord(scale=10)` takes the arguments of `FakeDiscord`.
    """
    from halext.testing.discord import FakeDiscord

    async with contextlib.AsyncExitStack() as stack:

        async def start(*args: Any, **kwargs: Any) -> FakeDiscord:
            return await stack.enter_async_context(FakeDiscord(*args, **kwargs))

        yield start


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock that only `await manual_clock.advance(seconds)` moves."""
    from halext.testing.clock import ManualClock

    return ManualClock()
