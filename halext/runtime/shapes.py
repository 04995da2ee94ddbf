"""The JSON that `/hx` speaks: what goes into an operation and what comes out of it.

One struct per noun; the pages, the command line and the library all read these. Unknown fields are refused, so that a
misspelt option is an error and not silence. Times are seconds since the epoch, durations seconds, sizes bytes.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

SECRET_FIELDS = frozenset({"value", "password", "headers", "token", "code"})
"""Fields of parameters that are never shown."""


class Params(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operation takes. Fields that its path names come from there, the others from the body or the query."""

    def __repr__(self) -> str:
        """Without the secrets among the fields."""
        told = {name: "…" if name in SECRET_FIELDS else repr(getattr(self, name)) for name in self.__struct_fields__}
        return f"{type(self).__name__}({', '.join(f'{name}={text}' for name, text in told.items())})"


class Nothing(Params, frozen=True):
    """No parameters."""


class Named(Params, frozen=True):
    """One thing by its name."""

    name: str


class Done(Struct, frozen=True):
    """It worked, and there is nothing to tell but this sentence."""

    message: str


# --- nodes ---


class AddNode(Params, frozen=True):
    """Register a node with one or more endpoints, or add endpoints to a known node."""

    name: str
    urls: list[str]
    kind: Literal["auto", "ollama", "openai", "automatic1111", "halext"] = "auto"
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every request to these endpoints; stored encrypted, never shown again."""
    slots: int | None = None
    memory_bytes: int | None = None
    tags: list[str] = field(default_factory=list)
    cidrs: list[str] = field(default_factory=list)
    insecure: bool = False


class DrainNode(Params, frozen=True):
    """Let a node finish what it does and send it nothing new."""

    name: str
    for_s: float | None = None
    """How long; without it until `uncordon`."""


class UnloadModel(Params, frozen=True):
    """Free the memory that a model takes on a node."""

    name: str
    model: str


class EndpointInfo(Struct, frozen=True):
    """One endpoint as people see it. Never holds its headers."""

    id: str
    kind: str
    url: str
    status: str
    reason: str
    since: float
    slots: int
    in_flight: int
    version: str
    models: list[str]
    loaded: list[str]
    latency_s: float | None
    last_seen_at: float | None
    has_headers: bool
    via: Literal["direct", "tunnel"] = "direct"


class NodeInfo(Struct, frozen=True):
    """One node as people see it. `status` is the best of its endpoints', or what a person decided."""

    name: str
    status: str
    cordon: str
    cordon_until: float | None
    builtin: bool
    memory_bytes: int | None
    tags: list[str]
    endpoints: list[EndpointInfo]


class TryNode(Params, frozen=True):
    """Test a node from its name to its first token, with this model or any that it has."""

    name: str
    model: str | None = None


class Step(Struct, frozen=True):
    """One step of a node's test."""

    name: Literal["name", "address", "connect", "TLS", "auth", "protocol", "model list", "first token"]
    ok: bool
    detail: str
    seconds: float | None = None


class TrialReport(Struct, frozen=True):
    """How far a test of a node came; it ends with the first step that failed."""

    node: str
    endpoint: str
    ok: bool
    steps: list[Step]


class ModelPlace(Struct, frozen=True):
    """A model on a node."""

    node: str
    endpoint: str
    available: bool
    loaded: bool
    digest: str
    tokens_per_s: float | None


class ModelRow(Struct, frozen=True):
    """A model and where it is."""

    name: str
    size_bytes: int
    parameter_size: str
    quantization: str
    context_length: int
    capabilities: list[str]
    builtin: bool
    places: list[ModelPlace]


# --- choosing, and what became of a request ---


class Explain(Params, frozen=True):
    """Ask where a request would go, without sending it."""

    model: str = ""
    prompt: str = ""
    node: str | None = None


class RequestRef(Params, frozen=True):
    """One request, by the id that came with its answer."""

    id: str


class EstimateInfo(Struct, frozen=True):
    """One candidate: its expected seconds, and why."""

    node: str
    endpoint: str
    finish_s: float
    first_token_s: float
    can_start: bool
    terms: dict[str, float]
    reason: str


class ChoiceInfo(Struct, frozen=True):
    """One decision. `chosen` is None where nobody could take the request."""

    model: str
    chosen: str | None
    sentence: str
    estimates: list[EstimateInfo]
    rejected: dict[str, str]
    """Endpoint to reason."""
    waited_s: float = 0.0


class RequestInfo(Struct, frozen=True):
    """What happened to one request."""

    id: str
    kind: str
    model: str
    node: str | None
    outcome: str | None
    started_at: float
    first_token_s: float | None
    total_s: float | None
    prompt_tokens: int
    completion_tokens: int
    tokens_per_s: float | None
    choices: list[ChoiceInfo]
    failures: list[str]
    why: list[str]
    """All of it as sentences, in order."""
    cached: bool = False
    """The answer was kept from before: no node has worked on this."""


# --- people, tokens, keys ---


class Me(Struct, frozen=True):
    """Who the caller is to halext."""

    name: str
    role: str
    credential: str


class AddUser(Params, frozen=True):
    """A new person. Without a password they can't sign in until one is set."""

    name: str
    role: Literal["admin", "member", "guest"] = "member"
    password: str | None = None


class SetRole(Params, frozen=True):
    """Give a person another role."""

    name: str
    role: Literal["admin", "member", "guest"]


class SetPassword(Params, frozen=True):
    """Give a person another password; their sign-ins end."""

    name: str
    password: str


class SetDisabled(Params, frozen=True):
    """Shut a person out, or let them in again."""

    name: str
    disabled: bool = True


class UserInfo(Struct, frozen=True):
    """A person."""

    name: str
    role: str
    disabled: bool
    created_at: float


class CreateToken(Params, frozen=True):
    """A new API token for the caller, or by an administrator for someone else."""

    name: str
    expires_in_s: float | None = None
    user: str | None = None
    scopes: list[str] | None = None
    """The rights that it carries: `use` and `own` without this; `all` for all of its owner's, now and later."""


class RevokeToken(Params, frozen=True):
    """End a token at once."""

    id: int


class TokenRow(Struct, frozen=True):
    """A token, without the token."""

    id: int
    owner: str
    name: str
    hint: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    scopes: list[str] | None = None
    """The rights that it carries; none named means all of its owner's."""


class NewToken(Struct, frozen=True):
    """A token, this once."""

    token: str
    info: TokenRow


class SetKey(Params, frozen=True):
    """Store a secret under a name."""

    name: str
    value: str


class KeyRow(Struct, frozen=True):
    """A stored secret, without the secret."""

    name: str
    created_at: float
    updated_at: float
    key_id: str
    """Which master key seals it: the first characters of its SHA-256."""
    owner: str | None = None
    """Whose it is; None for the house's."""
    purpose: str = ""
    used_at: float | None = None
    """When it was last used; what nodes are sent is noted once an hour."""


class UsageRow(Struct, frozen=True):
    """What someone used of a model."""

    user: str
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int


class Since(Params, frozen=True):
    """From when on; with a workspace, what was used on its account, which its owners see by person."""

    since: float = 0.0
    workspace: str | None = None


class Finding(Struct, frozen=True):
    """One thing that doctor looked at."""

    check: str
    level: Literal["ok", "note", "warning", "error"]
    what: str
    why: str = ""
    fix: str = ""
