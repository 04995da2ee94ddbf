"""Everything that can go wrong, once, with what to do next.

HalextError
├── UsageError
│   ├── BadRequest
│   ├── InvalidInput
│   ├── TooLarge
│   ├── UnknownModel
│   ├── UnknownNode
│   ├── NotFound
│   ├── UnknownWorkspace
│   ├── MethodNotAllowed
│   └── NotOffered
├── AccessError
│   ├── Unauthenticated
│   ├── Forbidden
│   ├── SignInAgain
│   ├── TooManyRequests
│   └── QuotaSpent
├── CapacityError
│   ├── NoNodeOnline
│   ├── NoNodeHasModel
│   ├── NoNodeMakesPictures
│   ├── AllBusy
│   └── Crowded
├── UpstreamError
│   ├── Unreachable
│   ├── TimedOut
│   ├── RateLimited
│   ├── BadAnswer
│   ├── ModelMissing
│   ├── RequestRefused
│   ├── KeyRefused
│   └── Interrupted
├── StateError
│   ├── AlreadyExists
│   ├── Conflict
│   ├── Cancelled
│   ├── AlreadyRunning
│   ├── PortInUse
│   ├── SchemaMismatch
│   ├── DatabaseUnavailable
│   └── Stopped
├── VaultError
│   ├── WrongKey
│   └── UnknownSecret
├── ConfigError
│   ├── MissingExtra
│   ├── InvalidSetting
│   └── DataDirUnusable
└── Internal

Every leaf has a stable `code`, an HTTP `status` and `retryable`; the first line of its docstring is the sentence that
is shown when nothing better is known. No door keeps a list of its own: HTTP, chat and notebook all read these fields.
A message says what happened and what to do next, and never holds a key, a prompt or a URL with credentials.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HalextError(Exception):
    """Something went wrong in halext."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init_subclass__(cls, *, code: str, status: int | None = None, retryable: bool | None = None) -> None:
        """Every error has a code of its own; status and whether trying again helps are its parent's unless it says."""
        super().__init_subclass__()
        cls.code = code
        cls.status = cls.status if status is None else status
        cls.retryable = cls.retryable if retryable is None else retryable

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None) -> None:
        self.message = message or (type(self).__doc__ or self.code).strip().splitlines()[0]
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


class UsageError(HalextError, code="usage", status=400):
    """This request can't be served as it is."""


class BadRequest(UsageError, code="bad_request"):
    """The request can't be read; check its JSON and its fields."""


class InvalidInput(UsageError, code="invalid_input", status=422):
    """A field of the request has a value that can't be used."""


class TooLarge(UsageError, code="too_large", status=413):
    """The request is larger than this server takes."""


class UnknownModel(UsageError, code="unknown_model", status=404):
    """No node has a model of this name; `halext models` lists what there is."""


class UnknownNode(UsageError, code="unknown_node", status=404):
    """There is no node of this name; `halext node list` shows all."""


class NotFound(UsageError, code="not_found", status=404):
    """There is nothing here under this name."""


class UnknownWorkspace(UsageError, code="unknown_workspace", status=404):
    """You are in no workspace of this name; `halext workspace list` shows yours."""


