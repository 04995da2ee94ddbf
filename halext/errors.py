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

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None) -> None:
        self.message = message or (type(self).__doc__ or self.code).strip().splitlines()[0]
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


class UsageError(HalextError):
    """This request can't be served as it is."""

    code = "usage"
    status = 400


class BadRequest(UsageError):
    """The request can't be read; check its JSON and its fields."""

    code = "bad_request"


class InvalidInput(UsageError):
    """A field of the request has a value that can't be used."""

    code = "invalid_input"
    status = 422


class TooLarge(UsageError):
    """The request is larger than this server takes."""

    code = "too_large"
    status = 413


class UnknownModel(UsageError):
    """No node has a model of this name; `halext models` lists what there is."""

    code = "unknown_model"
    status = 404


class UnknownNode(UsageError):
    """There is no node of this name; `halext node list` shows all."""

    code = "unknown_node"
    status = 404


class NotFound(UsageError):
    """There is nothing here under this name."""

    code = "not_found"
    status = 404


class UnknownWorkspace(UsageError):
    """You are in no workspace of this name; `halext workspace list` shows yours."""

    code = "unknown_workspace"
    status = 404


class MethodNotAllowed(UsageError):
    """This address is there, but not for this HTTP method."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, message: str | None = None, *, allow: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allow = allow  # the methods that it takes


class NotOffered(UsageError):
    """halext does not offer this operation to clients; an administrator manages models with `halext node`."""

    code = "not_offered"
    status = 403


class AccessError(HalextError):
    """The caller may not do this."""

    code = "access"
    status = 403


class Unauthenticated(AccessError):
    """Unknown caller: send an API token (`halext token create`) or sign in."""

    code = "unauthenticated"
    status = 401


class Forbidden(AccessError):
    """This needs a right that the caller does not have; ask an administrator."""

    code = "forbidden"


class SignInAgain(AccessError):
    """This changes who gets in or where secrets go: sign in again, since the last time is more than an hour ago."""

    code = "sign_in_again"


class TooManyRequests(AccessError):
    """Too many attempts; wait a little and try again."""

    code = "too_many_requests"
    status = 429
    retryable = True


class QuotaSpent(AccessError):
    """Your quota is spent; `/usage` and your account's page say when there is more."""

    code = "quota_spent"
    status = 429
    retryable = True


class CapacityError(HalextError):
    """No node can take this request now."""

    code = "capacity"
    status = 503
    retryable = True


class NoNodeOnline(CapacityError):
    """No node is online; `halext node list` says why."""

    code = "no_node_online"


class NoNodeHasModel(CapacityError):
    """The nodes that have this model are offline or take no requests now."""

    code = "no_node_has_model"


class NoNodeMakesPictures(CapacityError):
    """No node makes pictures; add one with Stable Diffusion: `halext node add pc http://pc:7860`."""

    code = "no_node_makes_pictures"


class AllBusy(CapacityError):
    """Every node that could answer is busy; try again in a moment."""

    code = "all_busy"


class Crowded(CapacityError):
    """halext holds as much as it can for others just now; try again in a moment."""

    code = "crowded"


class UpstreamError(HalextError):
    """A node failed while it worked on a request.

    `node` and `endpoint` say which one, `began` whether the caller had already been given a part of the answer.
    """

    code = "upstream"
    status = 502
    retryable = True

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


class Unreachable(UpstreamError):
    """The node can't be reached; check that it is switched on and that its server runs."""

    code = "unreachable"


class TimedOut(UpstreamError):
    """The node did not answer in time."""

    code = "timed_out"
    status = 504


class RateLimited(UpstreamError):
    """The node says that it is busy."""

    code = "rate_limited"
    status = 503


class BadAnswer(UpstreamError):
    """The node sent an answer that can't be read."""

    code = "bad_answer"


class ModelMissing(UpstreamError):
    """The node says that it does not have this model any more."""

    code = "model_missing"
    status = 404


class RequestRefused(UpstreamError):
    """The node refused the request as wrong; another node would say the same."""

    code = "request_refused"
    status = 400
    retryable = False


class KeyRefused(UpstreamError):
    """The node refused halext's key; set it again with `halext node add NAME URL --header …`."""

    code = "key_refused"
    retryable = False


class Interrupted(UpstreamError):
    """The node stopped in the middle of its answer; what had arrived is kept."""

    code = "interrupted"
    reply: Any = (
        None  # for users of the library the `halext.Reply` with that part; its class stands far above this file
    )


class StateError(HalextError):
    """This clashes with how things are now."""

    code = "state"
    status = 409


class AlreadyExists(StateError):
    """There is one of this name already."""

    code = "already_exists"


class Conflict(StateError):
    """Someone else changed this in the meantime; look again and repeat."""

    code = "conflict"


class Cancelled(StateError):
    """This was cancelled before it was finished."""

    code = "cancelled"


class AlreadyRunning(StateError):
    """Another halext is running on this data directory; stop it first or use another --data."""

    code = "already_running"


class PortInUse(StateError):
    """Another program listens on this port; choose one with --port."""

    code = "port_in_use"


class SchemaMismatch(StateError):
    """The database has another schema version than this halext; run `halext db upgrade`."""

    code = "schema_mismatch"


class DatabaseUnavailable(StateError):
    """The database does not answer or takes no changes now; try again in a moment."""

    code = "database_unavailable"
    status = 503
    retryable = True


class Stopped(StateError):
    """This was stopped before it was finished; run it again to go on."""

    code = "stopped"


class VaultError(HalextError):
    """A stored secret can't be used."""

    code = "vault"


class WrongKey(VaultError):
    """The master key does not open this secret; restore the key or enter the secret again."""

    code = "wrong_key"


class UnknownSecret(VaultError):
    """There is no secret of this name; `halext key list` shows all."""

    code = "unknown_secret"
    status = 404


class ConfigError(HalextError):
    """halext is not set up for this."""

    code = "config"


class MissingExtra(ConfigError):
    """A part of halext that is not installed is needed."""

    code = "missing_extra"


class InvalidSetting(ConfigError):
    """A setting has a value that can't be used."""

    code = "invalid_setting"


class DataDirUnusable(ConfigError):
    """The data directory can't be written; choose another with --data or HALEXT_DATA_DIR."""

    code = "data_dir_unusable"


class Internal(HalextError):
    """Something broke inside halext; the log has the details under this request's id."""

    code = "internal"


def by_code(code: str | None, under: type[HalextError] = HalextError) -> type[HalextError] | None:
    """The error of this code, for a failure that was told and not raised; None for a code that is not known here."""
    if under.code == code:
        return under
    return next((found for each in under.__subclasses__() if (found := by_code(code, each))), None)
