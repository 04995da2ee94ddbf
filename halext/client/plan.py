"""What a map asks about every item: the template, the model and the rest, and how to tell one plan from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import msgspec

from halext.client.asking import Options, chat_request, opening, question
from halext.client.schema import Schema
from halext.errors import Conflict, InvalidInput
from halext.messages import ChatRequest, Message

KEY_BYTES = 16

_WORDS = {
    "model": "another model",
    "prompt": "another prompt",
    "system": "another system prompt",
    "schema": "another schema",
    "options": "other options",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The same question about many items."""

    template: str
    model: str = ""
    system: str = ""
    node: str | None = None
    schema: Schema | None = None
    options: Options = field(default_factory=Options)

    def prompt(self, item: Any, number: int) -> str:
        """The question about one item. Raises `InvalidInput` when the template and the item don't go together."""
        try:
            if isinstance(item, Mapping):
                return self.template.format(item, **{str(name): value for name, value in item.items()})
            return self.template.format(item)
        except (LookupError, ValueError, AttributeError, TypeError) as error:
            message = f"The prompt can't be filled in for item {number} ({type(error).__name__}: {error})"
            raise InvalidInput(f"{message}; write {{{{ and }}}} for braces that are meant as such.") from error

    def request(self, prompt: str) -> ChatRequest:
        """The request for one item."""
        return chat_request(self.model, (*opening(self.system), question(prompt, self.options)), self._options())

    def repair(self, prompt: str, answer: str, wrong: str) -> ChatRequest:
        """The request for a better answer after one that does not fit the schema."""
        request = self.request(prompt)
        told = f"That can't be used: {wrong}. Answer again with nothing but JSON that follows the schema."
        return replace(request, messages=(*request.messages, Message("assistant", answer), Message("user", told)))

    def value(self, text: str) -> Any:
        """What an answer means. Raises `ValueError` for one that does not fit the schema."""
        return self.schema.read(text) if self.schema else text

    def key(self, prompt: str, identity: str) -> bytes:
        """Stands for all that an answer depends on, with `identity` for what the model's name does not say."""
        told = msgspec.json.encode([identity, self.request(prompt)], order="deterministic")
        return blake2b(told, digest_size=KEY_BYTES).digest()

    def traits(self) -> dict[str, str]:
        """What has to stay the same when a job goes on, without giving any text away."""
        request = replace(self.request(""), model="", messages=(), format=None)  # type: ignore[arg-type]
        pictures = question("", self.options).images
        return {
            "model": self.model,
            "prompt": _digest(self.template),
            "system": _digest(self.system),
            "schema": _digest(self.schema.json if self.schema else None),
            "options": _digest([request, pictures, self.options.get("format")]),
        }

    def _options(self) -> Options:
        if self.schema is None:
            return self.options
        return {**self.options, "format": self.schema.json}


def plan_of(template: str, *, model: str, system: str, node: str | None, schema: Any, options: Options) -> Plan:
    """A plan that can be carried out. Raises `InvalidInput` for a prompt without a place for the item."""
    if "{" not in template:
        raise InvalidInput("The prompt has no place for the item; write {} where it belongs.")
    if schema is not None and "format" in options:
        raise InvalidInput("schema and format say the same; give one of them.")
    plan = Plan(template, model, system, node, Schema(schema) if schema is not None else None, options)
    plan.request("")  # refuses options that there are not
    return plan


def refuse_other(name: str, place: str, kept: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises `Conflict` with what differs between a job as it was begun and as it is asked for now."""
    other = [word for word in _WORDS if kept.get(word, now[word]) != now[word]]
    if not other:
        return
    told = [_WORDS[word] + (f" ({kept[word]}, now {now[word]})" if word == "model" else "") for word in other]
    raise Conflict(
        f"The job {name!r} was begun with {', '.join(told)}; give this another name, or delete {place} to begin anew."
    )


def _digest(value: object) -> str:
    return blake2b(msgspec.json.encode(value, order="deterministic"), digest_size=KEY_BYTES).hexdigest()