class MethodNotAllowed(UsageError, code="method_not_allowed", status=405):
    """This address is there, but not for this HTTP method."""

    def __init__(self, message: str | None = None, *, allow: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allow = allow  # the methods that it takes


class NotOffered(UsageError, code="not_offered", status=403):
    """halext does not offer this operation to clients; an administrator manages models with `halext node`."""


class AccessError(HalextError, code="access", status=403):
    """The caller may not do this."""


class Unauthenticated(AccessError, code="unauthenticated", status=401):
    """Unknown caller: send an API token (`halext token create`) or sign in."""


class Forbidden(AccessError, code="forbidden"):
    """This needs a right that the caller does not have; ask an administrator."""


class SignInAgain(AccessError, code="sign_in_again"):
    """This changes who gets in or where secrets go: sign in again, since the last time is more than an hour ago."""


class TooManyRequests(AccessError, code="too_many_requests", status=429, retryable=True):
    """Too many attempts; wait a little and try again."""


class QuotaSpent(AccessError, code="quota_spent", status=429, retryable=True):
    """Your quota is spent; `/usage` and your account's page say when there is more."""


class CapacityError(HalextError, code="capacity", status=503, retryable=True):
    """No node can take this request now."""


class NoNodeOnline(CapacityError, code="no_node_online"):
    """No node is online; `halext node list` says why."""


class NoNodeHasModel(CapacityError, code="no_node_has_model"):
    """The nodes that have this model are offline or take no requests now."""


class NoNodeMakesPictures(CapacityError, code="no_node_makes_pictures"):
    """No node makes pictures; add one with Stable Diffusion: `halext node add pc http://pc:7860`."""


class AllBusy(CapacityError, code="all_busy"):
    """Every node that could answer is busy; try again in a moment."""


class Crowded(CapacityError, code="crowded"):
    """halext holds as much as it can for others just now; try again in a moment."""


class UpstreamError(HalextError, code="upstream", status=502, retryable=True):
    """A node failed while it worked on a request.

    `node` and `endpoint` say which one, `began` whether the caller had already been given a part of the answer.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after_s: float | None = None,
        node: str = "",
        endpoint: str = "",
        began: bool = False,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.node = node
        self.endpoint = endpoint
        self.began = began


class Unreachable(UpstreamError, code="unreachable"):
    """The node can't be reached; check that it is switched on and that its server runs."""


class TimedOut(UpstreamError, code="timed_out", status=504):
    """The node did not answer in time."""


class RateLimited(UpstreamError, code="rate_limited", status=503):
    """The node says that it is busy."""


class BadAnswer(UpstreamError, code="bad_answer"):
    """The node sent an answer that can't be read."""


class ModelMissing(UpstreamError, code="model_missing", status=404):
    """The node says that it does not have this model any more."""


class RequestRefused(UpstreamError, code="request_refused", status=400, retryable=False):
    """The node refused the request as wrong; another node would say the same."""


class KeyRefused(UpstreamError, code="key_refused", retryable=False):
    """The node refused halext's key; set it again with `halext node add NAME URL --header …`."""


class Interrupted(UpstreamError, code="interrupted"):
    """The node stopped in the middle of its answer; what had arrived is kept."""

    reply: Any = (
        None  # for users of the library the `halext.Reply` with that part; its class stands far above this file
    )


class StateError(HalextError, code="state", status=409):
    """This clashes with how things are now."""


class AlreadyExists(StateError, code="already_exists"):
    """There is one of this name already."""


class Conflict(StateError, code="conflict"):
    """Someone else changed this in the meantime; look again and repeat."""


class Cancelled(StateError, code="cancelled"):
    """This was cancelled before it was finished."""


class AlreadyRunning(StateError, code="already_running"):
    """Another halext is running on this data directory; stop it first or use another --data."""


class PortInUse(StateError, code="port_in_use"):
    """Another program listens on this port; choose one with --port."""


class SchemaMismatch(StateError, code="schema_mismatch"):
    """The database has another schema version than this halext; run `halext db upgrade`."""


class DatabaseUnavailable(StateError, code="database_unavailable", status=503, retryable=True):
    """The database does not answer or takes no changes now; try again in a moment."""


class Stopped(StateError, code="stopped"):
    """This was stopped before it was finished; run it again to go on."""


class VaultError(HalextError, code="vault"):
    """A stored secret can't be used."""


class WrongKey(VaultError, code="wrong_key"):
    """The master key does not open this secret; restore the key or enter the secret again."""


class UnknownSecret(VaultError, code="unknown_secret", status=404):
    """There is no secret of this name; `halext key list` shows all."""


class ConfigError(HalextError, code="config"):
    """halext is not set up for this."""


class MissingExtra(ConfigError, code="missing_extra"):
    """A part of halext that is not installed is needed."""


class InvalidSetting(ConfigError, code="invalid_setting"):
    """A setting has a value that can't be used."""


class DataDirUnusable(ConfigError, code="data_dir_unusable"):
    """The data directory can't be written; choose another with --data or HALEXT_DATA_DIR."""


class Internal(HalextError, code="internal"):
    """Something broke inside halext; the log has the details under this request's id."""


def by_code(code: str | None, under: type[HalextError] = HalextError) -> type[HalextError] | None:
    """The error of this code, for a failure that was told and not raised; None for a code that is not known here."""
    if under.code == code:
        return under
    return next((found for each in under.__subclasses__() if (found := by_code(code, each))), None)
