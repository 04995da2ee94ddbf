"""Quotas: what is left of one's own, and what administrators allow."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from halext.accounts.policy import name_key
from halext.accounts.quotas.policy import limits_for
from halext.accounts.quotas.types import Limits, Measure, Standing, Subject
from halext.accounts.types import Caller, Permission, Role, User
from halext.errors import InvalidInput, NotFound
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes import Nothing
from halext.runtime.shapes_quotas import QuotaInfo, QuotaLine, QuotaOf, SetQuota

ID_MAX = 2_147_483_647


@operation("GET", "/hx/me/quota", Permission.OWN)
async def my_quota(app: App, caller: Caller, params: Nothing) -> list[QuotaLine]:
    """What the caller may use, has used, and has left; and the same of the workspace they ask for."""
    del params
    now = app.clock.now()
    return [_line(standing, now) for standing in await app.quotas.standing(caller)]


@operation("GET", "/hx/admin/quotas", Permission.MANAGE_PEOPLE)
async def list_quotas(app: App, caller: Caller, params: Nothing) -> list[QuotaInfo]:
    """The limits of every role, and of each person and workspace that has some of their own."""
    del caller, params
    known, people = await app.quotas.set_limits(), await app.people.list_users()
    by_id = {str(user.id): user for user in people}
    roles = [_info(Subject("role", role.value), role, role.value, known) for role in Role]
    own = [
        _info(subject, user.role, user.name, known)
        for subject in sorted(known)
        if subject.kind == "user" and (user := by_id.get(subject.id))
    ]
    shared = [
        _info(subject, Role.MEMBER, subject.id, known) for subject in sorted(known) if subject.kind == "workspace"
    ]
    return [*roles, *own, *shared]


@operation("GET", "/hx/admin/quotas/{kind}/{subject}", Permission.MANAGE_PEOPLE)
async def show_quota(app: App, caller: Caller, params: QuotaOf) -> QuotaInfo:
    """The limits of a person, a workspace or a role."""
    del caller
    return await _shown(app, params)


@operation("PUT", "/hx/admin/quotas/{kind}/{subject}", Permission.MANAGE_PEOPLE)
async def set_quota(app: App, caller: Caller, params: SetQuota) -> QuotaInfo:
    """Set limits of a person, a workspace or a role; they hold at once."""
    del caller
    subject, _, _ = await _found(app, params)
    limits = {measure: value for measure in Measure if (value := getattr(params, measure.value)) is not UNSET}
    if not limits:
        raise InvalidInput(f"Say which limit: {', '.join(Measure)}.")
    await app.quotas.set(subject, limits)
    return await _shown(app, params)


@operation("DELETE", "/hx/admin/quotas/{kind}/{subject}", Permission.MANAGE_PEOPLE)
async def clear_quota(app: App, caller: Caller, params: QuotaOf) -> QuotaInfo:
    """Forget the limits that were set, so that those of the role or halext's defaults apply."""
    del caller
    subject, _, _ = await _found(app, params)
    await app.quotas.clear(subject)
    return await _shown(app, params)


async def _shown(app: App, params: QuotaOf) -> QuotaInfo:
    subject, role, name = await _found(app, params)
    return _info(subject, role, name, await app.quotas.set_limits())


async def _found(app: App, params: QuotaOf) -> tuple[Subject, Role, str]:
    """Whose limits are meant, whose role decides where none are set, and what they are called."""
    match params.kind:
        case "role":
            if params.subject not in [role.value for role in Role]:
                raise NotFound(f"The roles are {', '.join(Role)}.")
            role = Role(params.subject)
            return Subject("role", role.value), role, role.value
        case "workspace":
            if not params.subject.isascii() or not params.subject.isdecimal() or int(params.subject) > ID_MAX:
                raise InvalidInput("A workspace is named by its number here.")
            return Subject("workspace", str(int(params.subject))), Role.MEMBER, params.subject
        case "user":
            user = await _person(app, params.subject)
            return Subject("user", str(user.id)), user.role, user.name


async def _person(app: App, name: str) -> User:
    for user in await app.people.list_users():
        if name_key(user.name) == name_key(name):
            return user
    raise NotFound("There is no user of this name; `halext user list` shows all.")


def _info(subject: Subject, role: Role, name: str, known: Mapping[Subject, Limits]) -> QuotaInfo:
    limits = limits_for(subject, role, known)
    return QuotaInfo(
        kind=subject.kind,
        subject=name,
        requests_per_minute=limits[Measure.REQUESTS],
        tokens_per_day=limits[Measure.TOKENS],
        images_per_day=limits[Measure.IMAGES],
        gpu_seconds_per_day=limits[Measure.GPU_SECONDS],
        own=[measure.value for measure in Measure if measure in known.get(subject, {})],
    )


def _line(standing: Standing, now: float) -> QuotaLine:
    most, count = standing.most, standing.count
    is_limited = most is not None
    return QuotaLine(
        measure=standing.measure.value,
        whose="workspace" if standing.subject is not None and standing.subject.kind == "workspace" else "yours",
        limit=most,
        used=count.used if is_limited else None,
        held=count.held if is_limited else None,
        left=None if most is None else max(0.0, most - count.used - count.held),
        resets_at=now + standing.resets_in_s,
    )
