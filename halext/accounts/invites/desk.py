"""Inviting: who may make accounts sends a link, and whoever opens it chooses a name and a password."""

from __future__ import annotations

from halext.accounts import policy as rights
from halext.accounts import tokens
from halext.accounts.audit.types import Audit, Unrecorded
from halext.accounts.invites import policy
from halext.accounts.invites.store import InviteStore
from halext.accounts.invites.types import Invite, NewInvite
from halext.accounts.passwords import Passwords
from halext.accounts.types import Caller, Counters, Permission, Role, User
from halext.errors import Forbidden, TooManyRequests
from halext.storage.scope import Scope
from halext.types import Clock


class Invites:
    """Invites and those who come by them. An invite makes one account and has ended then."""

    def __init__(
        self, scope: Scope, *, passwords: Passwords, counters: Counters, clock: Clock, audit: Audit | None = None
    ) -> None:
        self._audit = audit or Unrecorded()
        self._store = InviteStore(scope)
        self._passwords = passwords
        self._counters = counters
        self._clock = clock

    async def make(self, caller: Caller, role: Role, note: str = "", life_s: float = policy.LIFE_S) -> NewInvite:
        """A new invite to become a `role`. Raises `Forbidden` and `InvalidInput`."""
        rights.require(caller, Permission.MANAGE_PEOPLE)
        rights.require_role(caller, role)
        expires_at = self._clock.now() + policy.check_life(life_s)
        code = tokens.make("invite")
        kept = await self._store.add(
            tokens.digest(code),
            role,
            policy.clean_note(note),
            maker=caller.user_id,
            now=self._clock.now(),
            expires_at=expires_at,
        )
        return NewInvite(code, kept)

    async def all(self, caller: Caller) -> list[Invite]:
        """Those that could be used now, the newest first. Raises `Forbidden`."""
        rights.require(caller, Permission.MANAGE_PEOPLE)
        return await self._store.all(self._clock.now())

    async def end(self, caller: Caller, number: int) -> None:
        """End an invite. Raises `Forbidden` and `NotFound`."""
        rights.require(caller, Permission.MANAGE_PEOPLE)
        await self._store.remove(number)

    async def claim(self, code: str, name: str, password: str, *, address: str | None = None) -> User:
        """Make the account that an invite is for; of several who try at once, one succeeds.

        Raises `Forbidden` for a code that is wrong, used, out of date or no longer backed by its maker, in the same
        words; `TooManyRequests` after some of them; `InvalidInput` and `AlreadyExists` for a name or a password that
        won't do, and then the code can be used again.
        """
        name = rights.clean_name(name)
        rights.check_password(password)
        key = f"invite:address:{rights.address_group(address)}" if address else "invite"
        if await self._counters.hit(key, policy.GUESS_WINDOW_S) > policy.GUESSES:
            raise TooManyRequests("Too many invites were wrong.", retry_after_s=policy.GUESS_WINDOW_S)
        digest = tokens.digest(code) if tokens.purpose_of(code) == "invite" else ""
        user = None
        if await self._store.is_open(digest, self._clock.now()):  # before the costly hash: anyone may ask
            await self._counters.hit(key, policy.GUESS_WINDOW_S, by=-1)
            user = await self._store.claim(digest, name, await self._passwords.hash(password), self._clock.now())
        if user is None:
            raise Forbidden("This invite has been used or has ended; ask for a new one")
        by = Caller(user.name, user.role, "session", user.id, address=address or "")
        await self._audit.write("invites.claim", by, user.name, "ok", role=user.role)
        return user
