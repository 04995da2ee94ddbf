"""`%load_ext halext`: a cell that begins with `%%ask` is a question."""

from __future__ import annotations

import shlex
from typing import Any

from halext.client.connect import connect
from halext.client.reply import Reply
from halext.errors import InvalidInput

USAGE = "Use it as in `%%ask -m llama3.2:3b --node mac`; the question is the rest of the cell."


class Asking:
    """The magic, with the client that it asks: the one that `connect` gives without arguments."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def ask(self, line: str, cell: str) -> Reply:
        """Ask the text of the cell. The reply is also in the variable `_reply`."""
        words = shlex.split(line)
        names = {
            "-m": "model",
            "--model": "model",
            "-n": "node",
            "--node": "node",
            "-s": "system",
            "--system": "system",
        }
        if len(words) % 2 or not set(words[::2]) <= set(names):
            raise InvalidInput(USAGE)
        said = {names[flag]: value for flag, value in zip(words[::2], words[1::2], strict=True)}
        reply = connect().ask(
            cell.strip(), model=said.get("model", ""), system=said.get("system", ""), node=said.get("node")
        )
        self._shell.push({"_reply": reply})
        return reply


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext halext`."""
    shell.register_magic_function(Asking(shell).ask, magic_kind="cell", magic_name="ask")
