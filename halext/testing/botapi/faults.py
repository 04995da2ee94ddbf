"""What goes wrong with calls of a bot, by order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cut = Literal["before", "after"]
"""The connection is cut before the call has taken place, or after: then it has, and only its answer is lost."""


@dataclass(frozen=True, slots=True)
class CallFault:
    """One thing that happens to a call. `delay_s` is on the fake's clock and comes before all else."""

    status: int | None = None
    text: str = ""
    body: bytes | None = None
    delay_s: float = 0.0
    cut: Cut | None = None
    retry_after: float | None = None


@dataclass(slots=True)
class _Order:
    method: str
    skip: int
    left: int
    fault: CallFault


class CallFaults:
    """The faults that are still to happen: `faults.at("editMessageText", nth=3, status=502)`."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []

    def at(
        self,
        method: str,
        *,
        nth: int = 1,
        times: int = 1,
        status: int | None = None,
        text: str = "",
        body: bytes | None = None,
        delay_s: float = 0.0,
        cut: Cut | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Let this happen to the `nth` call of `method` from now on and to `times - 1` after it.

        `method` is a name of the API, "file" for downloads or "*" for any. With a status the call has no effect and
        `text` (or exactly `body`) is the answer; `retry_after` is put into it as it is, in real seconds.
        """
        self._orders.append(
            _Order(method.lower(), nth - 1, times, CallFault(status, text, body, delay_s, cut, retry_after))
        )

    def clear(self) -> None:
        """Forget all faults that did not happen yet."""
        self._orders.clear()

    def take(self, method: str) -> list[CallFault]:
        """The faults of a call that is being made now."""
        taken = []
        for order in [order for order in self._orders if order.method in {method.lower(), "*"}]:
            if order.skip:
                order.skip -= 1
                continue
            taken.append(order.fault)
            order.left -= 1
            if not order.left:
                self._orders.remove(order)
        return taken
