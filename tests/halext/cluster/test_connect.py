"""Which cluster a setting opens."""

from __future__ import annotations

import sys

import pytest

from halext.cluster.connect import open_cluster
from halext.cluster.memory import MemoryCluster
from halext.cluster.redis import RedisCluster
from halext.errors import InvalidSetting, MissingExtra
from halext.testing.clock import ManualClock

PASSWORD = "tell-nobody"


def test_without_a_url_it_is_memory() -> None:
    assert isinstance(open_cluster(None, ManualClock()), MemoryCluster)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "rediss://127.0.0.1", "unix:///run/redis.sock"])
def test_with_a_url_it_is_redis(url: str) -> None:
    assert isinstance(open_cluster(url, ManualClock()), RedisCluster)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:6379", f"http://:{PASSWORD}@127.0.0.1", f"redis://:{PASSWORD}@127.0.0.1:port/0"]
)
def test_a_wrong_url_is_one_sentence_without_the_password(url: str) -> None:
    with pytest.raises(InvalidSetting, match="HALEXT_REDIS_URL") as caught:
        open_cluster(url, ManualClock())
    assert PASSWORD not in caught.value.message
    assert caught.value.__suppress_context__


def test_a_missing_library_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "halext.cluster.redis", raising=False)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(MissingExtra, match=r"pip install 'halext\[redis\]'"):
        open_cluster("redis://127.0.0.1", ManualClock())
