"""One process per data directory, whatever becomes of it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from halext.errors import AlreadyRunning, DataDirUnusable
from halext.hosts.lock import LOCK_FILE, RUN_FILE, DataDirLock, holder, is_locked

HOLD = """
import sys
from pathlib import Path
from halext.hosts.lock import DataDirLock
with DataDirLock(Path(sys.argv[1])) as lock:
    lock.publish({"url": "http://127.0.0.1:1", "token": "t"})
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_one_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as other:
        assert is_locked(tmp_path)
        found = holder(tmp_path)
        assert found is not None
        assert found.pid == other.pid
        assert abs(found.since - (tmp_path / LOCK_FILE).stat().st_mtime) < 1
        with (
            pytest.raises(AlreadyRunning, match=rf"process {other.pid}, since 20\d\d-.* UTC.*--data"),
            DataDirLock(tmp_path),
        ):
            pass
        assert (tmp_path / RUN_FILE).exists()  # the loser leaves the winner's file alone


def test_a_killed_holder_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait(10)
    assert (tmp_path / RUN_FILE).exists()
    assert not is_locked(tmp_path)
    assert holder(tmp_path) is None
    with DataDirLock(tmp_path):
        assert not (tmp_path / RUN_FILE).exists()  # stale, and nobody should call that address
        assert is_locked(tmp_path)


def test_what_is_published_is_private_and_goes_with_the_lock(tmp_path: Path) -> None:
    with DataDirLock(tmp_path) as lock:
        lock.publish({"url": "http://127.0.0.1:8484", "token": "t"})
        file = tmp_path / RUN_FILE
        told = json.loads(file.read_text(encoding="utf-8"))
        assert told == {"pid": os.getpid(), "url": "http://127.0.0.1:8484", "token": "t"}
        assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o600
        found = holder(tmp_path)
        assert found is not None
        assert found.pid == os.getpid()
    assert not file.exists()
    assert not is_locked(tmp_path)


def test_the_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with DataDirLock(tmp_path):
            assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_nobody_has_what_does_not_exist(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "missing")
    assert holder(tmp_path) is None
    with pytest.raises(DataDirUnusable, match="missing"), DataDirLock(tmp_path / "missing"):
        pass


def test_a_holder_that_has_not_written_yet(tmp_path: Path) -> None:
    with DataDirLock(tmp_path):
        (tmp_path / LOCK_FILE).write_text("", encoding="utf-8")
        assert holder(tmp_path) is None
        with pytest.raises(AlreadyRunning, match="--data"), DataDirLock(tmp_path):
            pass
