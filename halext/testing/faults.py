"""Misbehaviour to order: what goes wrong, where in a request's life, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from halext.testing.models import same_name

Step = int | Literal["connect", "head", "load", "first_token", "before_done", "after_done"]
"""A point in a request's life: the connection is accepted, the request was read, a cold model is about to load, before
the first token, before token k (an int from 1), before the last line, after it but before the clean end."""

FaultKind = Literal[
    "error",  # the server's own error: a status before the first byte, an error line after it
    "page",  # a tunnel's HTML page with `status` (530), before the first byte
    "reset",  # half of the line that is due, then a connection reset
    "eof",  # a clean end without the closing line
    "stall",  # nothing more for `seconds`, or until the client leaves
    "garbage",  # a line that is no JSON, then on as usual
    "huge",  # a token of `size` bytes, then on as usual
    "drip",  # from here on three bytes per write, `seconds` apart
    "split",  # from here on every write is cut in two inside a character that has several bytes, or in mid-line
    "glue",  # from here on two lines per write
    "oom",  # out of memory: on a load it evicts the others and is tried once more, later it empties the server
]

LOAD_KINDS = frozenset({"error", "stall", "oom"})
CONNECT_KINDS = frozenset({"reset", "stall"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of misbehaviour and its measures; those that its kind has no use for mean nothing."""

    step: Step
    kind: FaultKind
    status: int | None = None
    text: str = ""
    size: int = 1 << 20
    seconds: float | None = None


@dataclass(slots=True)
class _Order:
    fault: Fault
    times: int | None
    path: str | None
    model: str | None

    def concerns(self, model: str) -> bool:
        return self.model is None or same_name(self.model, model)


class Plan:
    """The faults of one request."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._faults = faults

    def at(self, *steps: Step) -> list[Fault]:
        """Those that strike at any of these steps, in the order they were asked for."""
        return [fault for fault in self._faults if fault.step in steps]


class Faults:
    """The faults that are still to happen: `server.faults.at(3, "reset")` cuts the next answer at its third token."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []

    def at(
        self,
        step: Step,
        kind: FaultKind,
        *,
        times: int | None = 1,
        path: str | None = None,
        model: str | None = None,
        status: int | None = None,
        text: str = "",
        size: int = 1 << 20,
        seconds: float | None = None,
    ) -> None:
        """Let `kind` happen at `step` of the next `times` requests (None: of all); at "load", of the next loads.

        Without `path` only requests that make a model work count, never a probe.
        `status` is 500 for an error and 530 for a page unless given; `text` replaces the server's own words; `size` is
        in bytes, `seconds` is time on the fake's clock.
        """
        if step == "load" and kind not in LOAD_KINDS:
            raise ValueError(f"a load can fail by {', '.join(sorted(LOAD_KINDS))}, not by {kind!r}")
        if step == "connect" and kind not in CONNECT_KINDS:
            raise ValueError(f"a connection can fail by {', '.join(sorted(CONNECT_KINDS))}, not by {kind!r}")
        fault = Fault(step, kind, status, text, size, seconds)
        self._orders.append(_Order(fault, times, path, model))

    def clear(self) -> None:
        """Forget all faults that did not happen yet."""
        self._orders.clear()

    def take(self, path: str, model: str, *, works: bool) -> Plan:
        """The plan for a request; `works` says whether it makes a model work."""
        taken = [
            order
            for order in self._orders
            if order.fault.step not in {"connect", "load"}
            and (order.path == path or (order.path is None and works))
            and order.concerns(model)
        ]
        for order in taken:
            self._use(order)
        return Plan(tuple(order.fault for order in taken))

    def take_load(self, model: str) -> Fault | None:
        """What goes wrong with the next load of this model."""
        for order in self._orders:
            if order.fault.step == "load" and order.concerns(model):
                self._use(order)
                return order.fault
        return None

    def take_connection(self) -> Literal["serve", "reset", "silent"]:
        """What the next new connection meets."""
        for order in self._orders:
            if order.fault.step == "connect":
                self._use(order)
                return "reset" if order.fault.kind == "reset" else "silent"
        return "serve"

    def _use(self, order: _Order) -> None:
        if order.times is not None:
            order.times -= 1
            if order.times <= 0:
                self._orders.remove(order)
