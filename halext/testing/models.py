"""What a fake server pretends to have on its disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from halext.types import Json

SINGLE_SLOT_FAMILIES = frozenset(
    {"mllama", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen3next", "lfm2", "lfm2moe"}
    | {"nemotron_h", "nemotron_h_moe", "nemotron_h_omni"}
)
"""Families that Ollama serves one request at a time, whatever OLLAMA_NUM_PARALLEL says."""


@dataclass(frozen=True)
class FakeModel:
    """One model: what it says, how fast, and how much room it takes.

    `script` is the answer's tokens; without one the answer is drawn from the server's seed and the prompt. Where JSON
    is asked for, `structured` is the answer, or whatever fits the schema when that is None. `thoughts` are sent first
    by a model that can think. `tool_calls` are (name, arguments) pairs, sent when a request offers tools. `parameters`
    are the model file's, for example `{"num_ctx": 8192}`. A `remote_host` makes it a cloud stub.
    """

    name: str = "llama3.2:3b"
    family: str = "llama"
    parameter_size: str = "3.2B"
    quantization: str = "Q4_K_M"
    size_bytes: int = 2_000_000_000
    kv_bytes_per_token: int = 0
    digest: str = ""
    capabilities: tuple[str, ...] = ("completion", "tools")
    context_length: int = 131_072
    embedding_length: int = 8
    template: str = "{{ .Prompt }}"
    parameters: Mapping[str, Json] = field(default_factory=dict)
    remote_host: str = ""
    remote_model: str = ""
    load_s: float = 2.0
    tokens_per_s: float = 50.0
    prefill_per_s: float = 1000.0
    slowdown: float = 0.2
    """A stream among k takes 1 + slowdown × (k - 1) times as long per token."""
    answer_tokens: int = 12
    script: Sequence[str] | None = None
    structured: Json = None
    thoughts: Sequence[str] = ("Let", " me", " think")
    tool_calls: Sequence[tuple[str, Mapping[str, Json]]] = ()

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", hashlib.sha256(tagged(self.name).encode()).hexdigest())

    def can(self, capability: str) -> bool:
        """Whether the model has this capability."""
        return capability in self.capabilities

    @property
    def is_single_slot(self) -> bool:
        """Whether Ollama forces it to one request at a time: embedding models and some families."""
        return not self.can("completion") or self.family in SINGLE_SLOT_FAMILIES


def tagged(name: str) -> str:
    """The name with its tag; `latest` where none is given."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def same_name(one: str, other: str) -> bool:
    """Whether two names mean one model: case does not matter, and a missing tag means `latest`."""
    return tagged(one).lower() == tagged(other).lower()


def as_models(models: Sequence[FakeModel | str]) -> list[FakeModel]:
    """Models, where a bare name stands for a default model of that name."""
    return [FakeModel(model) if isinstance(model, str) else model for model in models]
