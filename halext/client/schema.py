"""What an answer has to look like: a JSON schema, or a class that is turned into one and read back from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from halext.errors import InvalidInput
from halext.types import Json

Check = Callable[[Any, Mapping[str, Any], str], Iterator[str]]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class Schema:
    """A JSON schema, and how to read an answer that should follow it.

    Takes a JSON schema as a mapping, a dataclass, a TypedDict, a msgspec Struct or a pydantic model; answers become
    what it is. Raises `InvalidInput` for anything else.
    """

    def __init__(self, wanted: Any) -> None:
        self.json, self._convert = _understood(wanted)
        """The JSON schema that is sent along."""

    def read(self, text: str) -> Any:
        """The value that an answer holds. Raises `ValueError` with what is wrong with it, for the model to read."""
        try:
            told = json.loads(_unfenced(text))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it is not valid JSON: {error}") from None
        return self._convert(told)


def _understood(wanted: Any) -> tuple[Mapping[str, Json], Callable[[Any], Any]]:
    if isinstance(wanted, Mapping):
        schema = dict(wanted)
        return schema, lambda told: _checked(told, schema)
    if hasattr(wanted, "model_json_schema"):  # pydantic's way; it is loaded, since the model was made with it
        return wanted.model_json_schema(), wanted.model_validate
    try:
        return _flat(msgspec.json.schema(wanted)), lambda told: _converted(told, wanted)
    except (TypeError, RecursionError) as error:
        message = "schema takes a JSON schema as a dict, a dataclass, a TypedDict or a pydantic model"
        raise InvalidInput(f"{message}; {type(wanted).__name__} can't be used: {error}") from error


def _converted(told: Any, wanted: Any) -> Any:
    try:
        return msgspec.convert(told, wanted)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def _flat(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema with an object at its root, which some servers insist on, and not a reference to one."""
    reference = schema.get("$ref", "")
    definitions = schema.get("$defs", {})
    name = reference.removeprefix("#/$defs/")
    if not reference or name not in definitions:
        return schema
    others = {key: value for key, value in definitions.items() if key != name or _mentions(definitions, reference)}
    return {**definitions[name], **({"$defs": others} if others else {})}


def _mentions(definitions: Mapping[str, Any], reference: str) -> bool:
    return json.dumps(reference) in json.dumps(definitions)


def _unfenced(text: str) -> str:
    """Without the fence that some models put around JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        return text[3:-3].removeprefix("json").strip()
    return text


# --- the parts of JSON schema that people write by hand ---


def _checked(told: Any, schema: Mapping[str, Any]) -> Any:
    if wrong := next(_wrong(told, schema, "$"), None):
        raise ValueError(wrong)
    return told


def _wrong(told: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    """What does not fit, a sentence each. Words of JSON schema that are not known here are left to the node."""
    words = schema.get("type")
    names = [words] if isinstance(words, str) else words or []
    if names and not any(_is(told, name) for name in names):
        yield f"{at} has to be {' or '.join(names)}"
        return
    if "enum" in schema and told not in schema["enum"]:
        yield f"{at} has to be one of {json.dumps(schema['enum'])}"
    if "const" in schema and told != schema["const"]:
        yield f"{at} has to be {json.dumps(schema['const'])}"
    for check in (_bounds, _inside_object, _inside_array, _any_of):
        yield from check(told, schema, at)


def _is(told: Any, name: str) -> bool:
    if isinstance(told, bool):  # an int, for Python
        return name == "boolean"
    if name == "integer" and isinstance(told, float):
        return told.is_integer()
    return isinstance(told, _TYPES.get(name, (object,)))


def _bounds(told: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    match told:
        case bool():
            return
        case str():
            what, size = "Length", float(len(told))
        case list():
            what, size = "Items", float(len(told))
        case int() | float():
            what, size = "imum", float(told)
        case _:
            return
    if (least := schema.get(f"min{what}")) is not None and size < least:
        yield f"{at} is under the least that is allowed, {least}"
    if (most := schema.get(f"max{what}")) is not None and size > most:
        yield f"{at} is over the most that is allowed, {most}"


def _inside_object(told: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    if not isinstance(told, dict):
        return
    known = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in told:
            yield f"{at} lacks {name!r}"
    for name, value in told.items():
        rule = known.get(name, schema.get("additionalProperties", True))
        if rule is False:
            yield f"{at} has {name!r}, which is not asked for"
        elif isinstance(rule, Mapping):
            yield from _wrong(value, rule, f"{at}.{name}")


def _inside_array(told: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    rule = schema.get("items")
    if isinstance(told, list) and isinstance(rule, Mapping):
        for number, value in enumerate(told):
            yield from _wrong(value, rule, f"{at}[{number}]")


def _any_of(told: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    rules = schema.get("anyOf") or schema.get("oneOf")
    if rules and all(any(_wrong(told, rule, at)) for rule in rules):
        yield f"{at} fits none of the {len(rules)} forms that are allowed"
