from __future__ import annotations

from typing import Any, cast

import pytest

from halext.accounts.types import Caller, Role
from halext.chat import later, policy
from halext.errors import BadAnswer, HalextError, InvalidInput, NoNodeOnline, TooLarge
from halext.gateway.dispatch import Gateway
from halext.jobs.types import Job, JobId, JobState, Result
from halext.messages import ChatRequest, Message, Sampling
from halext.types import Json, ModelName, UserId
from tests.halext.chat.conftest import Model

MIA = Caller("Mia", Role.MEMBER, "house", UserId(1))
SCHEMA: dict[str, Json] = {"type": "object", "properties": {"label": {"type": "string"}}}


def a_job(payload: dict[str, Json]) -> Job:
    return Job(
        id=JobId(1),
        kind=later.KIND,
        owner_id=UserId(1),
        workspace=None,
        name="",
        key=None,
        state=JobState.RUNNING,
        priority=10,
        payload=payload,
        run_at=0.0,
        attempts=1,
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


async def answered(model: Model, payload: dict[str, Json], notes: list[str] | None = None) -> Result:
    def progress(part: float, note: str = "", /) -> None:
        if notes is not None:
            notes.append(note)

    return await later.Later(cast("Gateway", model))(a_job(payload), MIA, progress)


async def test_a_question_goes_out_as_it_was_put() -> None:
    model, notes = Model(), list[str]()
    model.say("Hel", "lo", None)
    question = later.payload(
        [("system", " Be brief. "), ("user", "Hello?")], model="m", options={"seed": 7, "temperature": 0.5}, schema=None
    )
    result = await answered(model, question, notes)
    assert cast("dict[str, Any]", result.value)["text"] == "Hello"
    assert cast("dict[str, Any]", result.value)["finish"] == "stop"
    assert notes == ["3 characters so far", "5 characters so far"]
    messages = (Message("system", "Be brief."), Message("user", "Hello?"))
    assert model.asked == [ChatRequest(ModelName("m"), messages, Sampling(seed=7, temperature=0.5))]
    assert model.closed == 1
    assert later.asked(question) == "Hello?"


async def test_under_a_schema_it_must_be_json() -> None:
    model = Model()
    question = later.payload([("user", "?")], schema=SCHEMA)
    model.say('{"label": "x"}', None)
    assert cast("dict[str, Any]", (await answered(model, question)).value)["text"] == '{"label": "x"}'
    assert model.asked[0].format == SCHEMA
    model.say("no idea", None)
    with pytest.raises(BadAnswer, match="JSON"):
        await answered(model, question)


async def test_what_goes_wrong_is_passed_on_and_no_answer_is_endless() -> None:
    model = Model()
    model.say(NoNodeOnline())
    with pytest.raises(NoNodeOnline):
        await answered(model, later.payload([("user", "?")]))
    model.say("x" * policy.ANSWER_MAX, "x")
    with pytest.raises(TooLarge, match="400,000"):
        await answered(model, later.payload([("user", "?")]))
    assert model.closed == 2


@pytest.mark.parametrize(
    ("messages", "extra", "says"),
    [
        ([], {}, "1 to 200 messages"),
        ([("assistant", "x")], {}, "last one by the user"),
        ([("user", "x")] * 201, {}, "1 to 200 messages"),
        ([("user", " ")], {}, "no question"),
        ([("user", "x" * (policy.QUESTION_MAX + 1))], {}, "100,000"),
        ([("root", "x"), ("user", "x")], {}, "can't be used"),
        ([("user", "x")], {"model": "a\nb"}, "model has a name"),
        ([("user", "x")], {"options": {"num_gpu": 1}}, "no option 'num_gpu'"),
        ([("user", "x")], {"options": {"seed": "seven"}}, "can't be used"),
    ],
)
def test_what_is_no_question(messages: list[tuple[str, str]], extra: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        later.payload(messages, **extra)


def test_a_schema_may_not_be_a_well() -> None:
    deep: Json = {}
    for _ in range(100):
        deep = {"properties": deep}
    with pytest.raises(HalextError, match="deeply"):
        later.payload([("user", "x")], schema=cast("dict[str, Json]", deep))
