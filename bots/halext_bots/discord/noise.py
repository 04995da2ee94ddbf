"""What Discord's library says in the log that we say better: in one line, once, without a traceback."""

from __future__ import annotations

import logging

LOGGER = "discord.client"
UNWANTED = ("Attempting a reconnect", "PyNaCl is not installed", "davey is not installed")
"""How those messages begin: a lost connection, and libraries for voice that nobody here needs."""


class Noise(logging.Filter):
    """Holds back what is said elsewhere."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is worth reading."""
        return not str(record.msg).startswith(UNWANTED)


_NOISE = Noise()


def hush() -> None:
    """From now on; doing it again changes nothing."""
    logging.getLogger(LOGGER).addFilter(_NOISE)
