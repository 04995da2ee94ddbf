"""The smallest body that each route does something with: made from its schema, or said here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import inspect

from halext.runtime.operations import Operation

from .house import EMBEDDER, HOST, MODEL, PASSWORD, WRITERS, House
from .kinds import FIELD, Ids
from .rights import Subject, Wants

Value = Any
Maker = Callable[[House], Value]


@dataclass(frozen=True)
class Body:
    """A body, and what it names."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    """Values, or functions of the house that make one for each request."""
    form: bool = False
    names: str | None = None
    """The kind of thing that stands in the body (a key of `KINDS`); its id's fields are added to the others."""
    rename: Mapping[str, str] = field(default_factory=dict)
    """Id's field → what it is called here."""
    wants: Wants | None = None
    """What it is to do with what it names, where that is not told by the method and the address."""
    does: str = ""
    """The operation that a form's button carries out; it demands what that one declares beside what the route does."""

    def made(self, house: House, ids: Ids) -> tuple[bytes, str]:
        """The bytes, and their type."""
        values = {name: value(house) if callable(value) else value for name, value in self.fields.items()}
        values |= {self.rename.get(name, name): value for name, value in ids.items()} if self.names else {}
        if self.form:
            return urlencode(values).encode(), "application/x-www-form-urlencoded"
        return msgspec.json.encode(values), "application/json"


CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
GROUP: dict[str, Any] = {"form": True, "names": "/hx/workspaces/{name}", "wants": Wants.OWN}
PERSON: dict[str, Any] = GROUP | {"names": "/hx/workspaces/{name}/people/{person}"}
BODIES: dict[str, tuple[Body, ...]] = {
    "POST /v1/chat/completions": (Body(CHAT), Body(CHAT | {"stream": True})),
    "POST /v1/completions": (Body({"model": MODEL, "prompt": "Hi"}),),
    "POST /v1/embeddings": (Body({"model": EMBEDDER, "input": "Hi"}),),
    "POST /v1/images/generations": (Body({"prompt": "a lighthouse", "size": "64x64"}),),
    "POST /api/chat": (Body(CHAT | {"stream": False}), Body(CHAT)),
    "POST /api/generate": (Body({"model": MODEL, "prompt": "Hi", "stream": False}),),
    "POST /api/embed": (Body({"model": EMBEDDER, "input": "Hi"}),),
    "POST /api/embeddings": (Body({"model": EMBEDDER, "prompt": "Hi"}),),
    "POST /api/show": (Body({"model": MODEL}),),
    "POST /hx/session": (
        Body({"name": "Sam", "password": PASSWORD}),
        Body({"name": "Sam", "password": PASSWORD, "token": True}),
    ),
    "POST /hx/invites/claim": (
        Body({"name": lambda house: house.fresh("guest"), "password": PASSWORD}, names="POST /hx/invites/claim"),
    ),
    "POST /hx/first-admin": (Body({"name": "Eve", "password": PASSWORD, "code": "hxc_0"}),),
    "POST /sign-out": (Body(form=True),),
    "POST /ask": (
        Body({"prompt": "Why?", "model": MODEL}, form=True),
        Body({"prompt": "Why?"}, form=True, names="/c/{id}", rename={"id": "conversation"}),
    ),
    "POST /again": (
        Body(form=True, names="/hx/answers/{id}", rename={"id": "answer"}),
        Body({"how": "continue"}, form=True, names="/hx/answers/{id}", rename={"id": "answer"}),
    ),
    "POST /tasks": (
        Body({"do": "add", "title": "Water the plants"}, form=True),
        Body({"do": "suggest", "text": "Water the plants"}, form=True, does="suggest_tasks"),
        Body({"do": "done"}, form=True, names="/hx/tasks/{id}"),
        Body({"do": "share", "workspace": WRITERS}, form=True, names="/hx/tasks/{id}", wants=Wants.OWN),
    ),
    "POST /share": (
        Body({"workspace": WRITERS}, form=True, names="/c/{id}", rename={"id": "conversation"}, wants=Wants.OWN),
    ),
    "POST /workspaces": (
        Body({"do": "create", "name": lambda house: house.fresh("workspace")}, form=True, does="create_workspace"),
        Body({"do": "rename", "to": lambda house: house.fresh("workspace")}, **GROUP),
        Body({"do": "delete"}, **GROUP),
        Body({"do": "add", "person": HOST, "role": "viewer"}, **GROUP),
        Body({"do": "role", "role": "viewer"}, **PERSON),
        Body({"do": "remove"}, **PERSON),
    ),
    "POST /account": (
        Body({"do": "code"}, form=True),
        Body({"do": "unlink"}, form=True, names="/hx/links/{platform}/{account}"),
        Body({"do": "end-session"}, form=True, names="/hx/sessions/{id}"),
        Body({"do": "sign-out-everywhere"}, form=True),
        Body({"do": "password", "current": PASSWORD, "password": PASSWORD}, form=True),
        Body({"do": "revoke"}, form=True, names="/hx/tokens/{id}"),
        Body({"do": "invite", "role": "guest"}, form=True, does="make_invite"),
        Body({"do": "end-invite"}, form=True, names="/hx/admin/invites/{id}", does="end_invite"),
    ),
}
"""Routes with code of their own have no schema: what they take stands here."""

