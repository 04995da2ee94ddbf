"""From a credential to its caller, without asking the database every time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from halext.accounts import jwts, policy, tokens
from halext.accounts.jwts import Claims, Jwts, Source
from halext.accounts.sessions.policy import coarse
from halext.accounts.sessions.store import SessionStore
from halext.accounts.store import CredentialStore
from halext.accounts.types import Caller
from halext.errors import DatabaseUnavailable, Unauthenticated
from halext.types import Clock, UserId

CACHE_S = 1.0
"""So long another process may go on with a credential that was revoked here; in this process it ends at once."""
CACHE_MAX = 1024
TOUCH_S = 60.0
"""How exact the time of a token's last use is."""


@dataclass(frozen=True, slots=True)
class Known:
    """A sign-in or a token that is good, and whose it is."""

    caller: Caller
    user_id: UserId
    source: Source
    digest: str
    number: int
    expires_at: float | None
    used_at: float | None
    until: float
    """On the monotonic clock."""


class Callers:
    """Answers who is asking. Credentials are known by their SHA-256 only."""

    def __init__(self, store: CredentialStore, sessions: SessionStore, jwts: Jwts, clock: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._jwts = jwts
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._generation = 0
        self._used_at: dict[Source, dict[int, float]] = {"token": {}, "session": {}}

    async def caller_for(self, credential: str) -> Caller:
        """Who holds this API token, session or JWT. Raises `Unauthenticated`, for every kind of wrong one alike."""
        if jwts.is_one(credential):
            await self._jwts.ready()
            return await self._by_jwt(self._jwts.read(credential, self._clock.now()))
        return (await self.known(credential)).caller

    async def known(self, credential: str) -> Known:
        """What is known of this API token or session. Raises `Unauthenticated`."""
        match tokens.purpose_of(credential):
            case "token" | "session" as source:
                return await self._good(source, tokens.digest(credential))
            case _:
                raise Unauthenticated

    async def _by_jwt(self, claims: Claims) -> Caller:
        behind = await self._good(claims.source, claims.digest)
        caller = behind.caller
        is_older = caller.signed_in_at is not None and claims.issued_at < caller.signed_in_at
        if behind.user_id != claims.user_id or is_older:
            raise Unauthenticated
        return replace(caller, credential="jwt", scopes=policy.narrowed(caller.scopes, claims.scopes))

    async def _good(self, source: Source, digest: str) -> Known:
        known = self._known.get(f"{source}:{digest}")
        if known is None or known.until <= self._clock.monotonic():
            known = await self._look_up(source, digest)
        now = self._clock.now()
        if known is None or (known.expires_at is not None and known.expires_at <= now):
            raise Unauthenticated
        used_at = now if source == "token" else coarse(now)
        if used_at != known.used_at:
            self._used_at[source][known.number] = used_at
        return known

    def forget(self) -> None:
        """Ask the database again for everyone: call it after each change that may end a right."""
        self._generation += 1
        self._known.clear()

    async def run(self) -> None:
        """Write down once a minute when tokens and sessions were last used; runs until cancelled."""
        while True:
            await self._clock.sleep(TOUCH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write down now what `run` would write next. If the database is away, it is tried again the next time."""
        stores: dict[Source, CredentialStore | SessionStore] = {"token": self._store, "session": self._sessions}
        for source, store in stores.items():
            used_at = self._used_at[source]
            batch = dict(used_at)
            if not batch:
                continue
            with suppress(DatabaseUnavailable):
                await store.touch(batch)
                for number, at in batch.items():
                    if used_at[number] == at:
                        del used_at[number]

    async def _look_up(self, source: Source, digest: str) -> Known | None:
        generation, until, key = self._generation, self._clock.monotonic() + CACHE_S, f"{source}:{digest}"
        known = await (self._token(digest, until) if source == "token" else self._session(digest, until))
        self._known.pop(key, None)
        # A right may have ended while we read: then the answer is good for this request, and not worth keeping.
        if known is not None and generation == self._generation:
            while len(self._known) >= CACHE_MAX:
                del self._known[next(iter(self._known))]
            self._known[key] = known
        return known

    async def _token(self, digest: str, until: float) -> Known | None:
        found = await self._store.token(digest)
        if found is None:
            return None
        user, token = found
        caller = Caller(user.name, user.role, "token", user.id, scopes=token.scopes)
        return Known(caller, user.id, "token", digest, token.id, token.expires_at, token.last_used_at, until)

    async def _session(self, digest: str, until: float) -> Known | None:
        found = await self._sessions.find(digest)
        if found is None:
            return None
        user, at = found
        caller = Caller(user.name, user.role, "session", user.id, session=at.id, signed_in_at=at.proved_at)
        return Known(caller, user.id, "session", digest, at.id, at.expires_at, at.used_at, until)
