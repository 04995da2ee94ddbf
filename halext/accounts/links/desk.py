"""Linking: a person shows their code in a chat, and from then on halext knows them there."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace

from halext.accounts import tokens
from halext.accounts.links import policy
from halext.accounts.links.store import ClaimStore, LinkStore
from halext.accounts.links.types import ChatAccount, Link, LinkCode
from halext.accounts.types import Caller, Counters
from halext.errors import Forbidden, InvalidInput, TooManyRequests
from halext.storage.scope import Scope
from halext.types import Clock, UserId

CallerOf = Callable[[UserId], Awaitable[Caller | None]]


class Links:
    """Chat accounts and the people whom they belong to. An account is one person's; a person may have many."""

    def __init__(self, scope: Scope, caller_of: CallerOf, counters: Counters, clock: Clock) -> None:
        """`caller_of` knows people by their number; None for those who are gone or shut out."""
        self._scope = scope
        self._caller_of = caller_of
        self._claims = ClaimStore(scope)
        self._counters = counters
        self._clock = clock

    # --- for people ---

    async def code(self, caller: Caller) -> LinkCode:
        """A new code for the caller, in place of the one before; it works once, for ten minutes.

        Raises `InvalidInput` for callers without an account, and `Forbidden` for a person who is shut out.
        """
        if await self._caller_of(_person(caller)) is None:
            raise Forbidden(f"{caller.name} is shut out; `halext user enable {caller.name}` lets them in again.")
        characters = "".join(secrets.choice(policy.ALPHABET) for _ in range(policy.LENGTH))
        expires_at = self._clock.now() + policy.LIFE_S
        await self._of(caller).keep_code(tokens.digest(characters), expires_at)
        return LinkCode(policy.shown(characters), expires_at)

    async def links(self, caller: Caller) -> list[Link]:
        """The caller's chat accounts. Raises `InvalidInput` for callers without an account."""
        return await self._of(caller).all()

    async def unlink(self, caller: Caller, platform: str, account: str) -> None:
        """End a link; who writes from there is a stranger at once. Raises `NotFound`."""
        await self._of(caller).remove(platform, account)

    # --- for the doors ---

    async def caller_for(self, account: ChatAccount) -> Caller | None:
        """Who writes from this account; None for a stranger and for someone who is shut out."""
        return await self._caller(await self._claims.owner(account))

    async def claim(self, account: ChatAccount, code: str) -> Caller:
        """Link an account to whoever the code was made for; an account that was another's moves.

        Raises `Forbidden` for a code that is wrong, used or out of date, in the same words, and `TooManyRequests`
        after some of them.
        """
        account = policy.check(account)
        await self._count(f"link:{account.platform}:{account.id}", policy.GUESSES)
        await self._count(f"link:{account.platform}", policy.GUESSES_IN_ALL)
        characters = policy.typed(code)
        owner = None
        if characters is not None:
            owner = await self._claims.claim(account, tokens.digest(characters), self._clock.now())
        caller = await self._caller(owner)
        if caller is None:
            raise Forbidden("This code is wrong, used or out of date; get a new one on your account's page.")
        for key in (f"link:{account.platform}:{account.id}", f"link:{account.platform}"):
            await self._counters.hit(key, policy.GUESS_WINDOW_S, by=-1)
        return caller

    async def void(self, code: str) -> None:
        """End a code that others may have read."""
        if (characters := policy.typed(code)) is not None:
            await self._claims.void(tokens.digest(characters))

    async def _count(self, key: str, most: int) -> None:
        # Counted before the code is looked up, so that guesses made at the same time all count.
        if await self._counters.hit(key, policy.GUESS_WINDOW_S) > most:
            raise TooManyRequests("Too many codes were wrong.", retry_after_s=policy.GUESS_WINDOW_S)

    async def _caller(self, owner: UserId | None) -> Caller | None:
        known = None if owner is None else await self._caller_of(owner)
        return None if known is None else replace(known, credential="link")

    def _of(self, caller: Caller) -> LinkStore:
        return LinkStore(self._scope, _person(caller))


def _person(caller: Caller) -> UserId:
    if caller.user_id is None:
        raise InvalidInput("Chat accounts belong to a person: sign in, or use `halext user link NAME`.")
    return caller.user_id
