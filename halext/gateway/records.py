"""What happened to the last requests, in memory, for whoever asks why."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from halext.gateway.types import Record
from halext.types import RequestId


class Records:
    """The newest records, at most `limit`; the oldest makes room."""

    def __init__(self, limit: int = 2_000) -> None:
        self._limit = limit
        self._records: OrderedDict[RequestId, Record] = OrderedDict()
        self._listeners: list[Callable[[Record], None]] = []

    def add(self, record: Record) -> None:
        """Remember one; it goes on changing while the request runs."""
        self._records[record.id] = record
        if len(self._records) > self._limit:
            self._records.popitem(last=False)

    def listen(self, hear: Callable[[Record], None]) -> None:
        """Have it told of every request when it has ended; it must not wait, and not fail."""
        self._listeners.append(hear)

    def ended(self, record: Record) -> None:
        """Say that a request has ended; its record is complete."""
        for hear in self._listeners:
            hear(record)

    def find(self, request: RequestId) -> Record | None:
        """The record of this request, while it is remembered."""
        return self._records.get(request)
