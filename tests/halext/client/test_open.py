"""Where a client goes."""

from __future__ import annotations

import pytest

from halext.client.open import session_for
from halext.errors import InvalidInput


def test_urls_are_read_at_once_and_named() -> None:
    assert session_for(["mac", "https://ai.example.org"], {}).name == "http://mac:11434, https://ai.example.org:443"
    assert session_for([], {}).name == "what this machine offers"
    with pytest.raises(InvalidInput):
        session_for(["http://host:99999"], {})


def test_options_that_there_are_not() -> None:
    with pytest.raises(TypeError, match="no option 'tokn'; there are: default_model, headers, insecure, token"):
        session_for([], {"tokn": "x"})  # type: ignore[typeddict-unknown-key]  # the mistake is the test
