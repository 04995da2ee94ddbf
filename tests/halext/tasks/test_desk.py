from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import cast

import pytest

from halext.accounts.store import PeopleStore
from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import BadAnswer, InvalidInput, NoNodeOnline
from halext.gateway.dispatch import Gateway
from halext.gateway.types import Ask
from halext.messages import ChatChunk, ChatRequest
from halext.storage.scope import Scope
from halext.tasks import policy
from halext.tasks.desk import Desk
from halext.tasks.types import Draft, TaskState
from halext.testing.clock import ManualClock
from halext.types import RequestId


@dataclass
class Model:
    """In place of a gateway: says one answer after the other, or that nobody is there."""

    answers: list[str] = field(default_factory=list)
    asked: list[ChatRequest] = field(default_factory=list)

    def new_id(self) -> RequestId:
        return RequestId(f"r{len(self.asked)}")

    async def generate(self, ask: Ask) -> AsyncGenerator[ChatChunk, None]:
        assert isinstance(ask.request, ChatRequest)
        self.asked.append(ask.request)
        if not self.answers:
            raise NoNodeOnline
        answer = self.answers.pop(0)
        for start in range(0, len(answer), 7):
            yield ChatChunk(answer[start : start + 7])


@dataclass
class Office:
    desk: Desk
    model: Model
    ann: Caller


@pytest.fixture
async def office(scope: Scope) -> Office:
    user = await PeopleStore(scope).add("Ann", Role.MEMBER, None, 0.0)
    model = Model()
    desk = Desk(scope, cast("Gateway", model), ManualClock())
    return Office(desk, model, Caller("Ann", Role.MEMBER, "session", user.id))


CALL = json.dumps({"tasks": [{"title": "Call Bob", "priority": "high"}]})


async def test_tasks_are_kept(office: Office) -> None:
    task = await office.desk.add(office.ann, Draft("  call  Bob "))
    assert task.title == "call Bob"
    await office.desk.move(office.ann, task.id, TaskState.DONE)
    assert await office.desk.tasks(office.ann, [TaskState.OPEN]) == []
    assert [done.id for done in await office.desk.tasks(office.ann, [TaskState.DONE])] == [task.id]
    assert (await office.desk.edit(office.ann, task.id, Draft("write"))).title == "write"


async def test_who_has_no_account_has_no_desk(office: Office) -> None:
    with pytest.raises(InvalidInput, match="belong to a person"):
        await office.desk.add(LOCAL, Draft("x"))


async def test_suggestions_wait_for_a_person(office: Office) -> None:
    office.model.answers = [CALL]
    (suggested,) = await office.desk.suggest(office.ann, "Ann: somebody should call Bob.")
    assert (suggested.title, suggested.state) == ("Call Bob", TaskState.SUGGESTED)
    assert await office.desk.tasks(office.ann, [TaskState.OPEN]) == []
    assert (await office.desk.move(office.ann, suggested.id, TaskState.OPEN)).state is TaskState.OPEN
    assert office.model.asked[0].format == policy.SCHEMA


async def test_an_answer_that_is_none_is_sent_back_once(office: Office) -> None:
    office.model.answers = ["I would rather chat.", CALL]
    assert len(await office.desk.suggest(office.ann, "text")) == 1
    assert [len(request.messages) for request in office.model.asked] == [2, 4]
    office.model.answers = ["no", "no", CALL]
    with pytest.raises(BadAnswer, match="try another model"):
        await office.desk.suggest(office.ann, "text")
    assert office.model.answers == [CALL]


async def test_nothing_to_do_is_an_answer_too(office: Office) -> None:
    office.model.answers = ['{"tasks": []}']
    assert await office.desk.suggest(office.ann, "text") == []


async def test_there_must_be_something_to_read_and_someone_to_read_it(office: Office) -> None:
    for text in (" ", "x" * 20_001):
        with pytest.raises(InvalidInput):
            await office.desk.suggest(office.ann, text)
    with pytest.raises(NoNodeOnline):
        await office.desk.suggest(office.ann, "text")
