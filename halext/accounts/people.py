"""People: the first admin, signing in and out, accounts and API tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from halext.accounts import jwts, policy, tokens
from halext.accounts.audit.types import STRANGER, Audit, Unrecorded
from halext.accounts.callers import Callers
from halext.accounts.jwts import Jwts
from halext.accounts.passwords import Passwords
from halext.accounts.sessions.policy import SESSION_S, origin
from halext.accounts.sessions.store import OwnSessions, SessionStore
from halext.accounts.sessions.types import Origin, Session
from halext.accounts.store import CredentialStore, PeopleStore, TokenStore
from halext.accounts.types import Caller, Counters, Permission, Role, TokenInfo, User
from halext.errors import Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated
from halext.storage.scope import Scope
from halext.types import Clock, UserId

FIRST_ADMIN_CODE_S = 24 * 3600.0


class People:
    """What the doors ask about people.

    Where a method takes no caller, the door has checked the permission that it declared: `Permission.MANAGE_PEOPLE`
    for accounts. Every change that ends a right ends it at once in this process, and within a second in the others.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        passwords: Passwords,
        counters: Counters,
        clock: Clock,
        signing_keys: Sequence[bytes] = (),
        audit: Audit | None = None,
    ) -> None:
        """`signing_keys` are for JWTs, the newest first; all processes of one halext have the same."""
        self._scope = scope
        self._people = PeopleStore(scope)
        self._sessions = SessionStore(scope)
        self._jwts = Jwts(signing_keys)
        self._callers = Callers(CredentialStore(scope), self._sessions, self._jwts, clock)
        self._passwords = passwords
        self._counters = counters
        self._clock = clock
        self._audit = audit or Unrecorded()

    async def run(self) -> None:
        """Write down once a minute when tokens were last used; runs until cancelled."""
        await self._callers.run()

    async def flush(self) -> None:
        """Write down what `run` would write next; for closing."""
        await self._callers.flush()

    async def caller_for(self, credential: str) -> Caller:
        """Who holds this API token, session or JWT. Raises `Unauthenticated`."""
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
            self._audit.record("people.first-admin", STRANGER, "", "denied")
            raise Forbidden("This link has been used or is out of date; start halext again to get a new one")
        await self._audit.write("people.first-admin", Caller(user.name, user.role, "session", user.id), user.name)
        return user

    # --- signing in and out ---

    async def sign_in(
        self, name: str, password: str, *, address: str | None = None, user_agent: str = "", for_jwt: bool = False
    ) -> tuple[str, User]:
        """A new session token, to be shown to its owner's browser only, and whose it is.

        `address` is the peer that asks; a session `for_jwt` lives as long as one does. Raises `Unauthenticated`, in
        the same words and after the same work for an unknown name, a wrong password and a disabled account, and
        `TooManyRequests` after some of them.
        """
        here = address or ""
        try:
            session, user = await self._sign_in(name, password, origin(address, user_agent), for_jwt=for_jwt)
        except Unauthenticated:
            stranger = replace(STRANGER, address=here)
            self._audit.record("people.sign-in", stranger, await self._account(name), "failed")
            raise
        except TooManyRequests:
            self._audit.record("people.sign-in", replace(STRANGER, address=here), "", "denied", why="too-many")
            raise
        await self._audit.write("people.sign-in", Caller(user.name, user.role, "session", user.id, address=here))
        return session, user

    async def _account(self, name: str) -> str:
        """Whose account that is; "" for nobody's, since what was typed for a name may have been a password."""
        with suppress(InvalidInput):
            if (known := await self._people.find(policy.clean_name(name))) is not None:
                return known[0].name
        return ""

    async def _sign_in(self, name: str, password: str, at: Origin, *, for_jwt: bool) -> tuple[str, User]:
        try:
            name = policy.clean_name(name)
        except InvalidInput:
            name = ""  # nobody is called that; the work is done all the same
        account_key = f"sign-in:name:{policy.name_key(name)}"
        address_key = f"sign-in:address:{policy.address_group(at.address)}" if at.address else None
        await self._count_attempt(account_key)
        if address_key:
            await self._count_attempt(address_key)
        life_s = jwts.LIFE_S if for_jwt else SESSION_S
        session, user = await self._new_session(name, password, at, life_s)
        await self._counters.reset(account_key)
        if address_key:  # only this attempt: others from there may have failed on other accounts
            await self._counters.hit(address_key, policy.SIGN_IN_WINDOW_S, by=-1)
        return session, user

    async def sign_out(self, credential: str) -> None:
        """End this session at once, or the one that a JWT was made from; nothing happens if it has ended already."""
        if jwts.is_one(credential):
            await self._jwts.ready()
            claims = self._jwts.read(credential, self._clock.now())
            digest = claims.digest if claims.source == "session" else ""
        else:
            digest = tokens.digest(credential) if tokens.purpose_of(credential) == "session" else ""
        if digest:
            await self._sessions.end(digest)
            self._callers.forget()

    async def access_token(self, credential: str, scopes: Collection[str] | None = None) -> tuple[str, float]:
        """A JWT with the rights of this session or API token, or with some of them, and when it runs out.

        It ends with what it was made from. Raises `Unauthenticated`, `InvalidInput`, and `Forbidden` for a JWT, which
        would live for ever that way.
        """
        if jwts.is_one(credential):
            raise Forbidden("A JWT makes no other one; use the API token, or sign in again")
        await self._jwts.ready()
        known = await self._callers.known(credential)
        carried = None if scopes is None else policy.named_rights(known.caller, scopes)
        return self._jwts.make(known.user_id, known.source, known.digest, carried, self._clock.now())

    async def _count_attempt(self, key: str) -> None:
        # Counted before the password is checked, so that attempts made at the same time all count.
        if await self._counters.hit(key, policy.SIGN_IN_WINDOW_S) > policy.SIGN_IN_FAILURES:
            raise TooManyRequests("Too many attempts; wait a minute", retry_after_s=policy.SIGN_IN_WINDOW_S)

    async def _new_session(self, name: str, password: str, place: Origin, life_s: float) -> tuple[str, User]:
        user, kept = await self._people.find(name) or (None, None)
        is_right, better = await self._passwords.verify(password, kept)
        if user is not None and kept is not None and is_right:
            session = tokens.make("session")
            now = self._clock.now()
            if await self._sessions.begin(
                user,
                tokens.digest(session),
                checked=kept,
                better=better,
                now=now,
                expires_at=now + life_s,
                origin=place,
            ):
                return session, user
        raise Unauthenticated("The name or the password is wrong")

    # --- one's own sign-ins ---

    async def sessions(self, caller: Caller) -> list[Session]:
        """The caller's sign-ins that have not ended, the newest first. Raises `InvalidInput` for who has no account."""
        return await self._own(caller).all(self._clock.now())

    async def end_session(self, caller: Caller, number: int) -> None:
        """End one of the caller's sign-ins. Raises `NotFound`, for another's just as for none."""
        await self._own(caller).end(number)
        self._callers.forget()

    async def sign_out_everywhere(self, caller: Caller) -> None:
        """End all of the caller's sign-ins, also this one, with the JWTs that were made from them."""
        await self._own(caller).end_all()
        self._callers.forget()

    async def change_password(self, caller: Caller, current: str, password: str) -> None:
        """Replace the caller's own password and end all other sign-ins, and every JWT that was made from this one.

        Raises `Forbidden` for a wrong current password, `TooManyRequests` after some of them, and `InvalidInput`.
        """
        policy.check_password(password)
        own = self._own(caller)
        key = f"change-password:{caller.user_id}"
        await self._count_attempt(key)
        _, kept = await self._people.find(caller.name) or (None, None)
        is_right, _ = await self._passwords.verify(current, kept)
        renewed = await self._passwords.hash(password) if is_right else ""
        is_done = (
            kept is not None
            and is_right
            and await own.renew_password(caller.session, checked=kept, password_hash=renewed, now=self._clock.now())
        )
        if not is_done:
            raise Forbidden("The current password is wrong")
        self._callers.forget()
        await self._counters.reset(key)

    def _own(self, caller: Caller) -> OwnSessions:
        if caller.user_id is None:
            raise InvalidInput("Sign-ins belong to a person: sign in, or use `halext user sign-out NAME`.")
        return OwnSessions(self._scope, caller.user_id)

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

    async def named(self, name: str) -> User:
        """The person of this name. Raises `NotFound`."""
        if (found := await self._people.find(name)) is None:
            raise NotFound("There is no user of this name; `halext user list` shows all")
        return found[0]

    async def sign_out_user(self, name: str) -> User:
        """End all sign-ins of a person. Raises `NotFound`."""
        user = await self.named(name)
        await OwnSessions(self._scope, user.id).end_all()
        return self._changed(user)

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
        self,
        caller: Caller,
        name: str,
        expires_in_s: float | None = None,
        *,
        for_user: str | None = None,
        scopes: Collection[str] | None = None,
    ) -> tuple[str, TokenInfo]:
        """A new API token, shown this once, for the caller or, by those who manage people, for someone else.

        `scopes` are the rights that it carries: `use` and `own` if none are named, `all` for all of its owner's, now
        and later. Raises `InvalidInput`, `Forbidden`, `SignInAgain` and `NotFound`.
        """
        name = policy.clean_name(name)
        if expires_in_s is not None and not 0 < expires_in_s < float("inf"):
            raise InvalidInput("A token's time is more than 0 seconds; leave it out for one that stays valid")
        owner = await self._token_owner(caller, for_user)
        now = self._clock.now()
        carried = policy.token_scopes(caller, owner.role, scopes, now)
        token = tokens.make("token")
        info = await self._tokens_in_reach(caller).add(
            owner,
            name,
            token_hash=tokens.digest(token),
            hint=tokens.hint(token),
            now=now,
            expires_at=None if expires_in_s is None else now + expires_in_s,
            scopes=carried,
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
            policy.require_fresh(caller, Permission.MANAGE_PEOPLE, self._clock.now())  # it opens another's account
        return await self.named(for_user or caller.name)

    def _tokens_in_reach(self, caller: Caller) -> TokenStore:
        return TokenStore.for_caller(self._scope, caller, everyone=policy.allowed(caller, Permission.MANAGE_PEOPLE))
