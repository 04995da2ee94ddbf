"""Who may do what, and which names and passwords will do."""

from __future__ import annotations

import ipaddress
import unicodedata

from halext.accounts.types import Caller, Permission, Role
from halext.errors import Forbidden, InvalidInput

NAME_MAX = 64
PASSWORD_MIN = 10
PASSWORD_MAX = 1024
"""Beyond that a password is no longer something that a person or a password manager made."""

SIGN_IN_FAILURES = 5
SIGN_IN_WINDOW_S = 60.0
"""So many failures in so much time, for one account or from one address, and then a pause."""

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
