from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal

import msgspec
import pytest
from msgspec import field

from halext.accounts.audit.policy import looks_secret
from halext.accounts.audit.types import Detail, Outcome
from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.errors import DatabaseUnavailable, Forbidden, NotFound
from halext.runtime import auditing, verbs
from halext.runtime.operations import OPERATIONS, Operation
from halext.runtime.shapes import AddNode, AddUser, NewToken, Params, SetKey, SetRole, TokenRow

for module in iter_modules(verbs.__path__):
    import_module(f"{verbs.__name__}.{module.name}")

ids = [entry.action for entry in OPERATIONS]
MARK = "canary"


def filled(hint: Any, name: str) -> Any:
    """A value of a type, as full of marked texts as it can be."""
    schema = msgspec.json.schema(hint)
    return _filled(schema, schema.get("$defs", {}), f"{MARK}-{name}")


def _filled(schema: dict[str, Any], defs: dict[str, Any], text: str) -> Any:
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    for each in schema.get("anyOf", ()):
        if each.get("type") != "null":
            return _filled(each, defs, text)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [_filled(schema["items"], defs, text)]
    if schema.get("type") == "object":
        fields = {name: _filled(each, defs, text) for name, each in schema.get("properties", {}).items()}
        extra = schema.get("additionalProperties")
        return fields | ({text: _filled(extra, defs, text)} if isinstance(extra, dict) else {})
    return {"integer": 7, "number": 7.5, "boolean": True}.get(schema.get("type", ""), text)


@pytest.mark.parametrize("entry", OPERATIONS, ids=ids)
def test_no_text_gets_into_the_log_but_names(entry: Operation[Params, object]) -> None:
    fields = {each.name: filled(each.type, each.name) for each in msgspec.structs.fields(entry.params)}
    params = msgspec.convert(fields, entry.params)
    subject, details = auditing.written(params, entry.path)
    for name, value in details.items():
        assert not looks_secret(name), f"{entry.action} writes down {name}"
        if MARK in repr(value):
            assert name in auditing.NAMES or f"{{{name}" in entry.path, f"{entry.action} writes down {name}"
    allowed = [f"{MARK}-{name}" for name in details]
    rest = subject
    for text in allowed:
        rest = rest.replace(text, "")
    assert MARK not in rest


def test_actions_are_stable_names() -> None:
    assert {"people.set-role", "nodes.drain-node", "keys.set-key", "people.create-token"} <= set(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("params", "path", "subject", "details"),
    [
        (SetRole(name="Eve", role="admin"), "/hx/admin/users/{name}/role", "Eve", {"name": "Eve", "role": "admin"}),
        (SetKey(name="discord", value="s3cret"), "/hx/keys/{name}", "discord", {"name": "discord"}),
        (
            AddUser(name="Eve", role="member", password="battery staple"),
            "/hx/admin/users",
            "Eve",
            {"name": "Eve", "role": "member"},
        ),
        (
            AddNode(name="mac", urls=["http://mac:1"], headers={"X-Key": "s3cret"}),
            "/hx/nodes",
            "mac",
            {"name": "mac", "insecure": False},
        ),
    ],
)
def test_what_is_written(params: Params, path: str, subject: str, details: dict[str, Detail]) -> None:
    found, kept = auditing.written(params, path)
    assert found == subject
    assert {name: kept[name] for name in details} == details
    assert "s3cret" not in repr(kept)
    assert "battery" not in repr(kept)


class Shape(Params, frozen=True):
    """Every sort of field."""

    text: str = MARK
    texts: list[str] = field(default_factory=lambda: [MARK])
    number: int = 3
    numbers: list[float] = field(default_factory=lambda: [1.5])
    choice: Literal["a", "b"] = "a"
    rights: frozenset[Permission] = frozenset({Permission.USE})
    maybe: int | None = None
    either: str | int = MARK
    is_on: bool = True
    max_token: int = 5
    anything: dict[str, int] = field(default_factory=lambda: {MARK: 1})


