"""`halext user quota`: how much people, workspaces and roles may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from halext.cli import house, output
from halext.errors import InvalidInput

if TYPE_CHECKING:
    from halext.runtime.shapes_quotas import QuotaInfo, QuotaOf

MEASURES = ("requests_per_minute", "tokens_per_day", "images_per_day", "gpu_seconds_per_day")
NONE = "none"
Limit = Annotated[str | None, typer.Option(help="A number, or `none` for no limit.")]


def quota(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The person's name; without it, all quotas are listed.")] = None,
    role: Annotated[str | None, typer.Option(help="A role, for everyone in it without a quota of their own.")] = None,
    workspace: Annotated[str | None, typer.Option(help="A workspace, by its number.")] = None,
    requests_per_minute: Limit = None,
    tokens_per_day: Limit = None,
    images_per_day: Limit = None,
    gpu_seconds_per_day: Limit = None,
    unlimited: Annotated[bool, typer.Option("--none", help="No limit at all.")] = False,
    default: Annotated[
        bool, typer.Option("--default", help="What the role allows again, or halext's defaults.")
    ] = False,
    as_json: house.AsJson = False,
) -> None:
    """Show or set how much may be used. Days begin at midnight UTC."""
    said = (requests_per_minute, tokens_per_day, images_per_day, gpu_seconds_per_day)
    limits = {measure: _number(text) for measure, text in zip(MEASURES, said, strict=True) if text is not None}
    if sum((bool(limits), unlimited, default)) > 1:
        raise InvalidInput("Say either limits, or --none, or --default.")
    whose = _whose(name, role, workspace)
    if whose is None and (limits or unlimited or default):
        raise InvalidInput("Say whose quota: a name, --role or --workspace.")
    changes: dict[str, int | None] = dict.fromkeys(MEASURES) if unlimited else limits
    found = _asked(ctx, whose, changes, default=default)
    if as_json:
        output.json(found)
    else:
        head = ["whose", "requests/min", "tokens/day", "images/day", "GPU s/day"]
        output.table(head, [_line(row) for row in found])


def _asked(
    ctx: typer.Context, whose: QuotaOf | None, changes: dict[str, int | None], *, default: bool
) -> list[QuotaInfo]:
    from halext.runtime.shapes import Nothing
    from halext.runtime.shapes_quotas import SetQuota
    from halext.runtime.verbs import quotas

    if whose is None:
        return house.call(ctx, quotas.list_quotas, Nothing())
    if default:
        return [house.call(ctx, quotas.clear_quota, whose)]
    if changes:
        wanted = SetQuota(kind=whose.kind, subject=whose.subject, **changes)
        return [house.call(ctx, quotas.set_quota, wanted)]
    return [house.call(ctx, quotas.show_quota, whose)]


def _whose(name: str | None, role: str | None, workspace: str | None) -> QuotaOf | None:
    from halext.runtime.shapes_quotas import QuotaOf

    if sum(subject is not None for subject in (name, role, workspace)) > 1:
        raise InvalidInput("Say one of: a name, --role or --workspace.")
    if role is not None:
        return QuotaOf(kind="role", subject=role)
    if workspace is not None:
        return QuotaOf(kind="workspace", subject=workspace)
    return None if name is None else QuotaOf(kind="user", subject=name)


def _number(text: str) -> int | None:
    if text.strip().casefold() == NONE:
        return None
    try:
        return int(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise InvalidInput(f"{text!r} is no limit: a whole number, or `none`.") from None


def _line(row: QuotaInfo) -> list[str]:
    name = row.subject if row.kind == "user" else f"{row.kind} {row.subject}"
    return [name, *(_shown(row, measure) for measure in MEASURES)]


def _shown(row: QuotaInfo, measure: str) -> str:
    most = getattr(row, measure)
    return NONE if most is None else f"{most:,}"
