"""The cluster that the settings ask for."""

from __future__ import annotations

from halext.cluster.memory import MemoryCluster
from halext.cluster.types import Cluster
from halext.errors import InvalidSetting, MissingExtra
from halext.types import Clock


def open_cluster(url: str | None, clock: Clock) -> Cluster:
    """Memory without a URL, else the Redis behind it. No connection is made yet.

    Raises `InvalidSetting` and `MissingExtra`; neither shows the URL's password.
    """
    if url is None:
        return MemoryCluster(clock)
    try:
        from halext.cluster.redis import RedisCluster
    except ModuleNotFoundError as error:
        raise MissingExtra("Redis needs one more package: pip install 'halext[redis]'") from error
    try:
        return RedisCluster(url, clock)
    except ValueError:
        # The cause is left out on purpose: it may quote the URL.
        raise InvalidSetting("HALEXT_REDIS_URL can't be read; try redis://HOST:6379/0") from None
