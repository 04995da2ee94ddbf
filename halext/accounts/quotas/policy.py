"""Which limits apply, what a request has to claim, and what is said when there is nothing left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from halext.accounts.quotas.types import Amounts, Claim, Limits, Measure, Refusal, Subject
from halext.accounts.types import Caller, Role
from halext.errors import InvalidInput

MINUTE_S = 60
DAY_S = 86_400
MOST = 1_000_000_000_000
"""The largest limit; nobody needs more, and sums of it stay exact."""
DEFAULT_ANSWER_TOKENS = 1_024
"""What is held for an answer whose request names no bound: longer than most answers are."""
RUNNING_RETRY_S = 5.0
"""When to come back while all that is left is promised to requests that are still running."""

UNLIMITED: Limits = dict.fromkeys(Measure)
DEFAULTS: Mapping[Role, Limits] = {
    Role.ADMIN: UNLIMITED,
    Role.MEMBER: UNLIMITED,
    Role.GUEST: {
        Measure.REQUESTS: 10,
        Measure.TOKENS: 50_000,
        Measure.IMAGES: 5,
        Measure.GPU_SECONDS: 600,
    },
}
"""Until an administrator sets something else. A guest can try everything, and can't take the house from its people."""

WORDS = {
    Measure.REQUESTS: "requests a minute",
    Measure.TOKENS: "tokens a day",
    Measure.IMAGES: "images a day",
    Measure.GPU_SECONDS: "GPU seconds a day",
}
WHOLE = frozenset({Measure.REQUESTS, Measure.IMAGES})
"""Known exactly beforehand, so that more than is left is refused. Of the others the last request may take what is
left, and end a little over it: how long an answer becomes is known at its end."""
GPU_LEAST = 0.001
"""GPU seconds are not known beforehand: something must be left, and nothing is held."""


def subjects(caller: Caller) -> tuple[Subject, ...]:
    """On whose accounts a request runs: the person, however they proved who they are, and the workspace they chose.

    Empty for the owner of the machine and for halext's own work. Whoever else has no number is counted by name.
    """
    found = []
    if caller.user_id is not None:
        found.append(Subject("user", str(caller.user_id)))
    elif caller.role is not Role.ADMIN:
        found.append(Subject("user", f"name:{caller.name}"))
    if caller.workspace is not None:
        found.append(Subject("workspace", str(caller.workspace)))
    return tuple(found)


def limits_for(subject: Subject, role: Role, known: Mapping[Subject, Limits]) -> Limits:
    """All four limits of a subject: its own, where none is set its role's, and then the defaults here."""
    if subject.kind == "workspace":
        return {**UNLIMITED, **known.get(subject, {})}
    of_role = {**DEFAULTS[role], **known.get(Subject("role", role.value), {})}
    return {**of_role, **(known.get(subject, {}) if subject.kind == "user" else {})}


def claims(limits: Iterable[tuple[Subject, Limits]], wanted: Amounts) -> tuple[Claim, ...]:
    """What a request has to claim: nothing where there is no limit. In one order for everyone, against deadlocks."""
    found = []
    for subject, most in limits:
        for measure, amount in wanted.items():
            limit = most.get(measure)
            if limit is not None:
                found.append(Claim(subject, measure, limit, amount, least(measure, amount)))
    return tuple(sorted(found, key=lambda claim: (claim.subject, claim.measure)))


def least(measure: Measure, amount: float) -> float:
    """What must be left for a request that would take `amount`."""
    if measure in WHOLE:
        return amount
    return GPU_LEAST if measure is Measure.GPU_SECONDS else 1.0


def began(measure: Measure, now: float) -> int:
    """When the minute or day that is counted now began."""
    length = length_s(measure)
    return int(now // length) * length


def length_s(measure: Measure) -> int:
    """How long one count runs."""
    return MINUTE_S if measure is Measure.REQUESTS else DAY_S


def resets_in_s(measure: Measure, now: float) -> float:
    """How long until it is counted from 0 again."""
    return began(measure, now) + length_s(measure) - now


def answer_tokens(prompt: int, bound: int | None) -> int:
    """What is held for an answer: the text it is asked with, and the answer as long as it may become."""
    return max(1, prompt + (bound if bound is not None and bound >= 0 else DEFAULT_ANSWER_TOKENS))


def is_final(refusal: Refusal) -> bool:
    """Whether only time helps: what is used up stays so; what is held may come back."""
    return refusal.claim.most - refusal.count.used < refusal.claim.least


def sentence(refusal: Refusal) -> str:
    """What is spent, and when there is more."""
    claim, whose = refusal.claim, "The workspace's" if refusal.claim.subject.kind == "workspace" else "Your"
    if claim.most == 0:
        return f"{whose} quota allows no {WORDS[claim.measure].partition(' a ')[0]}."
    limit = f"{claim.most:,} {WORDS[claim.measure]}"
    if not is_final(refusal):
        return f"{whose} {limit} are promised to requests that still run; come back when they have ended."
    left = claim.most - refusal.count.used
    until = "there are new ones in the next minute" if claim.at_once else "there are new ones at midnight UTC"
    if claim.measure is Measure.IMAGES and left >= 1:
        return f"{whose} {limit} are nearly spent: this asks for {claim.wanted:.0f}, and {left:.0f} are left; {until}."
    return f"{whose} {limit} are spent; {until}."


def retry_after_s(refusal: Refusal) -> float:
    """When it is worth while to come back."""
    return refusal.resets_in_s if is_final(refusal) else min(RUNNING_RETRY_S, refusal.resets_in_s)


def check(limits: Limits) -> None:
    """Raise `InvalidInput` for a limit that is no number of things."""
    for measure, most in limits.items():
        if most is not None and not 0 <= most <= MOST:
            raise InvalidInput(f"{measure} is a whole number from 0 to {MOST:,}, or none.")
