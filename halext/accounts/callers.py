"""From a credential to its caller, without asking the database every time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from halext.accounts import tokens
from halext.accounts.store import CredentialStore
from halext.accounts.types import Caller
from halext.errors import DatabaseUnavailable, Unauthenticated
from halext.types import Clock

CACHE_S = 1.0
"""So long another process may go on with a credential that was revoked here; in this process it ends at once."""
CACHE_MAX = 1024
TOUCH_S = 60.0
"""How exact the time of a token's last use is."""


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    token_id: int | None
    expires_at: float | None
    until: float
    """On the monotonic clock."""


class Callers:
    """Answers who is asking. Credentials are known by their SHA-256 only."""

    def __init__(self, store: CredentialStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._generation = 0
        self._used_at: dict[int, float] = {}

    async def caller_for(self, credential: str) -> Caller:
        """Who holds this API token or session. Raises `Unauthenticated`, for every kind of wrong one alike."""
        purpose = tokens.purpose_of(credential)
        if purpose not in {"token", "session"}:
            raise Unauthenticated
        digest = tokens.digest(credential)
        known = self._known.get(digest)
        if known is None or known.until <= self._clock.monotonic():
            known = await self._look_up(digest, is_token=purpose == "token")
        now = self._clock.now()
        if known is None or (known.expires_at is not None and known.expires_at <= now):
            raise Unauthenticated
        if known.token_id is not None:
            self._used_at[known.token_id] = now
        return known.caller

    def forget(self) -> None:
        """Ask the database again for everyone: call it after each change that may end a right."""
        self._generation += 1
        self._known.clear()

    async def run(self) -> None:
        """Write down once a minute when tokens were last used; runs until cancelled."""
        while True:
            await self._clock.sleep(TOUCH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write down now when tokens were last used. If the database is away, it is tried again the next time."""
        batch = dict(self._used_at)
        if not batch:
            return
        with suppress(DatabaseUnavailable):
            await self._store.touch(batch)
            for token_id, at in batch.items():
                if self._used_at[token_id] == at:
                    del self._used_at[token_id]

    async def _look_up(self, digest: str, *, is_token: bool) -> _Known | None:
        generation, until = self._generation, self._clock.monotonic() + CACHE_S
        known = await (self._token(digest, until) if is_token else self._session(digest, until))
        self._known.pop(digest, None)
        # A right may have ended while we read: then the answer is good for this request, and not worth keeping.
        if known is not None and generation == self._generation:
            while len(self._known) >= CACHE_MAX:
                del self._known[next(iter(self._known))]
            self._known[digest] = known
        return known

    async def _token(self, digest: str, until: float) -> _Known | None:
        found = await self._store.token(digest)
        if found is None:
            return None
        user, token = found
        return _Known(Caller(user.name, user.role, "token", user.id), token.id, token.expires_at, until)

    async def _session(self, digest: str, until: float) -> _Known | None:
        found = await self._store.session(digest)
        if found is None:
            return None
        user, expires_at = found
        return _Known(Caller(user.name, user.role, "session", user.id), None, expires_at, until)
