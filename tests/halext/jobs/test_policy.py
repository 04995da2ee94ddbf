from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import (
    AllBusy,
    BadAnswer,
    Conflict,
    DatabaseUnavailable,
    Forbidden,
    HalextError,
    Interrupted,
    InvalidInput,
    NoNodeOnline,
    TooLarge,
    TooManyRequests,
    UnknownModel,
)
from halext.jobs import policy
from halext.jobs.types import Draft, Job, JobId, JobState
from halext.types import UserId


def a_job(state: JobState = JobState.RUNNING, attempts: int = 1) -> Job:
    return Job(
        id=JobId(1),
        kind="echo",
        owner_id=UserId(1),
        workspace=None,
        name="",
        key=None,
        state=state,
        priority=10,
        payload={"secret": "words"},
        run_at=0.0,
        attempts=attempts,
        max_attempts=3,
        result=None,
        failure=None,
        progress=0.0,
        note="",
        is_cancelling=False,
        created_at=0.0,
        started_at=None,
        finished_at=None,
    )


def test_whose_jobs() -> None:
    assert policy.owner(Caller("Ann", Role.MEMBER, "token", UserId(7))) == 7
    with pytest.raises(InvalidInput, match="belong to a person"):
        policy.owner(LOCAL)


def test_a_draft_as_it_is_kept() -> None:
    draft, size = policy.clean(Draft("echo", {"say": "ü"}, name="  my \n batch "))
    assert (draft.name, size) == ("my batch", len('{"say": "\\u00fc"}'))


@pytest.mark.parametrize(
    ("draft", "error"),
    [
        (Draft("echo", {"say": "x" * policy.PAYLOAD_MAX}), TooLarge),
        (Draft("echo", {}, name="x" * 101), InvalidInput),
        (Draft("echo", {}, name="a\0b"), InvalidInput),
        (Draft("echo", {}, key=""), InvalidInput),
        (Draft("echo", {}, key="x" * 111), InvalidInput),
        (Draft("echo", {}, key="a\nb"), InvalidInput),
        (Draft("echo", {}, expires_in_s=0), InvalidInput),
        (Draft("echo", {}, expires_in_s=float("inf")), InvalidInput),
        (Draft("echo", {}, expires_in_s=float("nan")), InvalidInput),
    ],
)
def test_what_is_no_job(draft: Draft, error: type[HalextError]) -> None:
    with pytest.raises(error):
        policy.clean(draft)


def test_a_batch_has_a_key_per_place() -> None:
    drafts = policy.batch(" labels  v1 ", [Draft("echo", {}), Draft("echo", {})])
    assert [(draft.name, draft.key) for draft in drafts] == [("labels v1", "labels v1/0"), ("labels v1", "labels v1/1")]
    longest = policy.batch("x" * policy.NAME_MAX, [Draft("echo", {})] * policy.BATCH_MAX)
    policy.clean(longest[-1])
    for name, many in (("", 1), ("x", 0), ("x", policy.BATCH_MAX + 1)):
        with pytest.raises(InvalidInput):
            policy.batch(name, [Draft("echo", {})] * many)


def test_room() -> None:
    policy.check_room(0, 0, policy.QUEUED_MAX, policy.QUEUED_BYTES_MAX)
    with pytest.raises(TooManyRequests, match=r"1 jobs of yours are waiting, and 20,000 may"):
        policy.check_room(1, 0, policy.QUEUED_MAX, 0)
    with pytest.raises(TooManyRequests, match="256 MB"):
        policy.check_room(0, 1, 1, policy.QUEUED_BYTES_MAX)


def test_a_page_is_no_larger_than_memory_allows() -> None:
    sizes = [(JobId(number), policy.PAGE_BYTES // 2) for number in range(5)]
    assert policy.fitting(sizes) == [0, 1]
    assert policy.fitting([(JobId(7), policy.PAGE_BYTES * 2), *sizes]) == [7]
    assert policy.fitting([]) == []


@pytest.mark.parametrize("state", list(JobState))
def test_what_can_be_tried_again(state: JobState) -> None:
    if state in policy.AGAIN:
        policy.check_again(a_job(state))
    else:
        with pytest.raises(Conflict, match=str(state)):
            policy.check_again(a_job(state))
    assert set(policy.AGAIN) < set(policy.ENDED)


@pytest.mark.parametrize(
    ("error", "attempts", "retry_in_s", "counts"),
    [
        (NoNodeOnline(), 1, 5.0, False),
        (NoNodeOnline(), 3, 20.0, False),
        (AllBusy(retry_after_s=90.0), 50, 600.0, False),
        (TooManyRequests(retry_after_s=86_400.0), 1, 86_400.0, False),
        (DatabaseUnavailable(), 3, 20.0, False),
        (BadAnswer(), 1, 5.0, True),
        (Interrupted(), 2, 10.0, True),
        (BadAnswer(), 3, None, True),
        (BadAnswer(), 4, None, True),
        (UnknownModel(), 1, None, True),
        (Forbidden(), 1, None, True),
        (RuntimeError("secret"), 1, None, True),
    ],
)
def test_after_a_failure(error: Exception, attempts: int, retry_in_s: float | None, counts: bool) -> None:
    verdict = policy.after(error, a_job(attempts=attempts))
    assert (verdict.retry_in_s, verdict.counts) == (retry_in_s, counts)
    assert "secret" not in verdict.failure.message


def test_what_is_told_fits_the_table() -> None:
    assert policy.after(BadAnswer("a\0b" + "x" * 5_000), a_job()).failure.message == "ab" + "x" * 998
    assert "5,000 KB" in policy.too_large(5_000 * 1024).message


@given(st.integers(-5, 10_000))
def test_the_delay_grows_to_a_limit(attempts: int) -> None:
    assert policy.RETRY_BASE_S <= policy.delay(attempts) <= policy.delay(attempts + 1) <= policy.RETRY_MAX_S


def test_nobody_sees_what_was_ordered_in_a_log() -> None:
    assert "words" not in repr(a_job())
