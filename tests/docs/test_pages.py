"""The pages say what the code says, of all that there is, and their links lead somewhere."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys

import pytest

from halext.commands import words
from halext.commands.load import load

from .conftest import PAGES, ROOT

GENERATED = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    """All settings, errors, operations and commands are in these pages."""
    assert (ROOT / "docs" / name).read_text() == GENERATED[name](), "run python docs/generate.py"


def test_every_command_of_chats_is_described_and_none_is_invented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    described = dict(re.findall(r"^### `/([a-z ]+[a-z])\b[^`]*`\n\n(.*)\.$", page, re.MULTILINE))
    assert described == {command.name: command.description for command in load().all()}
    for command in load().all():
        (section,) = re.findall(rf"^### `{re.escape(words.usage(command))}`\n([^#]*)", page, re.MULTILINE)
        assert re.findall(r"^- `(\w+)`", section, re.MULTILINE) == [option.name for option in command.options]


SERVED = """
from halext_web.app import all_routes
for route in all_routes():
    for method in route.methods:
        print(method, route.path)
"""
NOT_OURS = {"Permission denied (publickey)": "ssh says it"}


@pytest.fixture(scope="module")
def served() -> set[tuple[str, str]]:
    """Every method and address that the web answers, in a process where only the web itself fills the table."""
    done = subprocess.run([sys.executable, "-c", SERVED], capture_output=True, text=True, timeout=60, check=True)
    pairs = (line.split(" ", 1) for line in done.stdout.splitlines())
    return {(method, path.replace(":path}", "}")) for method, path in pairs}


def described() -> list[tuple[str, str]]:
    """Every address in the pages about HTTP, with its method where one stands before it."""
    text = "\n".join((ROOT / "docs" / name).read_text() for name in ("api.md", "operations.md"))
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`(?:(GET|POST|PUT|DELETE)\s)?(/[^`\s]*)`", text)


def test_every_route_is_described(served: set[tuple[str, str]]) -> None:
    assert {path for _, path in served} - {path for _, path in described()} == set()


def test_every_route_that_is_described_is_there(served: set[tuple[str, str]]) -> None:
    there = served | {("", path) for _, path in served} | {("", "/v1"), ("", "/api"), ("", "/hx")}
    assert set(described()) - there == set()


def test_the_sentences_of_troubleshooting_are_the_programs() -> None:
    sources = [path for folder in ("halext", "web") for path in (ROOT / folder).rglob("*.py")]
    trees = [ast.parse(path.read_text()) for path in sources]
    constants = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    said = "\n".join(value for value in constants if isinstance(value, str))
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    quoted = re.findall(r"^\| \*([^*]+)\*", page, re.MULTILINE)
    assert len(quoted) > 10
    for sentence in set(quoted) - set(NOT_OURS):
        for part in re.split(r"…|(?<=\.) ", sentence):
            assert part.strip(" .?") in said, f"nothing says {sentence!r}"


def test_links_and_pictures_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_can_be_found_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/(\w+\.md)\)", (ROOT / "README.md").read_text()))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - linked == set()


def test_make_targets_that_pages_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = {target for page in PAGES for target in re.findall(r"(?:`|\$ )make (\w+)", page.read_text())}
    assert len(named) > 2
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"there is no make {target}"


def test_files_that_pages_name_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"`((?:halext|web|tests|benchmarks|deploy)/[\w/]+\.\w+)`", page.read_text()):
            assert (ROOT / name).exists(), f"{page.name} names {name}"
