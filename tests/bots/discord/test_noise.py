"""Lines of the library that we say better are held back, and no others."""

from __future__ import annotations

import logging

import pytest

from halext_bots.discord.noise import LOGGER, hush


def test_only_what_is_said_elsewhere_is_held_back(caplog: pytest.LogCaptureFixture) -> None:
    hush()
    hush()
    logger = logging.getLogger(LOGGER)
    logger.error("Attempting a reconnect in %.2fs", 1.0)
    logger.warning("PyNaCl is not installed, voice will NOT be supported")
    logger.warning("something else: %s", "Attempting a reconnect")
    assert caplog.messages == ["something else: Attempting a reconnect"]
    assert len(logger.filters) == 1
