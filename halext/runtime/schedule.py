"""What happens by the clock: one APScheduler, in memory, in the process that has the data directory."""

from __future__ import annotations

import logging

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from halext.runtime.app import App

SAVE_RATES_S = 60.0
_log = logging.getLogger(__name__)


def start(app: App) -> AsyncIOScheduler:
    """Begin: looks at the nodes at the probe interval, and what was measured saved once a minute.

    Ticks that could not run in time are run once, not many times. The caller shuts it down.
    """
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": 30})
    scheduler.add_listener(_failed, EVENT_JOB_ERROR)
    # Several looks may overlap: a node that hangs until its deadline must not delay the look at the others.
    scheduler.add_job(app.prober.tick, "interval", seconds=app.settings.probe_interval_s, id="looks", max_instances=4)
    scheduler.add_job(app.registry.save_rates, "interval", seconds=SAVE_RATES_S, id="rates")
    scheduler.start()
    return scheduler


def _failed(event: JobExecutionEvent) -> None:
    _log.error("%s failed", event.job_id, exc_info=event.exception)
