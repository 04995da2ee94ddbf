"""The one line that a home computer pastes to dial in. Pure text; every part of it has been checked before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from halext.tunnel.policy import FORWARD_HOST, INVITATION

RETRY_S = 2
"""How long a computer waits before it dials in again."""
SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Way:
    """Everything that a computer must know to dial in as `node`. `code` lets it in once, its own key from then on."""

    node: str
    host: str
    port: int
    host_key: str
    code: str
    ports: Sequence[int]

    @property
    def known_host(self) -> str:
        """The server's line for a known_hosts file: with it, nobody else can play the server."""
        name = self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"
        return f"{name} {self.host_key}"

    @property
    def command(self) -> str:
        """The ssh command up to, but without, the user and host. Works in the folder with the key."""
        options = [
            f"ssh -N -T -F none -p {self.port} -i {self.node}.key",
            "-o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes",
            f"-o UserKnownHostsFile={self.node}.host -o ExitOnForwardFailure=yes",
            "-o ServerAliveInterval=15 -o ServerAliveCountMax=2",
            *(f"-R {FORWARD_HOST}:{port}:{FORWARD_HOST}:{port}" for port in self.ports),
        ]
        return " ".join(options)


def unix(way: Way) -> str:
    """For a terminal on macOS or Linux, in any shell."""
    name = way.node
    return (
        "sh -c '"
        'mkdir -p -m 700 "$HOME/.halext" && cd "$HOME/.halext" && '
        f'{{ [ -f {name}.key ] || ssh-keygen -q -t ed25519 -N "" -C halext-{name} -f {name}.key; }} && '
        f'echo "{way.known_host}" > {name}.host || exit 1; '
        f'dial() {{ {way.command} "$1@{way.host}"; }}; '
        f"dial {INVITATION}{way.code}; "
        f"while sleep {RETRY_S}; do dial {name}; done'"
    )


def windows(way: Way) -> str:
    """For the Command Prompt of Windows 10 and 11, which have an ssh client."""
    name, home = way.node, '"%USERPROFILE%\\.halext"'
    return (
        f"(if not exist {home} mkdir {home}) & cd /d {home} & "
        f'(if not exist {name}.key ssh-keygen -q -t ed25519 -N "" -C halext-{name} -f {name}.key) & '
        # The file is named first: a digit before ">" would be taken for the number of a stream.
        f"(>{name}.host echo {way.known_host}) & "
        f"{way.command} {INVITATION}{way.code}@{way.host} & "
        f"for /l %i in () do (timeout /t {RETRY_S} /nobreak >nul & {way.command} {name}@{way.host})"
    )
