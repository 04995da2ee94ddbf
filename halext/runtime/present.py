"""Rooms' nouns as the JSON shapes of `/hx`: pure, and the only place where the two meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from halext.accounts.audit.types import Detail, Entry, Scalar
from halext.accounts.types import TokenInfo, User
from halext.alerts.types import Incident
from halext.gateway.dispatch import Explanation
from halext.gateway.story import why
from halext.gateway.types import Choice, Record
from halext.nodes import policy
from halext.nodes.types import Cordon, EndpointState, Node, Rates, Status
from halext.routing.policy import sentence
from halext.routing.types import Dispatch, Estimate, Hold, Rejected
from halext.runtime import shapes
from halext.runtime.shapes_alerts import IncidentInfo, NoticeInfo
from halext.runtime.shapes_audit import AuditEntry
from halext.types import EndpointId, ModelName
from halext.upstream import ModelInfo
from halext.vault.types import SecretInfo

RANK = (
    Status.HEALTHY,
    Status.BUSY,
    Status.RATE_LIMITED,
    Status.DEGRADED,
    Status.UNKNOWN,
    Status.MISCONFIGURED,
    Status.OFFLINE,
)
"""From best to worst: a node is as well as its best endpoint."""


def node_info(
    node: Node, states: Sequence[EndpointState], in_flight: Callable[[EndpointId], int], *, now: float
) -> shapes.NodeInfo:
    """A node as people see it; `states` are those of its endpoints."""
    cordon = policy.closed_by(node, now=now)
    best = min((state.health.status for state in states), key=RANK.index, default=Status.UNKNOWN)
    return shapes.NodeInfo(
        name=node.name,
        status=str(best if cordon is Cordon.OPEN else cordon),
        cordon=str(cordon),
        cordon_until=node.cordon_until if cordon is not Cordon.OPEN else None,
        builtin=node.builtin,
        memory_bytes=node.memory_bytes,
        tags=list(node.tags),
        endpoints=[endpoint_info(state, in_flight(state.endpoint.id)) for state in states],
    )


def endpoint_info(state: EndpointState, in_flight: int) -> shapes.EndpointInfo:
    """An endpoint as people see it, without its headers."""
    sighting, health, endpoint = state.sighting, state.health, state.endpoint
    is_away = health.status is Status.OFFLINE  # what was in memory there is history
    return shapes.EndpointInfo(
        id=endpoint.id,
        kind=endpoint.kind,
        url=endpoint.url,
        status=str(health.status),
        reason=health.reason,
        since=health.since,
        slots=endpoint.slots or (sighting.slots if sighting else None) or 1,
        in_flight=in_flight,
        version=sighting.version if sighting else "",
        models=sorted(model.name for model in sighting.models) if sighting else [],
        loaded=[] if sighting is None or is_away else sorted(model.name for model in sighting.running),
        latency_s=health.latency_s,
        last_seen_at=health.last_seen_at,
        has_headers=endpoint.secret is not None,
        via=endpoint.via,
    )


def model_rows(
    states: Iterable[EndpointState], is_warm: Callable[[EndpointId, ModelName], bool], *, now: float
) -> list[shapes.ModelRow]:
    """Models × nodes, by name."""
    found: dict[str, list[tuple[EndpointState, ModelInfo]]] = {}
    for state in states:
        for model in state.sighting.models if state.sighting else ():
            found.setdefault(policy.lookup_name(model.name), []).append((state, model))
    return [_model_row(places, is_warm, now) for _, places in sorted(found.items())]


def _model_row(
    places: Sequence[tuple[EndpointState, ModelInfo]], is_warm: Callable[[EndpointId, ModelName], bool], now: float
) -> shapes.ModelRow:
    model = places[0][1]
    return shapes.ModelRow(
        name=model.name,
        size_bytes=max(info.size_bytes for _, info in places),
        parameter_size=model.parameter_size,
        quantization=model.quantization,
        context_length=model.context_length,
        capabilities=sorted(model.capabilities),
        builtin=all(state.node.builtin for state, _ in places),
        places=[
            shapes.ModelPlace(
                node=state.node.name,
                endpoint=state.endpoint.id,
                available=policy.refusal(state.node, state.health, now=now) is None,
                loaded=is_warm(state.endpoint.id, info.name),
                digest=info.digest,
                tokens_per_s=_speed(state, info.name),
            )
            for state, info in places
        ],
    )


def _speed(state: EndpointState, model: ModelName) -> float | None:
    rates = dict(state.rates).get(model, Rates())
    return rates.decode_tps if rates.decode_count else None


def estimate_info(estimate: Estimate) -> shapes.EstimateInfo:
    """One candidate."""
    return shapes.EstimateInfo(
        node=estimate.node,
        endpoint=estimate.endpoint,
        finish_s=estimate.finish_s,
        first_token_s=estimate.first_token_s,
        can_start=estimate.can_start,
        terms=dict(estimate.terms),
        reason=estimate.reason,
    )


def choice_info(choice: Choice, model: str) -> shapes.ChoiceInfo:
    """A decision that was carried out."""
    return _choice(model, choice.node, choice.estimates, choice.rejected, choice.waited_s)


def explanation_info(explanation: Explanation) -> shapes.ChoiceInfo:
    """A decision that was only asked for."""
    match explanation.decision:
        case Dispatch(candidate, estimates):
            return _choice(explanation.model, candidate.node, estimates, explanation.rejected, 0.0)
        case Hold(want, start_in_s, estimates):
            info = _choice(explanation.model, want.node, estimates, explanation.rejected, 0.0)
            return shapes.ChoiceInfo(
                model=info.model,
                chosen=info.chosen,
                sentence=f"{info.sentence} and would wait there about {start_in_s:.1f} s for a free slot",
                estimates=info.estimates,
                rejected=info.rejected,
            )
        case _:
            return _choice(explanation.model, None, (), explanation.rejected, 0.0)


def _choice(
    model: str,
    chosen: str | None,
    estimates: Sequence[Estimate],
    rejected: Sequence[Rejected],
    waited_s: float,
) -> shapes.ChoiceInfo:
    return shapes.ChoiceInfo(
        model=model,
        chosen=chosen,
        sentence=sentence(estimates, rejected, chosen),
        estimates=[estimate_info(estimate) for estimate in estimates],
        rejected={entry.endpoint: entry.reason for entry in rejected},
        waited_s=waited_s,
    )


def request_info(record: Record) -> shapes.RequestInfo:
    """What happened to a request, so far."""
    choices = [choice_info(choice, record.model) for choice in record.choices]
    return shapes.RequestInfo(
        id=record.id,
        kind=record.kind,
        model=record.model,
        node=record.node,
        outcome=record.outcome,
        started_at=record.started_at,
        first_token_s=record.first_token_s,
        total_s=record.total_s,
        prompt_tokens=record.usage.prompt_tokens,
        completion_tokens=record.usage.completion_tokens,
        tokens_per_s=record.tokens_per_s,
        choices=choices,
        failures=list(record.failures),
        why=why(record),
        cached=record.cached,
    )


def incident_info(incident: Incident) -> IncidentInfo:
    """An outage, and who was told of it."""
    return IncidentInfo(
        id=incident.id,
        node=incident.node,
        rule=incident.rule,
        reason=incident.reason,
        started_at=incident.started_at,
        fired_at=incident.fired_at,
        ended_at=incident.resolved_at,
        ending=incident.ending,
        told=[
            NoticeInfo(place=notice.notifier, state=notice.state.value, attempts=notice.attempts, error=notice.error)
            for notice in incident.notices
        ],
    )


def user_info(user: User) -> shapes.UserInfo:
    """A person."""
    return shapes.UserInfo(name=user.name, role=str(user.role), disabled=user.disabled, created_at=user.created_at)


def token_row(token: TokenInfo) -> shapes.TokenRow:
    """A token, without the token."""
    return shapes.TokenRow(
        id=token.id,
        owner=token.owner,
        name=token.name,
        hint=token.hint,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        scopes=None if token.scopes is None else sorted(token.scopes),
    )


def key_row(secret: SecretInfo) -> shapes.KeyRow:
    """A secret, without the secret."""
    return shapes.KeyRow(
        name=secret.ref,
        owner=secret.owner_name or None,
        purpose=str(secret.label.kind),
        created_at=secret.created_at,
        updated_at=secret.updated_at,
        used_at=secret.used_at,
        key_id=secret.key_id,
    )


def audit_entry(entry: Entry) -> AuditEntry:
    """Something that somebody did."""
    return AuditEntry(
        id=entry.id,
        at=entry.at,
        name=entry.name,
        user_id=entry.user_id,
        credential=entry.credential,
        action=entry.action,
        subject=entry.subject,
        outcome=entry.outcome,
        address=entry.address,
        request_id=entry.request_id,
        details={name: _listed(value) for name, value in entry.details.items()},
        count=entry.count,
    )


def _listed(value: Detail) -> Scalar | list[Scalar]:
    return value if value is None or isinstance(value, bool | int | float | str) else list(value)
