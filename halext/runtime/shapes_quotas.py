"""The JSON of quotas."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from halext.runtime.shapes import Params

Kind = Literal["user", "workspace", "role"]
Limit = int | None | UnsetType


class QuotaOf(Params, frozen=True, kw_only=True):
    """Whose quota: a person by name, a workspace by number, or a role, for those in it who have none of their own."""

    kind: Kind
    subject: str


class SetQuota(QuotaOf, frozen=True, kw_only=True):
    """New limits. `null` is no limit; what is left out stays as it is."""

    requests_per_minute: Limit = UNSET
    tokens_per_day: Limit = UNSET
    images_per_day: Limit = UNSET
    gpu_seconds_per_day: Limit = UNSET


class QuotaLine(Struct, frozen=True, kw_only=True):
    """How one measure stands. Without a limit nothing is counted, and the numbers are null."""

    measure: str
    whose: Literal["yours", "workspace"]
    limit: int | None
    used: float | None
    held: float | None
    """Promised to requests that are still running."""
    left: float | None
    resets_at: float
    """Days begin at midnight UTC."""


class QuotaInfo(Struct, frozen=True, kw_only=True):
    """The limits of a person, a workspace or a role. null: no limit."""

    kind: str
    subject: str
    requests_per_minute: int | None
    tokens_per_day: int | None
    images_per_day: int | None
    gpu_seconds_per_day: int | None
    own: list[str]
    """The limits that are set here; the others come from the role, or from halext's defaults."""
