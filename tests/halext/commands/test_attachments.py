from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.chat import policy
from halext.commands.attachments import TEXT_MAX, is_picture, text_of, with_files
from halext.commands.types import File
from halext.errors import InvalidInput

PNG = b"\x89PNG\r\n\x1a\n rest"
JPEG = b"\xff\xd8\xff rest"
GIF = b"GIF89a rest"
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "


@pytest.mark.parametrize("data", [PNG, JPEG, GIF, b"GIF87a", WEBP])
def test_pictures_are_told_by_their_bytes(data: bytes) -> None:
    question, pictures = with_files("What is it?", [File("notes.txt", data)])
    assert question == "What is it?"
    assert [base64.b64decode(picture) for picture in pictures] == [data]
    assert policy.pictures(pictures) == tuple(pictures)


@pytest.mark.parametrize("data", [b"", b"PNG", b"RIFF\x10\0\0\0WAVE", b"<svg/>", b"GIF", b"BM"])
def test_what_is_no_picture(data: bytes) -> None:
    assert not is_picture(data)


def test_a_picture_without_words_is_a_question() -> None:
    assert with_files("  ", [File("x.png", PNG)])[0] == "What is in this picture?"
    assert with_files("", []) == ("", [])


def test_texts_stand_behind_the_question() -> None:
    question, pictures = with_files("Why?", [File("a.py", b"x = 1\n"), File("x.png", PNG), File("b.txt", b"")])
    assert question == "Why?\n\na.py:\n```\nx = 1\n```\n\nb.txt:\n```\n\n```"
    assert len(pictures) == 1
    assert with_files("", [File("a.txt", "\ufeffGrüße".encode())])[0] == "a.txt:\n```\nGrüße\n```"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(0, 6))
def test_no_text_ends_its_own_fence(text: str, ticks: int) -> None:
    data = f"{text}\n{'`' * ticks}\n{text}".encode()
    if is_picture(data):
        return
    quoted, _ = with_files("", [File("a", data)])
    fence = quoted.split("\n")[1]
    assert quoted.count(fence) == 2
    assert quoted.endswith(f"\n{fence}")


@pytest.mark.parametrize("data", [b"%PDF-1.7 \xe2\xe3", b"\xff\xfeh\0i\0", b"a\0b", b"PK\x03\x04\x14\0"])
def test_other_files_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"“holiday\.png” is neither a picture"):
        with_files("x", [File("holiday.png", data)])


def test_texts_that_no_model_could_read() -> None:
    assert text_of(File("a", b"x" * TEXT_MAX)) == "x" * TEXT_MAX
    with pytest.raises(InvalidInput, match="60,001 characters; send at most 60,000"):
        text_of(File("a", b"x" * (TEXT_MAX + 1)))


def test_the_bytes_of_a_file_are_in_no_log() -> None:
    assert "secret" not in repr(File("a", b"secret"))
