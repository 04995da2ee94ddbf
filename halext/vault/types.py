"""Secrets by name and owner, and who is told that one was used."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from halext.types import SecretRef, UserId


class SecretKind(StrEnum):
    """What a secret is for. It is sealed together with the value, so that one can't be passed off as another."""

    NODE = "node"
    """Request headers of a node."""
    PROVIDER = "provider"
    """A key for a service elsewhere."""
    BOT = "bot"
    WEBHOOK = "webhook"
    PERSONAL = "personal"
    """A person's own."""


@dataclass(frozen=True, slots=True)
class Label:
    """Whose secret it is, what it is called and what it is for: what a sealed secret is bound to."""

    ref: SecretRef
    owner: UserId | None
    """None: the house's."""
    kind: SecretKind


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as the database holds it: nothing of it says anything without a master key."""

    text: str = field(repr=False)
    """The value, sealed with its own data key."""
    data_key: str | None = field(repr=False)
    """The data key, sealed with a master key; None in rows of older versions, whose value a master key sealed."""
    key_id: str
    """Which master key that was; see `SecretInfo.key_id`."""


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """A stored secret, without the secret."""

    label: Label
    owner_name: str
    """The owner's name; "" for the house's."""
    created_at: float
    updated_at: float
    used_at: float | None
    """When it was last used, as far as uses are noted: see `Vault.reveal`."""
    key_id: str
    """The first characters of the SHA-256 of the master key that seals its data key."""

    @property
    def ref(self) -> SecretRef:
        """Its name."""
        return self.label.ref

    @property
    def title(self) -> str:
        """Its name, and whose it is where it is a person's."""
        return f"{self.ref} (of {self.owner_name})" if self.owner_name else self.ref


class Audit(Protocol):
    """Takes down that a secret was used; never the secret."""

    def used(self, ref: SecretRef, by: str, purpose: str, *, owner: UserId | None = None) -> None:
        """`by` is a person's name, or "house" for halext itself. Must neither wait nor raise."""
