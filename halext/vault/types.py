"""Secrets by name."""

from __future__ import annotations

from dataclasses import dataclass

from halext.types import SecretRef


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """A stored secret, without the secret."""

    ref: SecretRef
    created_at: float
    updated_at: float
    key_id: str
    """The first characters of the SHA-256 of the master key that encrypts it."""
