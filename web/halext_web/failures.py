"""What went wrong, in the shape that each kind of client expects."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import msgspec
from starlette.responses import Response

from halext.dialects.ollama.client import error_body as ollama_body
from halext.dialects.openai.answers import error_body as openai_body
from halext.errors import HalextError, MethodNotAllowed, Unauthenticated
from halext.types import Json, RequestId
from halext_web.visit import Visit

PROBLEM = "application/problem+json"
JSON = "application/json"


def problem(error: HalextError, request_id: RequestId) -> dict[str, Json]:
    """The error of `/hx`: code, sentence, request id and, where waiting helps, for how long."""
    body: dict[str, Json] = {"code": error.code, "message": error.message, "request_id": request_id}
    if error.retry_after_s is not None:
        body["retry_after_s"] = error.retry_after_s
    return body


async def response(
    visit: Visit, error: HalextError, page: Callable[[Visit, HalextError], Awaitable[Response]]
) -> Response:
    """The whole answer for an error; `page` makes the one for people."""
    path = visit.request.scope["path"]
    if path.startswith("/v1/"):
        answer = _json(openai_body(error, visit.id), error, JSON)
    elif path.startswith("/api/"):
        answer = _json(ollama_body(error, visit.id), error, JSON)
    elif path.startswith("/hx/") and not is_form(visit):
        answer = _json(problem(error, visit.id), error, PROBLEM)
    elif "text/html" in visit.request.headers.get("accept", ""):
        answer = await page(visit, error)
    else:
        answer = _json(problem(error, visit.id), error, PROBLEM)
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(error.allow)
    if isinstance(error, Unauthenticated):
        # Not `Basic`, which is taken too: browsers would ask for a name and password in a window of their own.
        answer.headers["WWW-Authenticate"] = 'Bearer realm="halext"'
    return answer


def is_form(visit: Visit) -> bool:
    """Whether the request is a form of a page, sent without JavaScript."""
    return visit.request.headers.get("content-type", "").partition(";")[0].strip() == (
        "application/x-www-form-urlencoded"
    )


def _json(body: dict[str, Json], error: HalextError, content_type: str) -> Response:
    return Response(msgspec.json.encode(body), status_code=error.status, media_type=content_type)
