"""Pages and their files."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import halext_web
from halext_web.templates import Templates, show_seconds

FOLDER = Path(halext_web.__file__).parent
MARKUP = sorted((FOLDER / "templates").iterdir())


def test_files_are_named_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    file = tmp_path / "static" / "a.css"
    file.write_text("one")
    one = Templates(tmp_path).assets["a.css"]
    file.write_text("two")
    two = Templates(tmp_path).assets["a.css"]
    assert re.fullmatch(r"/static/a\.[0-9a-f]{12}\.css", one.address)
    assert one.address != two.address
    assert gzip.decompress(two.gzipped) == two.data == b"two"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0 ms"), (0.0301, "31 ms"), (0.9999, "1000 ms"), (1.0, "1.0 s"), (9.94, "9.9 s"), (12.4, "12 s")],
)
def test_times_are_written_as_the_script_writes_them(value: float, shown: str) -> None:
    assert show_seconds(value) == shown


def test_everything_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "x.html").write_text('<p title="{{ text }}">{{ text }}</p>')
    page = Templates(tmp_path).render("x.html", {"text": "<script>\"'&"})
    assert "<script>" not in page
    assert page.count("&lt;script&gt;&#34;&#39;&amp;") == 2


@pytest.mark.parametrize("path", MARKUP, ids=lambda path: path.name)
def test_templates_hold_nothing_that_the_policy_forbids(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:|\|\s*safe\b|https?://(?!192\.168)", text)
    for script in re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL):
        assert script == ""
    assert all("nonce=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_scripts_make_no_html_and_are_small() -> None:
    scripts = list((FOLDER / "static").glob("*.js"))
    for script in scripts:
        banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\.srcdoc"
        assert not re.search(banned, script.read_text()), script
    assert sum(script.stat().st_size for script in scripts) <= 12 * 1024
    assert len(gzip.compress((FOLDER / "static" / "app.css").read_bytes())) <= 8 * 1024
