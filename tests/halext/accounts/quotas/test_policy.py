"""Which limits apply and what is said, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.quotas import policy
from halext.accounts.quotas.types import Claim, Count, Limits, Measure, Refusal, Subject
from halext.accounts.types import LOCAL, Caller, Credential, Role
from halext.errors import InvalidInput
from halext.types import UserId, WorkspaceId

MIA, TEAM, GUESTS = Subject("user", "2"), Subject("workspace", "7"), Subject("role", "guest")


@pytest.mark.parametrize("credential", ["session", "token", "link", "house"])
@pytest.mark.parametrize("role", Role)
def test_a_person_is_one_whatever_they_show(credential: Credential, role: Role) -> None:
    assert policy.subjects(Caller("Mia", role, credential, UserId(2))) == (MIA,)


def test_whose_account_a_request_runs_on() -> None:
    assert policy.subjects(LOCAL) == ()
    assert policy.subjects(Caller("halext", Role.ADMIN, "house", workspace=WorkspaceId(7))) == (TEAM,)
    assert policy.subjects(Caller("Mia", Role.MEMBER, "token", UserId(2), workspace=WorkspaceId(7))) == (MIA, TEAM)
    assert policy.subjects(Caller("somebody", Role.GUEST, "link")) == (Subject("user", "name:somebody"),)


@pytest.mark.parametrize(
    ("subject", "role", "known", "tokens", "images"),
    [
        (MIA, Role.MEMBER, {}, None, None),
        (MIA, Role.ADMIN, {}, None, None),
        (MIA, Role.GUEST, {}, 50_000, 5),
        (MIA, Role.GUEST, {GUESTS: {Measure.TOKENS: 7}}, 7, 5),
        (MIA, Role.GUEST, {GUESTS: {Measure.TOKENS: None}, MIA: {Measure.IMAGES: 0}}, None, 0),
        (MIA, Role.MEMBER, {GUESTS: {Measure.TOKENS: 7}}, None, None),
        (MIA, Role.GUEST, {MIA: {Measure.TOKENS: 90_000}}, 90_000, 5),
        (GUESTS, Role.GUEST, {GUESTS: {Measure.TOKENS: 7}, Subject("user", "guest"): {Measure.TOKENS: 1}}, 7, 5),
        (TEAM, Role.GUEST, {GUESTS: {Measure.TOKENS: 7}}, None, None),
        (TEAM, Role.GUEST, {TEAM: {Measure.TOKENS: 7}}, 7, None),
    ],
)
def test_ones_own_limits_come_before_those_of_the_role(
    subject: Subject, role: Role, known: dict[Subject, Limits], tokens: int | None, images: int | None
) -> None:
    found = policy.limits_for(subject, role, known)
    assert set(found) == set(Measure)
    assert (found[Measure.TOKENS], found[Measure.IMAGES]) == (tokens, images)


def test_only_what_is_limited_and_asked_for_is_claimed_in_one_order() -> None:
    limits = [
        (TEAM, {**policy.UNLIMITED, Measure.TOKENS: 9}),
        (MIA, {**policy.UNLIMITED, Measure.REQUESTS: 2, Measure.IMAGES: 3, Measure.GPU_SECONDS: 4}),
    ]
    wanted = {Measure.TOKENS: 40, Measure.REQUESTS: 1, Measure.GPU_SECONDS: 0}
    assert policy.claims(limits, wanted) == (
        Claim(MIA, Measure.GPU_SECONDS, 4, 0, policy.GPU_LEAST),
        Claim(MIA, Measure.REQUESTS, 2, 1, 1),
        Claim(TEAM, Measure.TOKENS, 9, 40, 1),
    )
    assert policy.claims(limits[:0], wanted) == ()
    assert policy.claims([(MIA, policy.UNLIMITED)], wanted) == ()


@given(now=st.floats(0, 4e9), measure=st.sampled_from(Measure))
def test_every_moment_is_in_one_minute_and_one_day(now: float, measure: Measure) -> None:
    began, length = policy.began(measure, now), policy.length_s(measure)
    assert began <= now < began + length
    assert began % length == 0
    assert 0 < policy.resets_in_s(measure, now) <= length


@pytest.mark.parametrize(
    ("prompt", "bound", "held"), [(0, 0, 1), (10, 5, 15), (10, None, 1034), (10, -1, 1034), (0, None, 1024)]
)
def test_what_is_held_for_an_answer(prompt: int, bound: int | None, held: int) -> None:
    assert policy.answer_tokens(prompt, bound) == held


@pytest.mark.parametrize(
    ("claim", "count", "says", "after_s"),
    [
        (
            Claim(MIA, Measure.TOKENS, 50_000, 900, 1),
            Count(50_000),
            "Your 50,000 tokens a day are spent; there are new ones at midnight UTC.",
            99.0,
        ),
        (
            Claim(MIA, Measure.REQUESTS, 10, 1, 1),
            Count(10),
            "Your 10 requests a minute are spent; there are new ones in the next minute.",
            99.0,
        ),
        (Claim(MIA, Measure.IMAGES, 0, 1, 1), Count(), "Your quota allows no images.", 99.0),
        (
            Claim(TEAM, Measure.GPU_SECONDS, 600, 0, 0.001),
            Count(600.5),
            "The workspace's 600 GPU seconds a day are spent; there are new ones at midnight UTC.",
            99.0,
        ),
        (
            Claim(MIA, Measure.IMAGES, 5, 4, 4),
            Count(3),
            (
                "Your 5 images a day are nearly spent: this asks for 4, and 2 are left; "
                "there are new ones at midnight UTC."
            ),
            99.0,
        ),
        (
            Claim(MIA, Measure.TOKENS, 100, 9, 1),
            Count(20, 80),
            "Your 100 tokens a day are promised to requests that still run; come back when they have ended.",
            policy.RUNNING_RETRY_S,
        ),
    ],
)
def test_what_is_spent_and_when_there_is_more(claim: Claim, count: Count, says: str, after_s: float) -> None:
    refusal = Refusal(claim, count, 99.0)
    assert (policy.sentence(refusal), policy.retry_after_s(refusal)) == (says, after_s)


@pytest.mark.parametrize(
    ("most", "is_fine"), [(None, True), (0, True), (policy.MOST, True), (-1, False), (10**13, False)]
)
def test_limits_are_numbers_of_things(most: int | None, *, is_fine: bool) -> None:
    if is_fine:
        policy.check({Measure.TOKENS: most})
        return
    with pytest.raises(InvalidInput):
        policy.check({Measure.TOKENS: most})
