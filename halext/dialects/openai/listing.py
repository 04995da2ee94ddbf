"""Lists of models as OpenAI writes them, in both directions, and what llama.cpp tells beyond them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from halext.dialects import reading
from halext.types import Capability, Json, ModelName
from halext.upstream import ModelInfo

_RESIDENT = frozenset({"llamacpp", "vllm", "sglang"})
"""Owners that these servers name; each serves only what is in memory already."""


class _Meta(msgspec.Struct):
    size: int | None = None
    n_ctx_train: int | None = None


class _Model(msgspec.Struct):
    id: str
    owned_by: str | None = None
    meta: _Meta | None = None
    max_model_len: int | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


class _Modalities(msgspec.Struct):
    vision: bool | None = None


class _Generation(msgspec.Struct):
    n_ctx: int | None = None


class _TemplateCaps(msgspec.Struct):
    supports_tools: bool | None = None


class _Props(msgspec.Struct):
    total_slots: int | None = None
    build_info: str | None = None
    chat_template: str | None = None
    modalities: _Modalities | None = None
    default_generation_settings: _Generation | None = None
    chat_template_caps: _TemplateCaps | None = None


class _Slot(msgspec.Struct):
    is_processing: bool | None = None


_MODELS = msgspec.json.Decoder(_Models)
_PROPS = msgspec.json.Decoder(_Props)
_SLOTS = msgspec.json.Decoder(list[_Slot])


@dataclass(frozen=True, slots=True)
class Listed:
    """What /v1/models says. `is_resident`: its models are in memory. `is_llamacpp`: /props and /slots exist too."""

    models: tuple[ModelInfo, ...]
    is_resident: bool = False
    is_llamacpp: bool = False


@dataclass(frozen=True, slots=True)
class Props:
    """What llama.cpp says of itself and its one model.

    `slots` are the requests it serves at once, `context_length` the tokens of each. `has_tools` is True where it does
    not say: older builds take tools for every template.
    """

    build: str = ""
    slots: int | None = None
    context_length: int = 0
    has_vision: bool = False
    has_tools: bool = True
    template: str = ""


def parse_models(body: bytes) -> Listed:
    """The models of GET /v1/models.

    These servers don't tell what a model can do: one with "embed" in its name embeds, any other chats with tools.
    """
    found = reading.from_node(_MODELS, body).data
    owners = {model.owned_by or "" for model in found}
    return Listed(
        models=tuple(_info(model) for model in found),
        is_resident=bool(found) and owners <= _RESIDENT,
        is_llamacpp="llamacpp" in owners,
    )


def parse_props(body: bytes) -> Props:
    """llama.cpp's GET /props."""
    found = reading.from_node(_PROPS, body)
    generation = found.default_generation_settings or _Generation()
    return Props(
        build=found.build_info or "",
        slots=found.total_slots,
        context_length=generation.n_ctx or 0,
        has_vision=bool(found.modalities and found.modalities.vision),
        has_tools=not (found.chat_template_caps and found.chat_template_caps.supports_tools is False),
        template=found.chat_template or "",
    )


def with_props(model: ModelInfo, props: Props, *, embeds: bool) -> ModelInfo:
    """`model` with what llama.cpp says of it in place of what its name let us guess."""
    can: set[Capability] = {"chat"} if "chat" in model.capabilities else set()
    can |= {"tools"} if can and props.has_tools else set()
    can |= {"vision"} if can and props.has_vision else set()
    can |= {"embed"} if embeds else set()
    return replace(model, context_length=props.context_length or model.context_length, capabilities=frozenset(can))


def parse_slots(body: bytes) -> tuple[int, int]:
    """llama.cpp's GET /slots: how many there are, and how many are taken."""
    found = reading.from_node(_SLOTS, body)
    return len(found), sum(1 for slot in found if slot.is_processing)


def _info(model: _Model) -> ModelInfo:
    meta = model.meta or _Meta()
    can: frozenset[Capability] = frozenset({"embed"} if "embed" in model.id.lower() else {"chat", "tools"})
    return ModelInfo(
        name=ModelName(model.id),
        size_bytes=meta.size or 0,
        context_length=meta.n_ctx_train or model.max_model_len or 0,
        capabilities=can,
    )


def models_body(models: Iterable[ModelInfo]) -> bytes:
    """The body of GET /v1/models for clients."""
    return msgspec.json.encode({"object": "list", "data": [_model(model) for model in models]})


def model_body(model: ModelInfo) -> bytes:
    """The body of GET /v1/models/ID for clients."""
    return msgspec.json.encode(_model(model))


def _model(model: ModelInfo) -> dict[str, Json]:
    return {"id": model.name, "object": "model", "created": _epoch(model.modified_at), "owned_by": "halext"}


def _epoch(time: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(time)
    except ValueError:
        return 0
    known = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max(0, int(known.timestamp()))
