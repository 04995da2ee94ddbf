"""Commands about what was used, and what may be."""

from __future__ import annotations

from halext.accounts.types import Permission
from halext.commands import words
from halext.commands.registry import command
from halext.commands.types import Option, Reply, Said, Text
from halext.runtime.app import App
from halext.runtime.shapes import Nothing, Since
from halext.runtime.shapes_quotas import QuotaInfo, QuotaLine, QuotaOf
from halext.runtime.units import show_duration
from halext.runtime.verbs.house import show_usage
from halext.runtime.verbs.quotas import list_quotas, my_quota, show_quota

DAY_S = 86_400
MEASURES = {
    "requests_per_minute": "requests a minute",
    "tokens_per_day": "tokens a day",
    "images_per_day": "images a day",
    "gpu_seconds_per_day": "GPU seconds a day",
}


@command("usage", permission=Permission.OWN)
async def usage(app: App, said: Said) -> Reply:
    """What you used today, and what is left."""
    now = app.clock.now()
    rows = await show_usage(app, said.caller, Since(since=now // DAY_S * DAY_S))
    used = [
        f"- {words.code(row.model)} {row.requests:,} times, {row.prompt_tokens + row.completion_tokens:,} tokens"
        for row in rows
    ]
    lines = await my_quota(app, said.caller, Nothing())
    left = [f"- {words.plain(quota_line(line, now))}" for line in lines if line.limit is not None]
    told = ["Today, since midnight UTC:" if used else "You have used nothing today.", "", *used, ""]
    told += ["What is left:", "", *left] if left else ["There is no limit to what you may use."]
    return Text("\n".join(told).replace("\n\n\n", "\n\n"), is_quiet=True)


@command("quota", Option("name", "The person's name; else everyone's"), permission=Permission.MANAGE_PEOPLE)
async def quota(app: App, said: Said) -> Reply:
    """How much people may use."""
    if name := said.get("name"):
        found = [await show_quota(app, said.caller, QuotaOf(kind="user", subject=name))]
    else:
        found = await list_quotas(app, said.caller, Nothing())
    lines = [f"- {words.code(_whose(row))} {words.plain(_limits(row))}" for row in found]
    return Text("\n".join([*lines, "", "`halext user quota` changes them."]), is_quiet=True)


def quota_line(line: QuotaLine, now: float) -> str:
    """How one measure stands, in words."""
    left = f"{line.left or 0:,.0f} of {line.limit or 0:,} {MEASURES[line.measure]}"
    whose = " of the workspace" if line.whose == "workspace" else ""
    return f"{left}{whose}, new ones in {show_duration(max(1.0, line.resets_at - now))}"


def _whose(row: QuotaInfo) -> str:
    return row.subject if row.kind == "user" else f"{row.kind} {row.subject}"


def _limits(row: QuotaInfo) -> str:
    found = [f"{most:,} {label}" for measure, label in MEASURES.items() if (most := getattr(row, measure)) is not None]
    return ", ".join(found) or "no limit"
