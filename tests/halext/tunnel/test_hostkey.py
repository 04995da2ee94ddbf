from __future__ import annotations

import asyncssh
import pytest

from halext.tunnel.hostkey import make, public_text, read


def test_a_key_is_the_same_after_a_restart() -> None:
    text = make()
    assert read(text).public == read(text).public
    assert read(text).public.startswith("ssh-ed25519 AAAA")
    assert read(text).fingerprint.startswith("SHA256:")
    assert read(text).public != read(make()).public


def test_a_key_does_not_show_its_private_half() -> None:
    text = make()
    secret = "".join(text.splitlines()[1:-1])
    assert secret[:40] not in repr(read(text))


def test_a_damaged_file_is_said() -> None:
    with pytest.raises(ValueError, match="key"):
        read("not a key")


def test_the_comment_is_no_part_of_a_key() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519", comment="me@home")
    assert public_text(key) == " ".join(key.export_public_key().decode().split()[:2])
    assert "me@home" not in public_text(key)
