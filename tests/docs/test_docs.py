"""What the pages show runs, and prints what they say. What can't run here is listed with its reason."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from .conftest import PAGES, ROOT, Scene, Shown, at_home, blocks, environment_of, halext_up, is_like, shown

NOT_RUN = {
    "make run": "it installs, and runs for ever; below is what it starts",
    "make test": "it is what runs this",
    "make bench": "figures, and minutes",
    "halext user passwd Ann": "asks for a password on a terminal; tests/halext/cli/test_user.py",
}


def commands() -> list[Shown]:
    """Every command that a page shows, in order."""
    return [command for page in PAGES for command in shown(page)]


def complaint(command: Shown, scene: Scene) -> str:
    """What is wrong with a command; empty when it does what its page says."""
    done = scene.run(command.command)
    failed = done.returncode != 0 or '"code":' in done.stdout  # every error has one, in each dialect
    if failed or (command.prints and not is_like(done.stdout, command.prints)):
        return f"{command.page}: $ {command.command}\n{textwrap.indent(done.stdout, '    ')}"
    return ""


@pytest.mark.timeout(900)  # some hundred processes, one after the other
def test_every_command_does_what_its_page_says(tmp_path: Path) -> None:
    """In the order of the pages, since later commands build on earlier ones; each page adds the Mac anew."""
    wrong = []
    with at_home(tmp_path) as scene:
        for command in commands():
            if command.command.startswith("halext node add mac"):
                scene.run("halext node remove mac")
            if command.command not in NOT_RUN:
                wrong.append(complaint(command, scene))
    assert len(wrong) > 30
    assert not any(wrong), "\n".join(filter(None, wrong))


def test_what_is_not_run_is_really_there() -> None:
    assert set(NOT_RUN) <= {command.command for command in commands()}


def test_what_is_printed_is_compared() -> None:
    assert is_like("took 12.5 s\n  ok  1\n", "took 3 ms\nok 2")
    assert is_like("one\ntwo\nthree 3\n", "one\n…\nthree 4")
    assert not is_like("took 12.5 s", "took long")
    assert not is_like("one\ntwo\nmore", "one\ntwo")


def test_the_first_start_says_what_the_quickstart_shows(tmp_path: Path) -> None:
    (expected,) = (each.prints for each in shown(ROOT / "docs" / "quickstart.md") if each.command == "make run")
    with halext_up(tmp_path, environment_of(tmp_path)) as said:
        assert is_like(in_any_order(said), in_any_order(expected)), said


def in_any_order(text: str) -> str:
    """The lines sorted: the parts of halext start at the same time."""
    return "\n".join(sorted(text.splitlines()))


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_every_example_runs(scene: Scene, page: str) -> None:
    examples = blocks(ROOT / page, "python")
    assert examples
    for example in examples:
        done = scene.python(example)
        assert done.returncode == 0, example + done.stdout


def test_the_example_of_a_test_is_a_test_that_passes(scene: Scene) -> None:
    (example,) = blocks(ROOT / "docs" / "testing.md", "python")
    done = scene.python(example, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "1 passed" in done.stdout, done.stdout


def test_no_python_is_shown_that_nobody_runs() -> None:
    run = {"README.md", "library.md", "testing.md"}
    assert {page.name for page in PAGES if blocks(page, "python")} == run
