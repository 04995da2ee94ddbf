"""A halext to which the example of a command is added."""

from tests.halext.commands.conftest import app, chat, mac, outside

__all__ = ["app", "chat", "mac", "outside"]
