"""Lists of models as Ollama writes them (tags, ps, show, version), in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from halext.dialects import reading
from halext.errors import BadAnswer
from halext.types import Capability, Json, ModelName
from halext.upstream import ModelDetails, ModelInfo, RunningModel

_CAPABILITIES: Mapping[str, Capability] = {
    "completion": "chat",
    "embedding": "embed",
    "vision": "vision",
    "tools": "tools",
    "thinking": "thinking",
    "insert": "insert",
}
_NAMES: Mapping[Capability, str] = {ours: theirs for theirs, ours in _CAPABILITIES.items()} | {"image": "image"}
"""Models that paint are written too; none is read, since what paints for us speaks another dialect."""

_FOREVER = "2318-01-01T00:00:00Z"
_UNKNOWN_TIME = "1970-01-01T00:00:00Z"
"""Clients parse these fields as times, so an empty text would break them."""


class _Details(msgspec.Struct):
    family: str | None = None
    parameter_size: str | None = None
    quantization_level: str | None = None
    context_length: int | None = None


class _Model(msgspec.Struct):
    name: str | None = None
    model: str | None = None
    digest: str | None = None
    size: int | None = None
    size_vram: int | None = None
    modified_at: str | None = None
    expires_at: str | None = None
    context_length: int | None = None
    details: _Details | None = None
    capabilities: list[str] | None = None
    remote_host: str | None = None
    remote_model: str | None = None


class _Models(msgspec.Struct):
    models: list[_Model] | None = None


class _Show(msgspec.Struct):
    template: str | None = None
    parameters: str | None = None
    license: str | None = None
    modelfile: str | None = None
    modified_at: str | None = None
    details: _Details | None = None
    model_info: dict[str, Any] | None = None
    capabilities: list[str] | None = None


class _Version(msgspec.Struct):
    version: str


_MODELS = msgspec.json.Decoder(_Models)
_SHOW = msgspec.json.Decoder(_Show)
_VERSION = msgspec.json.Decoder(_Version)


def parse_tags(body: bytes) -> tuple[ModelInfo, ...]:
    """The models on a node's disk.

    Models that the node would pass on to Ollama's cloud are left out: what people ask must stay at home. Versions
    before 0.30 list no capabilities; the set is then empty, which means unknown.
    """
    found = reading.from_node(_MODELS, body).models or []
    return tuple(_info(model) for model in found if not (model.remote_host or model.remote_model))


def parse_ps(body: bytes) -> tuple[RunningModel, ...]:
    """The models in a node's memory. `expires_at` is stale while a model is busy."""
    return tuple(
        RunningModel(
            name=ModelName(model.name or model.model or ""),
            digest=model.digest or "",
            size_bytes=model.size or 0,
            vram_bytes=model.size_vram or 0,
            expires_at=model.expires_at or "",
            context_length=model.context_length or 0,
        )
        for model in reading.from_node(_MODELS, body).models or []
    )


def parse_show(body: bytes, model: ModelName) -> ModelDetails:
    """What a node says of `model`. Raises `BadAnswer` when it can't be read."""
    found = reading.from_node(_SHOW, body)
    facts = found.model_info or {}
    if not reading.is_shallow(facts):
        raise BadAnswer("The node describes a model with JSON that is nested too deeply.")
    shown = _Model(name=model, modified_at=found.modified_at, details=found.details, capabilities=found.capabilities)
    shown.context_length = next(
        (value for key, value in facts.items() if key.endswith(".context_length") and isinstance(value, int)), None
    )
    return ModelDetails(
        info=_info(shown),
        template=found.template or "",
        parameters=found.parameters or "",
        license=found.license or "",
        modelfile=found.modelfile or "",
        model_info=facts,
    )


def parse_version(body: bytes) -> str:
    """The version that GET /api/version names."""
    return reading.from_node(_VERSION, body).version


def _info(model: _Model) -> ModelInfo:
    details = model.details or _Details()
    return ModelInfo(
        name=ModelName(model.name or model.model or ""),
        digest=model.digest or "",
        size_bytes=model.size or 0,
        family=details.family or "",
        parameter_size=details.parameter_size or "",
        quantization=details.quantization_level or "",
        context_length=model.context_length or details.context_length or 0,
        capabilities=frozenset(_CAPABILITIES[name] for name in model.capabilities or () if name in _CAPABILITIES),
        modified_at=model.modified_at or "",
    )


def tags_body(models: Iterable[ModelInfo]) -> bytes:
    """The body of GET /api/tags for clients."""
    return msgspec.json.encode({"models": [_tag(model) for model in models]})


def ps_body(models: Iterable[RunningModel]) -> bytes:
    """The body of GET /api/ps for clients."""
    return msgspec.json.encode(
        {
            "models": [
                {
                    "name": model.name,
                    "model": model.name,
                    "size": model.size_bytes,
                    "digest": model.digest,
                    "details": {},
                    "expires_at": model.expires_at or _FOREVER,
                    "size_vram": model.vram_bytes,
                    "context_length": model.context_length,
                }
                for model in models
            ]
        }
    )


def show_body(details: ModelDetails) -> bytes:
    """The body of POST /api/show for clients."""
    info = _tag(details.info)
    return msgspec.json.encode(
        {
            "license": details.license,
            "modelfile": details.modelfile,
            "parameters": details.parameters,
            "template": details.template,
            "details": info["details"],
            "model_info": dict(details.model_info),
            "capabilities": info["capabilities"],
            "modified_at": info["modified_at"],
        }
    )


def version_body(version: str) -> bytes:
    """The body of GET /api/version for clients."""
    return msgspec.json.encode({"version": version})


def _tag(model: ModelInfo) -> dict[str, Json]:
    details: dict[str, Json] = {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family] if model.family else [],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }
    if model.context_length:
        details["context_length"] = model.context_length
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": model.modified_at or _UNKNOWN_TIME,
        "size": model.size_bytes,
        "digest": model.digest,
        "details": details,
        "capabilities": [*sorted(_NAMES[capability] for capability in model.capabilities)],
    }
