"""What happened to the last requests, in memory, for whoever asks why."""

from __future__ import annotations

from collections import OrderedDict

from halext.gateway.types import Record
from halext.types import RequestId


class Records:
    """The newest records, at most `limit`; the oldest makes room."""

    def __init__(self, limit: int = 2_000) -> None:
        self._limit = limit
        self._records: OrderedDict[RequestId, Record] = OrderedDict()

    def add(self, record: Record) -> None:
        """Remember one; it goes on changing while the request runs."""
        self._records[record.id] = record
        if len(self._records) > self._limit:
            self._records.popitem(last=False)

    def find(self, request: RequestId) -> Record | None:
        """The record of this request, while it is remembered."""
        return self._records.get(request)
