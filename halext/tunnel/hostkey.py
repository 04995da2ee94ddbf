"""The key by which home computers recognise this server."""

from __future__ import annotations

from dataclasses import dataclass

import asyncssh

KIND = "ssh-ed25519"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host key: the private half for the server, the public one for the line that people paste."""

    private: asyncssh.SSHKey

    @property
    def public(self) -> str:
        """As `ssh-ed25519 AAAA…`, the way known_hosts files have it."""
        return public_text(self.private)

    @property
    def fingerprint(self) -> str:
        """As `SHA256:…`, the way ssh shows it."""
        return self.private.get_fingerprint()


def make() -> str:
    """A new private key, as the text of its file."""
    return asyncssh.generate_private_key(KIND, comment="halext").export_private_key().decode()


def read(text: str) -> HostKey:
    """The key in a file's text. Raises `ValueError` when it is none."""
    try:
        return HostKey(asyncssh.import_private_key(text))
    except asyncssh.KeyImportError as error:
        raise ValueError(str(error)) from error


def public_text(key: asyncssh.SSHKey) -> str:
    """The public half as `type base64`, without the comment: two keys are the same if these are."""
    kind, data = key.export_public_key().decode().split()[:2]
    return f"{kind} {data}"
