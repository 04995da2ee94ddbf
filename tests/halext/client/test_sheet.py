"""A PNG file that is looked at: small, whole, without Pillow, and broken."""

from __future__ import annotations

import io
import random
import sys
from pathlib import Path

import pytest
from PIL import Image as Pillow

from halext.client.sheet import PREVIEW_BYTES, Sheet, small
from halext.errors import MissingExtra
from halext.testing.pictures import draw

PNG = draw("a lighthouse", 1024, 768)


def noise(side: int) -> Pillow.Image:
    return Pillow.frombytes("RGB", (side, side), random.Random(7).randbytes(side * side * 3))


def test_it_is_opened_once_and_only_when_wanted() -> None:
    sheet = Sheet(PNG)
    assert "pil" not in vars(sheet)
    assert sheet.pil.size == (1024, 768)
    assert sheet.pil is sheet.pil


def test_a_png_is_saved_as_it_is_and_another_kind_by_its_name(tmp_path: Path) -> None:
    sheet = Sheet(PNG)
    assert sheet.save(tmp_path / "a.png").read_bytes() == PNG
    assert sheet.save(str(tmp_path / "B.PNG")).read_bytes() == PNG
    with Pillow.open(sheet.save(tmp_path / "a.jpg")) as saved:
        assert (saved.format, saved.size) == ("JPEG", (1024, 768))


def test_a_notebook_gets_a_small_one() -> None:
    shown = Sheet(PNG)._repr_png_()
    assert shown is not None
    with Pillow.open(io.BytesIO(shown)) as preview:
        assert preview.size == (512, 384)


@pytest.mark.parametrize("picture", [noise(2048), noise(40), noise(600).convert("RGBA"), noise(300).convert("L")])
def test_a_preview_is_small_whatever_it_shows(picture: Pillow.Image) -> None:
    size = picture.size
    with Pillow.open(io.BytesIO(small(picture))) as preview:
        assert max(preview.size) <= min(512, *size)
    assert len(small(picture)) <= PREVIEW_BYTES
    assert picture.size == size


def test_without_pillow_the_file_is_there_and_nothing_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    sheet = Sheet(PNG)
    assert sheet.save(tmp_path / "a.png").read_bytes() == PNG
    assert list(sheet._repr_mimebundle_()) == ["text/plain"]
    for opening in (lambda: sheet.pil, sheet.preview):
        with pytest.raises(MissingExtra, match=r"pip install 'halext\[notebook\]'"):
            opening()


@pytest.mark.parametrize("png", [b"", b"no picture", PNG[:300]])
def test_a_broken_file_shows_itself_in_words(png: bytes) -> None:
    assert list(Sheet(png)._repr_mimebundle_()) == ["text/plain"]
