from __future__ import annotations

import pytest
from msgspec import UNSET

from halext.accounts.quotas.types import Measure, Subject
from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import Forbidden, InvalidInput, NotFound
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import Nothing
from halext.runtime.shapes_quotas import Kind, QuotaOf, SetQuota
from halext.runtime.verbs import quotas
from halext.types import WorkspaceId


async def person(app: App, name: str, role: Role = Role.MEMBER) -> Caller:
    user = await app.people.add_user(name, role)
    return Caller(user.name, user.role, "token", user.id)


async def test_limits_are_set_shown_and_forgotten(app: App, control: LocalControl) -> None:
    await person(app, "Ann", Role.GUEST)
    ann = QuotaOf(kind="user", subject="ANN")
    shown = await control.call(quotas.show_quota, ann)
    assert (shown.subject, shown.tokens_per_day, shown.images_per_day, shown.own) == ("Ann", 50_000, 5, [])
    wish = SetQuota(kind="user", subject="ann", tokens_per_day=7, images_per_day=None)
    changed = await control.call(quotas.set_quota, wish)
    assert (changed.tokens_per_day, changed.images_per_day, changed.gpu_seconds_per_day) == (7, None, 600)
    assert changed.own == ["tokens_per_day", "images_per_day"]
    team = SetQuota(kind="workspace", subject="07", tokens_per_day=100)
    assert (await control.call(quotas.set_quota, team)).requests_per_minute is None
    rows = await control.call(quotas.list_quotas, Nothing())
    assert [(row.kind, row.subject) for row in rows] == [
        *[("role", role.value) for role in Role],
        ("user", "Ann"),
        ("workspace", "7"),
    ]
    assert (await control.call(quotas.clear_quota, ann)) == shown


async def test_one_sees_what_is_left_and_that_of_the_workspace(app: App) -> None:
    ann = await person(app, "Ann", Role.GUEST)
    reservation = await app.quotas.reserve(ann, {Measure.REQUESTS: 1, Measure.TOKENS: 100})
    assert reservation is not None
    reservation.settle({Measure.TOKENS: 40.0})
    lines = {line.measure: line for line in await LocalControl(app, ann).call(quotas.my_quota, Nothing())}
    tokens = lines["tokens_per_day"]
    assert (tokens.whose, tokens.limit, tokens.used, tokens.held, tokens.left) == ("yours", 50_000, 40, 0, 49_960)
    assert lines["requests_per_minute"].left == 9
    assert tokens.resets_at % 86_400 == pytest.approx(0, abs=5) or tokens.resets_at % 86_400 > 86_395
    shared = Caller(ann.name, ann.role, ann.credential, ann.user_id, workspace=WorkspaceId(7))
    await app.quotas.set(Subject("workspace", "7"), {Measure.TOKENS: 5})
    left = [(line.whose, line.left) for line in await LocalControl(app, shared).call(quotas.my_quota, Nothing())]
    assert left[4:] == [("workspace", None), ("workspace", 5), ("workspace", None), ("workspace", None)]
    free = await LocalControl(app, LOCAL).call(quotas.my_quota, Nothing())
    assert [(line.limit, line.used, line.left) for line in free] == [(None, None, None)] * 4


@pytest.mark.parametrize(
    ("kind", "subject", "error"),
    [
        ("user", "nobody", NotFound),
        ("role", "queen", NotFound),
        ("workspace", "team", InvalidInput),
        ("workspace", "9" * 20, InvalidInput),
    ],
)
async def test_whom_there_is_not(control: LocalControl, kind: Kind, subject: str, error: type[Exception]) -> None:
    for operation in (quotas.show_quota, quotas.clear_quota):
        with pytest.raises(error):
            await control.call(operation, QuotaOf(kind=kind, subject=subject))


@pytest.mark.parametrize("tokens", [-1, 10**15, UNSET])
async def test_limits_that_are_none(control: LocalControl, tokens: int) -> None:
    with pytest.raises(InvalidInput):
        await control.call(quotas.set_quota, SetQuota(kind="role", subject="guest", tokens_per_day=tokens))


async def test_only_those_who_manage_people_set_limits(app: App) -> None:
    member = LocalControl(app, await person(app, "Ann"))
    with pytest.raises(Forbidden):
        await member.call(quotas.set_quota, SetQuota(kind="user", subject="Ann", tokens_per_day=None))
    with pytest.raises(Forbidden):
        await member.call(quotas.list_quotas, Nothing())
