"""From a credential to its caller: when the database is asked, and when not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from halext.accounts import tokens
from halext.accounts.callers import CACHE_MAX, CACHE_S, TOUCH_S, Callers
from halext.accounts.jwts import Jwts
from halext.accounts.sessions.policy import STEP_S
from halext.accounts.sessions.store import SessionStore
from halext.accounts.store import CredentialStore, PeopleStore, TokenStore
from halext.accounts.types import LOCAL, Role, TokenInfo, User
from halext.errors import DatabaseUnavailable, Unauthenticated
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import UserId


class WatchedStore(CredentialStore):
    """The real store, which counts what it is asked, and can be held up or away."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.asked = 0
        self.is_away = False
        self.was_read = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.touched = asyncio.Event()

    async def token(self, token_hash: str) -> tuple[User, TokenInfo] | None:
        self.asked += 1
        found = await super().token(token_hash)
        self.was_read.set()
        await self.go_on.wait()
        return found

    async def touch(self, used_at: Mapping[int, float]) -> None:
        if self.is_away:
            raise DatabaseUnavailable
        await super().touch(used_at)
        self.touched.set()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(scope: Scope) -> WatchedStore:
    return WatchedStore(scope)


@pytest.fixture
def callers(store: WatchedStore, scope: Scope, clock: ManualClock) -> Callers:
    return Callers(store, SessionStore(scope), Jwts(), clock)


@pytest.fixture
def everyones(scope: Scope) -> TokenStore:
    return TokenStore.for_caller(scope, LOCAL)


@pytest.fixture
async def token(scope: Scope, everyones: TokenStore) -> str:
    token = tokens.make("token")
    ada = await PeopleStore(scope).add("Ada", Role.MEMBER, None, 0)
    await everyones.add(ada, "t", token_hash=tokens.digest(token), hint="hx_", now=0, expires_at=None)
    return token


async def test_a_busy_token_asks_the_database_once_a_second(
    callers: Callers, store: WatchedStore, clock: ManualClock, token: str
) -> None:
    for _ in range(10):
        assert (await callers.caller_for(token)).name == "Ada"
    assert store.asked == 1
    await clock.advance(CACHE_S)
    await callers.caller_for(token)
    assert store.asked == 2


async def test_to_forget_means_to_ask_again(callers: Callers, store: WatchedStore, token: str) -> None:
    await callers.caller_for(token)
    callers.forget()
    await callers.caller_for(token)
    assert store.asked == 2


async def test_an_answer_from_before_a_change_is_not_kept(
    callers: Callers, store: WatchedStore, everyones: TokenStore, token: str
) -> None:
    store.go_on.clear()
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(callers.caller_for(token))
        await store.was_read.wait()
        (info,) = await everyones.all()
        await everyones.revoke(info.id)
        callers.forget()
        store.go_on.set()
    assert asking.result().name == "Ada"
    with pytest.raises(Unauthenticated):
        await callers.caller_for(token)


@pytest.mark.parametrize("credential", ["", "hx_", "Bearer x", "\ud800", "hxc_" + "a" * 43, "hx_" + "'" * 43])
async def test_rubbish_is_refused(callers: Callers, credential: str) -> None:
    with pytest.raises(Unauthenticated):
        await callers.caller_for(credential)


async def test_what_can_not_be_ours_does_not_reach_the_database(callers: Callers, store: WatchedStore) -> None:
    with pytest.raises(Unauthenticated):
        await callers.caller_for("hx_short")
    assert store.asked == 0


async def test_no_credential_is_kept_in_memory(callers: Callers, token: str) -> None:
    await callers.caller_for(token)
    assert token not in repr(vars(callers))
    assert list(callers._known) == [f"token:{tokens.digest(token)}"]


async def test_a_flood_of_wrong_tokens_is_not_remembered(callers: Callers) -> None:
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await callers.caller_for(tokens.make("token"))
    assert callers._known == {}


async def test_only_so_many_are_remembered(callers: Callers, token: str) -> None:
    await callers.caller_for(token)
    (known,) = callers._known.values()
    callers._known = {str(number): known for number in range(CACHE_MAX)}
    await callers.caller_for(token)
    assert len(callers._known) == CACHE_MAX
    assert "0" not in callers._known


async def test_the_last_use_is_written_once_a_minute(
    callers: Callers, store: WatchedStore, everyones: TokenStore, clock: ManualClock, token: str
) -> None:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(callers.run())
        await callers.caller_for(token)
        used_at = clock.now()
        await clock.advance(TOUCH_S - 1)
        assert not store.touched.is_set()
        await clock.advance(1)
        await asyncio.wait_for(store.touched.wait(), 10)
        running.cancel()
    (info,) = await everyones.all()
    assert info.last_used_at == used_at


async def test_a_last_use_survives_a_database_that_is_away(
    callers: Callers, store: WatchedStore, everyones: TokenStore, clock: ManualClock, token: str
) -> None:
    await callers.caller_for(token)
    store.is_away = True
    await callers.flush()
    store.is_away = False
    await callers.flush()
    (info,) = await everyones.all()
    assert info.last_used_at == clock.now()


async def test_a_busy_jwt_asks_the_database_once_a_second_too(
    callers: Callers, store: WatchedStore, clock: ManualClock, token: str
) -> None:
    known = await callers.known(token)
    jwt, _ = callers._jwts.make(known.user_id, "token", known.digest, None, clock.now())
    for _ in range(10):
        assert (await callers.caller_for(jwt)).credential == "jwt"
    assert store.asked == 1
    assert jwt not in repr(vars(callers))
    await clock.advance(CACHE_S)
    await callers.caller_for(jwt)
    assert store.asked == 2


async def test_a_jwt_of_somebody_elses_token_is_refused(callers: Callers, clock: ManualClock, token: str) -> None:
    known = await callers.known(token)
    jwt, _ = callers._jwts.make(UserId(known.user_id + 1), "token", known.digest, None, clock.now())
    with pytest.raises(Unauthenticated):
        await callers.caller_for(jwt)


async def test_a_session_is_written_down_once_in_ten_minutes(
    callers: Callers, scope: Scope, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await PeopleStore(scope).add("Ada", Role.MEMBER, "kept", 0)
    session, now = tokens.make("session"), clock.now()
    sessions = callers._sessions
    await sessions.begin(ada, tokens.digest(session), checked="kept", better=None, now=now, expires_at=now + 9999)
    written: list[Mapping[int, float]] = []
    real = sessions.touch

    async def touch(used_at: Mapping[int, float]) -> None:
        written.append(used_at)
        await real(used_at)

    monkeypatch.setattr(sessions, "touch", touch)
    for _ in range(4):
        await callers.caller_for(session)
        await callers.flush()
        await clock.advance(2.0)
    assert len(written) == 1
    await clock.advance(STEP_S)
    await callers.caller_for(session)
    await callers.flush()
    assert len(written) == 2
