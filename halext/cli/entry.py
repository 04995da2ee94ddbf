"""What people type or pipe in: secrets that must not stand in the argument list, and text to work on."""

from __future__ import annotations

import sys

import typer

from halext.errors import TooLarge

INPUT_MAX_BYTES = 1_000_000
"""As much as one JSON request may have on halext's own routes; also what keeps an endless pipe from filling memory."""


def is_piped() -> bool:
    """Whether standard input is a file or a pipe, and not a person."""
    return sys.stdin is not None and not sys.stdin.isatty()


def read_secret(label: str, *, twice: bool = False) -> str:
    """A secret from a prompt that does not show it, or the first line of what is piped in.

    Raises `typer.BadParameter` for an empty one.
    """
    if is_piped():
        secret = sys.stdin.readline().rstrip("\r\n")
    else:
        secret = typer.prompt(label, hide_input=True, confirmation_prompt=twice, err=True)
    if not secret:
        raise typer.BadParameter(f"{label} is empty; type it at the prompt or pipe one line in.")
    return secret


def read_piped() -> str:
    """All that is piped in, without its last line end; "" where a person sits. Raises `TooLarge`."""
    if not is_piped():
        return ""
    data = sys.stdin.buffer.read(INPUT_MAX_BYTES + 1)
    if len(data) > INPUT_MAX_BYTES:
        raise TooLarge(f"More than {INPUT_MAX_BYTES // 1000} kB were piped in; send less at once.")
    return data.decode(errors="replace").rstrip("\r\n")
