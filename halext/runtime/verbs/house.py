"""The house as a whole: what was used, and what is wrong."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.runtime import doctor
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes import Finding, Nothing, Since, UsageRow


@operation("GET", "/hx/usage", Permission.OWN)
async def show_usage(app: App, caller: Caller, params: Since) -> list[UsageRow]:
    """What the caller used, per model; or what was used on a workspace's account, for its owners, per person too."""
    await app.ledger.flush()
    totals = (
        await app.ledger.totals(caller, params.since)
        if params.workspace is None
        else await app.workspaces.usage(caller, params.workspace, params.since)
    )
    return [
        UsageRow(
            user=total.caller,
            model=total.model,
            requests=total.requests,
            prompt_tokens=total.prompt_tokens,
            completion_tokens=total.completion_tokens,
        )
        for total in totals
    ]


@operation("GET", "/hx/admin/doctor", Permission.SEE_HOUSE)
async def run_doctor(app: App, caller: Caller, params: Nothing) -> list[Finding]:
    """What is wrong with this halext, and what to do."""
    del caller, params
    return await doctor.examine(app)
