"""Models, choosing, and what became of a request."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.errors import NotFound
from halext.gateway.types import Ask
from halext.messages import ChatRequest, Message
from halext.runtime.app import Fleet
from halext.runtime.operations import operation
from halext.runtime.present import explanation_info, model_rows, request_info
from halext.runtime.shapes import ChoiceInfo, Explain, ModelRow, Nothing, RequestInfo, RequestRef
from halext.types import ModelName, NodeName, RequestId


@operation("GET", "/hx/models", Permission.USE)
async def list_models(fleet: Fleet, caller: Caller, params: Nothing) -> list[ModelRow]:
    """Every model and the nodes that have it."""
    del caller, params
    return model_rows(fleet.registry.states(), fleet.registry.is_warm, now=fleet.clock.now())


@operation("POST", "/hx/route", Permission.USE)
async def explain_route(fleet: Fleet, caller: Caller, params: Explain) -> ChoiceInfo:
    """Where a request would go now, and why; nothing is sent."""
    request = ChatRequest(ModelName(params.model), (Message("user", params.prompt),))
    node = NodeName(params.node) if params.node else None
    return explanation_info(fleet.gateway.explain(Ask(fleet.gateway.new_id(), caller, request, node)))


@operation("GET", "/hx/requests/{id}", Permission.USE)
async def show_request(fleet: Fleet, caller: Caller, params: RequestRef) -> RequestInfo:
    """What happened to a request of the caller's."""
    record = fleet.gateway.records.find(RequestId(params.id))
    if record is None or (record.caller.user_id, record.caller.name) != (caller.user_id, caller.name):
        raise NotFound("There is no request of this id; the last 2,000 are remembered.")
    return request_info(record)
