"""Questions that are answered in the background: the kind of job called `ask`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import fields
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from halext.accounts.types import Caller
from halext.chat import policy
from halext.dialects import reading
from halext.errors import BadAnswer, InvalidInput, TooLarge
from halext.gateway.dispatch import Gateway
from halext.gateway.types import Ask
from halext.jobs.types import Job, Progress, Result
from halext.messages import ChatRequest, Done, Message, Sampling
from halext.types import Json, ModelName, NodeName, RequestId

KIND = "ask"
MESSAGES_MAX = 200


class _Line(Struct):
    role: Literal["system", "user", "assistant"]
    content: str


class _Question(Struct, omit_defaults=True):
    """A question as it is kept."""

    messages: list[_Line]
    model: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] | None = None
    node: str | None = None


def payload(
    messages: Sequence[tuple[str, str]],
    *,
    model: str = "",
    options: Mapping[str, Json] | None = None,
    schema: Mapping[str, Json] | None = None,
    node: str | None = None,
) -> dict[str, Json]:
    """A question as a job's payload; `messages` are pairs of a role and a text. Raises `InvalidInput`."""
    if not messages or messages[-1][0] != "user" or len(messages) > MESSAGES_MAX:
        raise InvalidInput(f"A question is 1 to {MESSAGES_MAX} messages, the last one by the user.")
    policy.question(messages[-1][1])
    if not reading.is_shallow(schema):
        raise InvalidInput("The field `schema` is nested too deeply.")
    asked = {
        "messages": [{"role": role, "content": policy.system(text)} for role, text in messages],
        "model": policy.model(model),
        "options": {name: value for name, value in (options or {}).items() if value is not None},
        "schema": None if schema is None else dict(schema),
        "node": node,
    }
    try:
        question = msgspec.convert(asked, _Question)
        _sampling(question)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The question has a field that can't be used: {error}.") from error
    kept: dict[str, Json] = msgspec.to_builtins(question)
    return kept


def asked(kept: Mapping[str, Json]) -> str:
    """The question in a payload, for people to recognise it."""
    return msgspec.convert(kept, _Question).messages[-1].content


class Later:
    """Fulfils `Handler`: asks a model in the name of the job's owner, and hands back what it said."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, job: Job, caller: Caller, progress: Progress, /) -> Result:
        """Raises what asking raises; `BadAnswer` when an answer under a schema is no JSON; `TooLarge` without end."""
        question = msgspec.convert(job.payload, _Question)
        ask = Ask(
            self._gateway.new_id(), caller, _request(question), NodeName(question.node) if question.node else None
        )
        pieces, size, done = list[str](), 0, Done()
        async with aclosing(self._gateway.generate(ask)) as chunks:
            async for chunk in chunks:
                pieces.append(chunk.text)
                size += len(chunk.text)
                if size > policy.ANSWER_MAX:
                    raise TooLarge(f"It was ended at {policy.ANSWER_MAX:,} characters; the model came to no end.")
                progress(0.0, f"{size:,} characters so far")
                done = chunk.done or done
        text = "".join(pieces)
        if question.schema is not None:
            _check_json(text)
        return Result({"text": text, "finish": done.reason, **self._story(ask.id, done)})

    def _story(self, request: RequestId, done: Done) -> dict[str, Json]:
        record = self._gateway.records.find(request)
        return {
            "model": record.model if record else "",
            "node": (record.node or "") if record else "",
            "total_s": record.total_s if record else None,
            "prompt_tokens": done.usage.prompt_tokens,
            "completion_tokens": done.usage.completion_tokens,
        }


def _request(question: _Question) -> ChatRequest:
    messages = tuple(Message(line.role, line.content) for line in question.messages)
    return ChatRequest(ModelName(question.model), messages, _sampling(question), format=question.schema)


_SAMPLING = frozenset(each.name for each in fields(Sampling))


def _sampling(question: _Question) -> Sampling:
    if strange := sorted(set(question.options) - _SAMPLING):
        raise InvalidInput(f"There is no option {strange[0]!r}; there are: {', '.join(sorted(_SAMPLING))}.")
    return msgspec.convert(question.options, Sampling)


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("The model was to answer with JSON and did not; try another model.") from error
