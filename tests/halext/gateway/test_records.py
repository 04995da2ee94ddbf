from __future__ import annotations

from halext.accounts.types import LOCAL
from halext.gateway.records import Records
from halext.gateway.types import Record
from halext.types import ModelName, RequestId


def test_the_oldest_makes_room() -> None:
    records = Records(limit=2)
    for name in "abc":
        records.add(Record(RequestId(name), LOCAL, ModelName("m"), 0.0, "chat"))
    assert [records.find(RequestId(name)) is not None for name in "abc"] == [False, True, True]


def test_whoever_listens_hears_of_the_end() -> None:
    records, heard = Records(), list[Record]()
    records.listen(heard.append)
    record = Record(RequestId("a"), LOCAL, ModelName("m"), 0.0, "chat")
    records.add(record)
    assert heard == []
    records.ended(record)
    assert heard == [record]
