"""What must be in the wheel, and what must not: run by .ci/run on the wheel that it has just built."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = {"halext": ROOT, "halext_bots": ROOT / "bots", "halext_web": ROOT / "web"}
SHIPPED = {".py", ".typed", ".html", ".css", ".js", ".svg", ".png", ".txt", ".webmanifest", ".ico"}


def expected() -> set[str]:
    """Every file of the three packages that users need."""
    return {
        path.relative_to(root).as_posix()
        for package, root in SOURCES.items()
        for path in (root / package).rglob("*")
        if path.suffix in SHIPPED and "__pycache__" not in path.parts
    }


def check(wheel: Path) -> list[str]:
    """What is wrong with the wheel, one line each."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        entry_points = archive.read(info).decode()
    code = {name for name in names if ".dist-info/" not in name}
    faults = [f"missing: {name}" for name in sorted(expected() - code)]
    faults += [f"does not belong there: {name}" for name in sorted(code - expected())]
    faults += [
        f"no entry point: {line}"
        for line in ("halext = halext.cli.main:main", "[halext.services]")
        if line not in entry_points
    ]
    if not any(name.endswith("LICENSE") for name in names):
        faults.append("missing: the licence")
    return faults


if __name__ == "__main__":
    found = check(Path(sys.argv[1]))
    sys.stdout.write("\n".join(found or [f"{Path(sys.argv[1]).name}: {len(expected())} files, all there"]) + "\n")
    sys.exit(bool(found))
