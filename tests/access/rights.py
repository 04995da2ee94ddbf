"""The rule of rights, written a second time and in few words: it judges the code, and shares nothing with it.

A request is done when the caller is known, has the declared rights, and names what is theirs or everyone's. What
belongs to somebody else is as if it were not there. What is shared with them they read; members of the workspace change
it; only its owner deletes it and shares it. Where a fresh proof is demanded, the credential must be one.
"""

from __future__ import annotations

from collections.abc import Collection
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
    AS_MEMBER = "shared with members"
    AS_VIEWER = "shared with viewers"
    NO_LONGER = "shared no longer"
    HOUSE = "the house's"
    MISSING = "missing"
    MALFORMED = "malformed"


class Wants(StrEnum):
    """What a request is to do with what it names."""

    READ = "read"
    WRITE = "write"
    OWN = "delete, share, or decide who is in it"


SHARED = {
    Whose.AS_MEMBER: frozenset({Wants.READ, Wants.WRITE}),
    Whose.AS_VIEWER: frozenset({Wants.READ}),
    Whose.NO_LONGER: frozenset[Wants](),
}
"""What is done for those with whom something is shared."""
HIDDEN = frozenset({Whose.OTHERS, Whose.MISSING, Whose.NO_LONGER})
"""Nobody can tell these from each other."""


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
    """The kind of credential: `none`, `local`, `chat`, `cookie`, `old cookie` of a sign-in long ago, a token as
    `bearer` or `basic`, and a JWT: `jwt` of a sign-in, `token jwt` of a token."""
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

    def has_proved(self, right: str) -> bool:
        """A sign-in of late does, and a token that names the right; one that carries all its owner's does not."""
        return self.shown in {"cookie", "jwt", "local"} or (self.scopes is not None and right in self.scopes)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a route or command declares, and what it is to do."""

    rights: Collection[str]
    reach: str | None = None
    """The right that makes others' things of this kind reachable."""
    wants: Wants = Wants.WRITE
    is_fresh: bool = False
    """Whether it wants a proof that is fresh."""
    is_page: bool = False
    """Whether a page comes back, which shows what is the person's."""


def expected(subject: Subject, demand: Demand, whose: Whose) -> Outcome:
    """What must become of a request."""
    if not all(map(subject.may, demand.rights)):
        return Outcome.UNKNOWN if subject.rights is None else Outcome.FORBIDDEN
    if demand.is_fresh and not all(map(subject.has_proved, demand.rights)):
        return Outcome.FORBIDDEN
    reaches = demand.reach is not None and subject.may(demand.reach)
    if not subject.has_account and PERSONAL.intersection(demand.rights) and (demand.is_page or not reaches):
        return Outcome.SAID if reaches or whose is Whose.NOTHING else Outcome.NOBODYS
    if whose is Whose.MALFORMED:
        return Outcome.UNREADABLE
    if whose is Whose.MISSING or (whose in HIDDEN and not reaches):
        return Outcome.MISSING
    return Outcome.DONE if whose not in SHARED or demand.wants in SHARED[whose] else Outcome.FORBIDDEN


def who(rights: Collection[str]) -> str:
    """In the words of docs/access.md."""
    if set(rights) == {"public"}:
        return "anyone"
    return ", ".join(f"{role}s" for role, has in ROLES.items() if has >= set(rights))
