"""People: the first admin, signing in and out, accounts and API tokens."""

from __future__ import annotations

from halext.accounts import policy, tokens
from halext.accounts.callers import Callers
from halext.accounts.passwords import Passwords
from halext.accounts.store import CredentialStore, PeopleStore, TokenStore
from halext.accounts.types import Caller, Counters, Permission, Role, TokenInfo, User
from halext.errors import Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated
from halext.storage.scope import Scope
from halext.types import Clock, UserId

SESSION_S = 30 * 24 * 3600.0
FIRST_ADMIN_CODE_S = 24 * 3600.0


class People:
    """What the doors ask about people.

    Where a method takes no caller, the door has checked the permission that it declared: `Permission.MANAGE_PEOPLE`
    for accounts. Every change that ends a right ends it at once in this process, and within a second in the others.
    """

    def __init__(self, scope: Scope, *, passwords: Passwords, counters: Counters, clock: Clock) -> None:
        self._scope = scope
        self._people = PeopleStore(scope)
        self._credentials = CredentialStore(scope)
        self._callers = Callers(self._credentials, clock)
        self._passwords = passwords
        self._counters = counters
        self._clock = clock

    async def run(self) -> None:
        """Write down once a minute when tokens were last used; runs until cancelled."""
        await self._callers.run()

    async def flush(self) -> None:
        """Write down what `run` would write next; for closing."""
        await self._callers.flush()

    async def caller_for(self, credential: str) -> Caller:
        """Who holds this API token or session. Raises `Unauthenticated`."""
        return await self._callers.caller_for(credential)

    async def count_failure(self, address: str) -> None:
        """One request from `address` had a wrong credential. Raises `TooManyRequests` when there are too many.

        A right one is never counted, nor turned away: nobody can shut out others who share the address.
        """
        key = f"credential:address:{policy.address_group(address)}"
        if await self._counters.hit(key, policy.CREDENTIAL_WINDOW_S) > policy.CREDENTIAL_FAILURES:
            raise TooManyRequests(
                "Too many requests with a wrong token; check it and wait a minute",
                retry_after_s=policy.CREDENTIAL_WINDOW_S,
            )

    async def caller_of(self, user_id: UserId) -> Caller | None:
        """This person as a caller, for what halext goes on doing in their name; None when they are gone or shut out."""
        user = await self._people.by_id(user_id)
        return None if user is None or user.disabled else Caller(user.name, user.role, "house", user.id)

    # --- the first admin ---

    async def has_admin(self) -> bool:
        """Whether someone can administer this halext."""
        return await self._people.has_admin()

    async def first_admin_code(self) -> str | None:
        """A new one-time code that makes the first admin, valid for a day, in place of an older one.

        None when there is an admin.
        """
        code = tokens.make("code")
        now = self._clock.now()
        is_made = await self._people.replace_first_admin_code(tokens.digest(code), now, now + FIRST_ADMIN_CODE_S)
        return code if is_made else None

    async def claim_first_admin(self, code: str, name: str, password: str) -> User:
        """Make the first admin; of several who try at once, one succeeds.

        Raises `Forbidden` for a code that is wrong, used or out of date, and `InvalidInput` for a name or password
        that won't do; then the code can be used again.
        """
        name = policy.clean_name(name)
        policy.check_password(password)
        digest = tokens.digest(code) if tokens.purpose_of(code) == "code" else ""
        user = None
        if await self._people.is_open(digest, self._clock.now()):  # before the costly hash: anyone may ask
            kept = await self._passwords.hash(password)
            user = await self._people.claim_first_admin(digest, name, kept, self._clock.now())
        if user is None:
            raise Forbidden("This link has been used or is out of date; start halext again to get a new one")
        return user

    # --- signing in and out ---

    async def sign_in(self, name: str, password: str, *, address: str | None = None) -> tuple[str, User]:
        """A new session token, to be shown to its owner's browser only, and whose it is.

        `address` is the peer that asks. Raises `Unauthenticated`, in the same words and after the same work for an
        unknown name, a wrong password and a disabled account, and `TooManyRequests` after some of them.
        """
        try:
            name = policy.clean_name(name)
        except InvalidInput:
            name = ""  # nobody is called that; the work is done all the same
        account_key = f"sign-in:name:{policy.name_key(name)}"
        address_key = f"sign-in:address:{policy.address_group(address)}" if address else None
        await self._count_attempt(account_key)
        if address_key:
            await self._count_attempt(address_key)
        session, user = await self._new_session(name, password)
        await self._counters.reset(account_key)
        if address_key:  # only this attempt: others from there may have failed on other accounts
            await self._counters.hit(address_key, policy.SIGN_IN_WINDOW_S, by=-1)
        return session, user

    async def sign_out(self, session_token: str) -> None:
        """End this session at once; nothing happens if it has ended already."""
        if tokens.purpose_of(session_token) == "session":
            await self._credentials.end_session(tokens.digest(session_token))
            self._callers.forget()

    async def _count_attempt(self, key: str) -> None:
        # Counted before the password is checked, so that attempts made at the same time all count.
        if await self._counters.hit(key, policy.SIGN_IN_WINDOW_S) > policy.SIGN_IN_FAILURES:
            raise TooManyRequests("Too many attempts; wait a minute", retry_after_s=policy.SIGN_IN_WINDOW_S)

    async def _new_session(self, name: str, password: str) -> tuple[str, User]:
        user, kept = await self._people.find(name) or (None, None)
        is_right, better = await self._passwords.verify(password, kept)
        if user is not None and kept is not None and is_right:
            session = tokens.make("session")
            now = self._clock.now()
            if await self._credentials.begin_session(
                user, tokens.digest(session), checked=kept, better=better, now=now, expires_at=now + SESSION_S
            ):
                return session, user
        raise Unauthenticated("The name or the password is wrong")

    # --- accounts ---

    async def add_user(self, name: str, role: Role, password: str | None = None) -> User:
        """A new account; without a password it can use API tokens only. Raises `AlreadyExists`, `InvalidInput`."""
        name = policy.clean_name(name)
        if password is not None:
            policy.check_password(password)
        kept = None if password is None else await self._passwords.hash(password)
        return await self._people.add(name, role, kept, self._clock.now())

    async def list_users(self) -> list[User]:
        """Everyone, by name."""
        return await self._people.users()

    async def set_role(self, name: str, role: Role) -> User:
        """Give a person another role. Raises `NotFound`, and `Conflict` for the last admin."""
        return self._changed(await self._people.set_role(name, role))

    async def set_password(self, name: str, password: str) -> User:
        """Give a person another password; all their sessions end. Raises `NotFound`, `InvalidInput`."""
        policy.check_password(password)
        return self._changed(await self._people.set_password(name, await self._passwords.hash(password)))

    async def set_disabled(self, name: str, *, disabled: bool) -> User:
        """Shut a person out, sessions and tokens too, or let them in again.

        Their sessions end for good; their tokens work again when they are let in. Raises `NotFound`, and `Conflict`
        for the last admin.
        """
        return self._changed(await self._people.set_disabled(name, disabled=disabled))

    def _changed(self, user: User) -> User:
        self._callers.forget()
        return user

    # --- API tokens ---

    async def create_token(
        self, caller: Caller, name: str, expires_in_s: float | None = None, *, for_user: str | None = None
    ) -> tuple[str, TokenInfo]:
        """A new API token, shown this once, for the caller or, by those who manage people, for someone else.

        Raises `InvalidInput`, `Forbidden` and `NotFound`.
        """
        name = policy.clean_name(name)
        if expires_in_s is not None and not 0 < expires_in_s < float("inf"):
            raise InvalidInput("A token's time is more than 0 seconds; leave it out for one that stays valid")
        owner = await self._token_owner(caller, for_user)
        token = tokens.make("token")
        now = self._clock.now()
        info = await self._tokens_in_reach(caller).add(
            owner,
            name,
            token_hash=tokens.digest(token),
            hint=tokens.hint(token),
            now=now,
            expires_at=None if expires_in_s is None else now + expires_in_s,
        )
        return token, info

    async def list_tokens(self, caller: Caller, *, everyone: bool = False) -> list[TokenInfo]:
        """The caller's tokens; with `everyone` (and always for `local`), all of them. Raises `Forbidden`."""
        return await TokenStore.for_caller(self._scope, caller, everyone=everyone).all()

    async def revoke_token(self, caller: Caller, token_id: int) -> None:
        """End a token at once: one's own, or anyone's for those who manage people. Raises `NotFound`."""
        await self._tokens_in_reach(caller).revoke(token_id)
        self._callers.forget()

    async def _token_owner(self, caller: Caller, for_user: str | None) -> User:
        if for_user is None and caller.user_id is None:
            raise InvalidInput("Say whose token it is to be: `halext token create NAME --user WHO`")
        if for_user is not None and policy.name_key(for_user) != policy.name_key(caller.name):
            policy.require(caller, Permission.MANAGE_PEOPLE)
        found = await self._people.find(for_user or caller.name)
        if found is None:
            raise NotFound("There is no user of this name; `halext user list` shows all")
        return found[0]

    def _tokens_in_reach(self, caller: Caller) -> TokenStore:
        return TokenStore.for_caller(self._scope, caller, everyone=policy.allowed(caller, Permission.MANAGE_PEOPLE))