def test_numbers_and_choices_are_written_and_texts_are_not() -> None:
    assert auditing.written(Shape(), "/hx/x") == (
        "",
        {"number": 3, "numbers": ["1.5"], "choice": "a", "rights": ["use"], "is_on": True},
    )


@pytest.mark.parametrize(
    ("method", "permission", "recorded", "durable"),
    [
        ("GET", Permission.USE, False, False),
        ("GET", Permission.ACCOUNT, False, False),
        ("GET", Permission.SEE_HOUSE, True, False),
        ("POST", Permission.USE, True, False),
        ("POST", Permission.OWN, True, False),
        ("DELETE", Permission.ACCOUNT, True, True),
        ("PUT", Permission.MANAGE_KEYS, True, True),
    ],
)
def test_which_operations(method: str, permission: Permission, recorded: bool, durable: bool) -> None:
    assert auditing.is_recorded(method, permission) is recorded
    assert auditing.is_durable(method, permission) is durable


def test_what_was_made_has_a_number() -> None:
    row = TokenRow(id=5, owner="a", name="n", hint="hx_", created_at=0, expires_at=None, last_used_at=None)
    assert auditing.made(NewToken(token="t", info=row)) == {"made": 5}
    assert auditing.made(None) == {}


def test_failures_have_a_code() -> None:
    assert auditing.outcome(Forbidden()) == ("denied", "forbidden")
    assert auditing.outcome(NotFound()) == ("failed", NotFound.code)
    assert auditing.outcome(ValueError("secret")) == ("failed", "ValueError")


class Heard:
    """An app whose log is a list."""

    def __init__(self) -> None:
        self.audit = self
        self.said: list[tuple[str, str, str, Outcome, dict[str, Detail]]] = []
        self.is_away = False

    def record(self, action: str, by: Caller, subject: str = "", outcome: Outcome = "ok", /, **details: Detail) -> None:
        self.said.append(("soon", action, subject, outcome, details))

    async def write(
        self, action: str, by: Caller, subject: str = "", outcome: Outcome = "ok", /, **details: Detail
    ) -> None:
        if self.is_away:
            raise DatabaseUnavailable
        self.said.append(("now", action, subject, outcome, details))


def an_operation(permission: Permission, fault: BaseException | None = None) -> Operation[Shape, None]:
    async def try_it(app: object, caller: Caller, params: Shape) -> None:
        if fault is not None:
            raise fault

    return Operation("try_it", "POST", "/hx/x", permission, Shape, None, "Try.", try_it, needs_house=True)


async def test_a_change_is_on_record_before_it_is_answered() -> None:
    app = Heard()
    await an_operation(Permission.MANAGE_NODES)(app, LOCAL, Shape())
    ((when, action, _, outcome, details),) = app.said
    assert (when, action, outcome, details["choice"]) == ("now", "test_auditing.try-it", "ok", "a")
    app.is_away = True
    with pytest.raises(DatabaseUnavailable):
        await an_operation(Permission.MANAGE_NODES)(app, LOCAL, Shape())


async def test_what_people_do_all_day_does_not_wait() -> None:
    app = Heard()
    app.is_away = True
    await an_operation(Permission.OWN)(app, LOCAL, Shape())
    assert [said[0] for said in app.said] == ["soon"]


@pytest.mark.parametrize(
    ("caller", "fault", "outcome"),
    [
        (Caller("Mia", Role.MEMBER, "token"), None, ("denied", "forbidden")),
        (LOCAL, NotFound("hx_secret"), ("failed", NotFound.code)),
        (LOCAL, KeyError("hx_secret"), ("failed", "KeyError")),
    ],
)
async def test_what_fails_is_on_record_without_its_words(
    caller: Caller, fault: BaseException | None, outcome: tuple[str, str]
) -> None:
    app = Heard()
    with pytest.raises(type(fault) if fault else Forbidden):
        await an_operation(Permission.MANAGE_NODES, fault)(app, caller, Shape())
    ((_, _, _, found, details),) = app.said
    assert (found, details["why"]) == outcome
    assert "hx_secret" not in repr(details)
