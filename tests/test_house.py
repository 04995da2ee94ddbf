"""The rules of the house that import-linter can't see."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import halext
from halext import errors

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
PACKAGES = {"halext": ROOT, "halext_bots": ROOT / "bots", "halext_web": ROOT / "web"}
SOURCES = {
    ".".join(path.relative_to(root).with_suffix("").parts): path
    for package, root in PACKAGES.items()
    for path in (root / package).rglob("*.py")
}
TREES = {module: ast.parse(path.read_text()) for module, path in SOURCES.items()}

LONGEST_FILE = 400
"""Lines. A file is one noun; the few longer ones are named here, and this list only shrinks."""
LONG_FILES = {"halext.gateway.dispatch", "halext.upstreams.http"}
LONGEST_FUNCTION = 60

NOUNS = re.compile(r"\.(types|shapes(_\w+)?)$")
"""Files of frozen nouns: there is nothing in them to test but that they are read as meant, which others show."""
UNMIRRORED = {
    # Nouns and protocols without behaviour, and doorways that other tests walk through.
    "halext.__main__", "halext._version", "halext.events", "halext.messages", "halext.runtime.app", "halext.upstream",
    # One line around a library or another file, shown by the journeys and by the tests of what they serve.
    "halext.runtime.clock", "halext.runtime.schedule", "halext.storage.base",
}  # fmt: skip
"""Files without a test of their own name. This list only shrinks."""


def pure_modules() -> list[str]:
    """What the purity contract names."""
    patterns = CONTRACTS["Pure files never wait, look or draw"]["source_modules"]
    return [
        module
        for module in TREES
        if any(fnmatch(module, pattern.replace("**", "*")) or module.startswith(pattern + ".") for pattern in patterns)
    ]


def loaded(*modules: str, then: str = "") -> set[str]:
    """The modules that are loaded after importing these in a fresh interpreter."""
    code = f"import sys, {', '.join(modules)}\n{then}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()} | set(done.stdout.split())


def test_no_pure_file_awaits() -> None:
    waiting = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = {module for module in pure_modules() for node in ast.walk(TREES[module]) if isinstance(node, waiting)}
    assert found == set()
    assert len(pure_modules()) > 25


HEAVY = {
    "aiohttp",
    "httpx",
    "sqlalchemy",
    "alembic",
    "pydantic",
    "starlette",
    "uvicorn",
    "discord",
    "telegram",
    "asyncio",
    "numpy",
    "PIL",
}


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert HEAVY & loaded("halext") == set()


def test_pure_files_load_nothing_heavy() -> None:
    light = [module for module in pure_modules() if module != "halext.nodes.store"]
    assert (HEAVY - {"asyncio"}) & loaded(*light) == set()


def test_a_fleet_of_ones_own_loads_no_database_and_no_web() -> None:
    assert {"sqlalchemy", "alembic", "starlette", "uvicorn"} & loaded("halext.runtime.local") == set()


def test_what_few_have_a_use_for_is_not_loaded_at_start() -> None:
    parts = ["halext.runtime.up", "halext.runtime.tunnel_service", "halext_web.service"]
    bots = ["halext_bots.discord.service", "halext_bots.telegram.service"]
    assert {"alembic", "asyncssh", "discord", "telegram", "PIL", "xllamacpp", "jwt"} & loaded(*parts, *bots) == set()


def test_every_foreign_library_has_a_home() -> None:
    used = {name.split(".")[0] for tree in TREES.values() for name in _imports(tree)}
    known = {*CONTRACTS["Every foreign library has its home"]["forbidden_modules"], *sys.stdlib_module_names, *PACKAGES}
    assert used - known == set()


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_folders_are_packages_and_packages_are_empty() -> None:
    for module, tree in TREES.items():
        parent = module.rpartition(".")[0]
        assert not parent or f"{parent}.__init__" in TREES, module
        if module.endswith(".__init__") and module != "halext.__init__":
            assert len(tree.body) == 1, f"{module} is more than a docstring"


def test_the_drawn_error_tree_is_the_real_one() -> None:
    drawn = re.findall(r"^[│ ]*(?:[├└]── )?([A-Z]\w+)$", errors.__doc__ or "", re.MULTILINE)
    assert drawn == [kind.__name__ for kind in _tree(errors.HalextError)]


def _tree(kind: type[errors.HalextError]) -> Iterator[type[errors.HalextError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == "halext.errors":
            yield from _tree(child)


def test_every_leaf_of_the_error_tree_has_a_code_and_a_sentence() -> None:
    kinds = list(_tree(errors.HalextError))
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert 400 <= kind.status < 600
        assert kind().message.endswith("."), kind


def test_every_file_has_its_own_test() -> None:
    mirrors = {path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    missing = set()
    for module in TREES:
        if module.endswith("__init__") or ".migrations." in module or NOUNS.search(module):
            continue
        package, *folders, name = module.split(".")
        place = {"halext": "halext", "halext_web": "web", "halext_bots": "bots"}[package]
        if not any(f"{'/'.join([place, *folders])}/test_{stem}.py" in mirrors for stem in (name, name.strip("_"))):
            missing.add(module)
    assert missing - UNMIRRORED == set(), "these files have no test of their own"
    assert UNMIRRORED - missing - {"halext.__main__"} == set(), "these have one now: take them off the list"


def test_files_and_functions_are_of_a_readable_size() -> None:
    long_files = {module for module, path in SOURCES.items() if path.read_text().count("\n") > LONGEST_FILE}
    assert long_files <= LONG_FILES
    long_functions = {
        f"{module}.{node.name}"
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno > LONGEST_FUNCTION
        and ".versions." not in module
    }
    assert long_functions == set()


def test_nothing_is_left_for_later() -> None:
    marks = re.compile("TO" + "DO|FIX" + "ME|XX" + "X|raise Not" + "ImplementedError")
    assert {module for module, path in SOURCES.items() if marks.search(path.read_text())} == set()


def test_the_front_door_names_what_it_has() -> None:
    assert list(halext.__all__) == sorted(halext.__all__)
    for name in halext.__all__:
        assert getattr(halext, name) is not None


def test_entry_points_resolve() -> None:
    for group in ("halext.services", "console_scripts", "pytest11"):
        for point in entry_points(group=group):
            if point.value.split(".")[0].split(":")[0] in PACKAGES:
                assert point.load() is not None


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_pins_carry_hashes_and_no_addresses(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    pins = re.split(r"\n(?=\S)", text)
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_no_file_names_a_registrys_host() -> None:
    hosts = re.compile(r"\b(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com|net)\b")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = (
        ROOT / name for name in listed if Path(name).suffix in {".py", ".md", ".toml", ".lock", ".html", ".js", ""}
    )
    assert [str(path) for path in texts if path.is_file() and hosts.search(path.read_text(errors="replace"))] == []
