"""OpenAI's route for pictures."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.dialects.openai import images
from halext_web.api import relay
from halext_web.routes import Route, route
from halext_web.visit import Visit


def routes() -> list[Route]:
    """Pictures under /v1."""
    return [route("/v1/images/generations", generations, Permission.USE, "POST")]


async def generations(visit: Visit) -> ASGIApp:
    """POST /v1/images/generations. A client that leaves cancels its job."""
    wish = images.read_images(await visit.body())
    making = visit.app.studio.make(visit.caller, wish, visit.id, node=visit.node)
    job = await relay.while_connected(visit.request.receive, making)
    now, extension = int(visit.app.clock.now()), relay.extension(visit)
    # Some megabytes become base64: the loop has others to serve meanwhile.
    return relay.reply(visit, await asyncio.to_thread(images.images_reply, job.pictures, now, extension))
