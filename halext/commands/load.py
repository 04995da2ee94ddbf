"""The whole table: importing a module of commands registers them."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points

from halext.commands import asking, fleet, people, pictures, todo, usage
from halext.commands.registry import REGISTRY, Registry

GROUP = "halext.commands"
"""Packages from outside name modules in this entry-point group; importing one registers its commands."""
OURS = (asking, fleet, people, pictures, todo, usage)
_log = logging.getLogger(__name__)


def load() -> Registry:
    """The table with all commands on it, ours and those of packages from outside; one that fails is said in the log."""
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit):  # noqa: BLE001  (whatever a foreign package raises must not close our doors)
            _log.exception("the commands of %s can't be loaded", point.value)
    return REGISTRY
