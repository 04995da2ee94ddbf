"""What of an operation goes on record: which ones, and which of their parameters."""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from halext.accounts.audit.policy import looks_secret
from halext.accounts.audit.types import Detail, Outcome
from halext.accounts.types import Permission
from halext.errors import Forbidden, HalextError
from halext.runtime.shapes import Params

ORDINARY = frozenset({Permission.PUBLIC, Permission.USE, Permission.OWN, Permission.ACCOUNT})
"""Rights that everyone has. Using any other one is on record, also where it only looks."""
EVERYDAY = ORDINARY - {Permission.ACCOUNT}
"""What people do with these all day is on record a moment later; everything else before it is answered."""
NAMES = frozenset({"account", "id", "model", "name", "node", "platform", "role", "user", "workspace"})
"""Texts that are written down: what things and people are called. Other texts may hold anything."""


def is_recorded(method: str, permission: Permission) -> bool:
    """Whether an operation goes on record: those that change something, and those that need a right of a few."""
    return method != "GET" or permission not in ORDINARY


def is_durable(method: str, permission: Permission) -> bool:
    """Whether it is on record before it is answered."""
    return method != "GET" and permission not in EVERYDAY


def written(params: Params, path: str) -> tuple[str, dict[str, Detail]]:
    """The subject, and the parameters that may be written down: names, numbers and choices; never what is free text.

    Texts of the path are written too: they stand in addresses anyway.
    """
    hints = _hints(type(params))
    kept = {
        name: value
        for name in params.__struct_fields__
        if (value := getattr(params, name)) is not None and _may(name, hints[name], path)
    }
    subject = [str(value) for name, value in kept.items() if f"{{{name}" in path]
    if not subject:
        subject = [str(value) for name, value in kept.items() if name in NAMES][:1]
    return "/".join(subject), {name: _plain(value) for name, value in kept.items()}


def made(result: object) -> dict[str, Detail]:
    """The number of what an operation has made, where it tells one."""
    number = getattr(getattr(result, "info", result), "id", None)
    return {"made": number} if isinstance(number, int) else {}


def outcome(error: BaseException) -> tuple[Outcome, str]:
    """How a failure is put on record, and its code."""
    if isinstance(error, Forbidden):
        return "denied", error.code
    return "failed", error.code if isinstance(error, HalextError) else type(error).__name__


def _hints(shape: type[Params]) -> dict[str, Any]:
    return get_type_hints(shape)


def _may(name: str, hint: Any, path: str) -> bool:
    if looks_secret(name):
        return False
    return name in NAMES or f"{{{name}" in path or _is_choice(hint)


def _is_choice(hint: Any) -> bool:
    """Whether a type holds numbers, yes or no, or one of a few words: nothing that somebody could write a secret in."""
    origin = get_origin(hint)
    if origin is Literal or hint in {bool, int, float, type(None)}:
        return True
    if origin in {Union, types.UnionType, list, tuple, set, frozenset}:
        return all(_is_choice(each) for each in get_args(hint) if each is not ...)
    return isinstance(hint, type) and issubclass(hint, Enum)


def _plain(value: Any) -> Detail:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple | set | frozenset):
        return sorted(str(_plain(item)) for item in value)
    return value if isinstance(value, bool | int | float) else str(value)
