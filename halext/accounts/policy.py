"""Who may do what, and which names and passwords will do."""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Collection

from halext.accounts.types import Caller, Permission, Role
from halext.errors import Forbidden, InvalidInput, SignInAgain

NAME_MAX = 64
PASSWORD_MIN = 10
PASSWORD_MAX = 1024
"""Beyond that a password is no longer something that a person or a password manager made."""

SIGN_IN_FAILURES = 5
SIGN_IN_WINDOW_S = 60.0
"""So many failures in so much time, for one account or from one address, and then a pause."""

FRESH_S = 3600.0
"""So long after a sign-in one may do what changes who gets in, and where secrets go."""
CREDENTIAL_FAILURES = 20
CREDENTIAL_WINDOW_S = 60.0
"""So many requests with a wrong token or session in so much time from one address. A page that was left open with a
session that is over sends a few; nobody else has a reason to."""

_EVERYONE = frozenset({Permission.PUBLIC, Permission.USE, Permission.OWN, Permission.ACCOUNT})
PERMISSIONS = {Role.GUEST: _EVERYONE, Role.MEMBER: _EVERYONE, Role.ADMIN: frozenset(Permission)}
"""What each role allows. Members and guests differ in their quotas, not in their rights."""


def allowed(caller: Caller | None, permission: Permission) -> bool:
    """Whether this caller (None: a stranger) has that right: by the role, and by the scopes of the credential, if any.

    Never by a name or an id.
    """
    if caller is None:
        return permission is Permission.PUBLIC
    in_scope = caller.scopes is None or permission is Permission.PUBLIC or permission in caller.scopes
    return in_scope and permission in PERMISSIONS[caller.role]


def require(caller: Caller, permission: Permission) -> None:
    """Raise `Forbidden` unless this caller has that right."""
    if not allowed(caller, permission):
        raise Forbidden(f"This needs the right “{permission}”, which {caller.name} does not have; ask an administrator")


def rights(caller: Caller) -> frozenset[Permission]:
    """All that this caller may do."""
    return PERMISSIONS[caller.role] if caller.scopes is None else PERMISSIONS[caller.role] & caller.scopes


def require_role(caller: Caller, role: Role) -> None:
    """Raise `Forbidden` unless this caller may make somebody a `role`: nobody makes more of others than they are."""
    if missing := PERMISSIONS[role] - _EVERYONE - rights(caller):
        raise Forbidden(f"Only who has the right “{min(missing)}” makes someone {role}")


def is_fresh(caller: Caller, permission: Permission, now: float) -> bool:
    """Whether this caller's use of a right may pass where a browser that was left open must not be enough.

    A sign-in may for an hour; a token may if it names the right, since somebody gave it that on purpose.
    """
    if caller.credential in {"local", "house"}:
        return True
    if caller.signed_in_at is not None:
        return now - caller.signed_in_at < FRESH_S
    return caller.credential in {"token", "jwt"} and caller.scopes is not None and permission in caller.scopes


def require_fresh(caller: Caller, permission: Permission, now: float) -> None:
    """Raise `SignInAgain` unless `is_fresh`."""
    if not is_fresh(caller, permission, now):
        if caller.signed_in_at is None:
            raise SignInAgain(f"This needs a new sign-in, or a token that names the right “{permission}”.")
        raise SignInAgain


def named_rights(caller: Caller, names: Collection[str]) -> frozenset[Permission]:
    """The rights of these names. Raises `InvalidInput` for what is none, `Forbidden` for one the caller has not."""
    named = frozenset(map(_right, sorted(names))) - {Permission.PUBLIC}
    if not named:
        raise InvalidInput("Name at least one right that it is to carry")
    if missing := named - rights(caller):
        raise Forbidden(f"You do not have the right “{min(missing)}” to give away")
    return named


def token_scopes(
    caller: Caller, owner: Role, names: Collection[str] | None, now: float
) -> frozenset[Permission] | None:
    """What a new token carries: `use` and `own` if nothing is named; None, all of its owner's rights, for `all`.

    A credential never makes a stronger one. Raises `InvalidInput` for what is no right or not the owner's, `Forbidden`
    for one that the caller does not have, and `SignInAgain` for one that needs a fresh sign-in.
    """
    is_all = names is not None and "all" in names
    if is_all and caller.scopes is not None:
        raise Forbidden("What you came in with does not carry all rights; name those that the token is to have")
    wanted = named_rights(caller, PERMISSIONS[owner] if is_all else {"use", "own"} if names is None else names)
    if missing := wanted - PERMISSIONS[owner]:
        raise InvalidInput(f"The token's owner is a {owner}, who does not have the right “{min(missing)}”")
    for right in sorted(wanted - _EVERYONE):
        require_fresh(caller, right, now)
    return None if is_all else wanted


def narrowed(scopes: frozenset[Permission] | None, by: frozenset[Permission] | None) -> frozenset[Permission] | None:
    """What is in both, where None is everything."""
    if scopes is None or by is None:
        return by if scopes is None else scopes
    return scopes & by


def _right(name: str) -> Permission:
    try:
        return Permission(name)
    except ValueError:
        known = ", ".join(right for right in Permission if right is not Permission.PUBLIC)
        raise InvalidInput(
            f"There is no right “{name[:NAME_MAX]}”; there are {known}, and all of them as `all`"
        ) from None


def clean_name(name: str) -> str:
    """The name as it is kept: NFKC, without outer spaces. Raises `InvalidInput` for one that can't be shown safely."""
    clean = unicodedata.normalize("NFKC", name).strip()
    if not 1 <= len(clean) <= NAME_MAX:
        raise InvalidInput(f"A name has 1 to {NAME_MAX} characters")
    # Categories C*: control characters, invisible and direction marks, surrogates, unassigned; Zl, Zp: line breaks.
    if any(unicodedata.category(character)[0] == "C" or character in "\u2028\u2029" for character in clean):
        raise InvalidInput("A name has no control, invisible or direction characters")
    return clean


def name_key(name: str) -> str:
    """What must be unique: two names with the same key are the same name to a reader."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())


def check_password(password: str) -> None:
    """Raise `InvalidInput` for a password that is too short to keep anyone out, or absurdly long."""
    if len(password) < PASSWORD_MIN:
        raise InvalidInput(f"A password has at least {PASSWORD_MIN} characters; a few words in a row are a good one")
    if len(password) > PASSWORD_MAX:
        raise InvalidInput(f"A password has at most {PASSWORD_MAX} characters")


def address_group(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one, all of which one customer holds."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)