NEVER = {
    f"{method} /api/{name}" for name in ("pull", "push", "create", "copy", "delete") for method in ("POST", "DELETE")
}
NEVER |= {"GET /api/blobs/{digest}", "POST /api/blobs/{digest}"}
"""Ollama's ways to change a node's models: declared so that clients get a sentence, and done for nobody."""

CLOSED = {"POST /hx/first-admin": "the house has an admin, so no code opens it"}
"""Routes that everybody may ask and that refuse everybody here, each with its reason."""

KEPT_FROM: dict[str, Callable[[Subject], bool]] = {
    "rotate_keys": lambda subject: subject.shown != "local",  # the keys lie on the machine
    "create_workspace": lambda subject: subject.name == "Gus",  # guests are taken into workspaces, and make none
}
"""Operations that ask for more than a right: whom they refuse all the same, each with its reason."""

OVERRIDES: dict[str, Mapping[str, Value]] = {
    "add_job": {"prompt": "Hi"},
    "add_jobs": {"prompts": ["Hi"]},
    "add_to_workspace": {"person": HOST, "role": "viewer"},
    "change_password": {"current": PASSWORD},
    "create_token": {"scopes": ["account"]},
    "rename_workspace": {"to": lambda house: house.fresh("workspace")},
    "set_quota": {"requests_per_minute": 1000},
    "set_role": {"role": "guest"},
    "share_conversation": {"workspace": WRITERS},
    "share_task": {"workspace": WRITERS},
    "add_node": {"kind": "ollama", "urls": lambda house: [house.nowhere()]},
    "imagine": {"width": 64, "height": 64, "steps": 1},
    "unload_model": {"name": "mac"},
}
"""Operation → fields beyond those that the schema demands, or with other values than it would get."""

COMMON: dict[str, Value] = {
    "name": lambda house: house.fresh("thing"),
    "password": PASSWORD,
    "model": MODEL,
}
"""What a field of this name holds, wherever it is demanded."""


SMALLEST: dict[type[inspect.Type], Value] = {
    inspect.StrType: "some text",
    inspect.BoolType: True,
    inspect.IntType: 1,
    inspect.FloatType: 1,
    inspect.ListType: [],
    inspect.DictType: {},
}
"""Type → a valid value of it."""


def bodies_of(method: str, path: str, operation: Operation[Any, Any] | None) -> tuple[Body, ...]:
    """The bodies to try. Raises `LookupError` for a route that has no schema and is not described."""
    if operation is not None:
        return (from_schema(operation),)
    if f"{method} {path}" in BODIES:
        return BODIES[f"{method} {path}"]
    if method in {"GET", "HEAD", "DELETE"} or f"{method} {path}" in NEVER:
        return (Body(),)
    raise LookupError(f"{method} {path} has no schema: say in tests/access/bodies.py what its smallest body is")


def from_schema(operation: Operation[Any, Any]) -> Body:
    """What its parameters demand, without those that the path carries."""
    in_path = set(FIELD.findall(operation.path))
    own = OVERRIDES.get(operation.name, {})
    fields: dict[str, Value] = {}
    for entry in inspect.type_info(operation.params).fields:  # type: ignore[attr-defined]
        if entry.encode_name in in_path:
            continue
        if entry.encode_name in own:
            fields[entry.encode_name] = own[entry.encode_name]
        elif entry.required:
            fields[entry.encode_name] = COMMON.get(entry.encode_name) or smallest(entry.type)
    return Body(fields)


def smallest(kind: inspect.Type) -> Value:
    """A valid value of a type."""
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.EnumType):
        return next(iter(kind.cls)).value
    if isinstance(kind, inspect.UnionType):
        return smallest(kind.types[0])
    if type(kind) in SMALLEST:
        return SMALLEST[type(kind)]
    raise LookupError(f"say in tests/access/bodies.py what the smallest {kind!r} is")
