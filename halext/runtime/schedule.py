"""What happens by the clock: one APScheduler, in memory, in the process that has the data directory."""

from __future__ import annotations

import logging

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from halext.runtime import log
from halext.runtime.alerting import Alerting
from halext.runtime.app import App
from halext.runtime.metrics.lag import SAMPLE_S

SAVE_RATES_S = 60.0
FORGET_S = 21_600.0
COUNTS_S = 20.0
_log = logging.getLogger(__name__)


def start(app: App) -> AsyncIOScheduler:
    """Begin: looks at the nodes and for alerts at the probe interval, what was measured saved once a minute.

    Ticks that could not run in time are run once, not many times. The caller ends it with `stop`.
    """
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": 30})
    scheduler.add_listener(_failed, EVENT_JOB_ERROR)
    # Several looks may overlap: a node that hangs until its deadline must not delay the look at the others.
    scheduler.add_job(app.prober.tick, "interval", seconds=app.settings.probe_interval_s, id="looks", max_instances=4)
    scheduler.add_job(app.registry.save_rates, "interval", seconds=SAVE_RATES_S, id="rates")
    alerting = Alerting(app.watch, app.webhooks, app.background.spawn)
    app.feed.listen(alerting.hear)
    # These may overlap too: a platform that hangs until its deadline must not delay what another place is told.
    scheduler.add_job(alerting.tick, "interval", seconds=app.settings.probe_interval_s, id="alerts", max_instances=4)
    scheduler.add_job(app.watch.forget, "interval", seconds=FORGET_S, id="old alerts")
    scheduler.add_job(app.audit.tick, "interval", seconds=COUNTS_S, id="audit log")
    scheduler.add_job(lambda: log.tell_counts(app.clock.now()), "interval", seconds=COUNTS_S, id="log counts")
    scheduler.add_job(app.audit.clear, "interval", [app.settings.audit_days], seconds=FORGET_S, id="old audit log")
    scheduler.add_job(app.meter.lag.sample, "interval", seconds=SAMPLE_S, id="loop lag")
    scheduler.add_job(app.jobs.forget, "interval", seconds=FORGET_S, id="old jobs")
    scheduler.start()
    return scheduler


async def stop(app: App, scheduler: AsyncIOScheduler) -> None:
    """End it: nothing begins any more, and an alert that is under way is told and put on record."""
    scheduler.pause()
    await app.watch.settle()
    scheduler.shutdown(wait=False)


def _failed(event: JobExecutionEvent) -> None:
    _log.error("%s failed", event.job_id, exc_info=event.exception)
