"""The rule of rights, written a second time and in few words: it judges the code, and shares nothing with it.

A request is done when the caller is known, has the declared right, and names what is theirs or everyone's. What belongs
to somebody else is as if it were not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

EVERYONE = frozenset({"public", "use", "own", "account"})
ROLES = {
    "guest": EVERYONE,
    "member": EVERYONE,
    "admin": EVERYONE | {"manage-nodes", "manage-people", "manage-keys", "see-house"},
}
"""Role → rights. A new right needs its place here, or the matrix fails."""
PERSONAL = frozenset({"own", "account"})
"""Rights over what is one person's; the owner of the machine, who has no account, has nothing of the kind."""


class Whose(StrEnum):
    """What a request names."""

    NOTHING = "no id"
    OWN = "own"
    OTHERS = "other's"
    HOUSE = "the house's"
    MISSING = "missing"
    MALFORMED = "malformed"


class Outcome(Enum):
    """What becomes of a request: the statuses that it may be answered with."""

    DONE = frozenset(range(200, 400))
    UNKNOWN = frozenset({401})
    FORBIDDEN = frozenset({403})
    MISSING = frozenset({404})
    UNREADABLE = frozenset({400, 404, 422})
    NOBODYS = frozenset({400, 403, 404, 422})
    """The caller has no account, so that there is nothing which could be theirs."""
    SAID = frozenset({*range(200, 400), 400, 403, 404, 422})
    """Done for nobody, or refused with what is missing: what the owner of the machine gets from pages of people."""

    @property
    def is_refusal(self) -> bool:
        """Nothing may have changed."""
        return self not in {Outcome.DONE, Outcome.SAID}


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody, and how they show who they are."""

    name: str
    shown: str
    """The kind of credential: `none`, `cookie`, `bearer`, `basic`, `local`, `chat`."""
    rights: frozenset[str] | None
    """None for strangers, and for those who are shut out."""
    scopes: frozenset[str] | None = None
    """What the credential is limited to."""
    has_account: bool = True

    def __str__(self) -> str:
        limits = "" if self.scopes is None else f" limited to {', '.join(sorted(self.scopes)) or 'nothing'}"
        return f"{self.name} by {self.shown}{limits}"

    def may(self, right: str) -> bool:
        """By the role and by the limits of the credential."""
        if right == "public":
            return True
        return self.rights is not None and right in self.rights and (self.scopes is None or right in self.scopes)


def expected(subject: Subject, right: str, whose: Whose, reach: str | None = None) -> Outcome:
    """What must become of a request; `reach` is the right that makes others' things of this kind reachable."""
    if not subject.may(right):
        return Outcome.UNKNOWN if subject.rights is None else Outcome.FORBIDDEN
    reaches = reach is not None and subject.may(reach)
    if not subject.has_account and right in PERSONAL and not reaches:
        return Outcome.SAID if whose is Whose.NOTHING else Outcome.NOBODYS
    if whose is Whose.MALFORMED:
        return Outcome.UNREADABLE
    if whose is Whose.MISSING or (whose is Whose.OTHERS and not reaches):
        return Outcome.MISSING
    return Outcome.DONE


def who(right: str) -> str:
    """In the words of docs/access.md."""
    if right == "public":
        return "anyone"
    return ", ".join(f"{role}s" for role, rights in ROLES.items() if right in rights)
