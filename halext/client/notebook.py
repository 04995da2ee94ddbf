"""The notebook that we may be running in. Nothing of IPython is imported before it is there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def shell() -> Any:
    """The interactive shell of a notebook's kernel; None in a script, a terminal or IPython's own terminal."""
    ipython = sys.modules.get("IPython")
    found = ipython.get_ipython() if ipython else None
    return found if getattr(found, "kernel", None) is not None else None


def cell() -> object:
    """What tells one run of a cell from another; None outside a notebook."""
    found = shell()
    return None if found is None else found.execution_count


class Slot:
    """A place in the cell's output whose content is replaced as it grows."""

    def __init__(self, content: Mapping[str, str]) -> None:
        from IPython.display import display

        self._handle: Any = display(dict(content), raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython

    def update(self, content: Mapping[str, str]) -> None:
        """Show this instead."""
        self._handle.update(dict(content), raw=True)
