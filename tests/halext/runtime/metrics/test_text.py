from __future__ import annotations

import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from halext.runtime.metrics import names
from halext.runtime.metrics.text import render
from halext.runtime.metrics.types import Family, Spread

WAITS = Family(names.WAIT, {("chat",): Spread((1, *[0] * 10, 1, 2), 2000.5)})
EVIL = 'a"b\\c\nhalext_forged 1'


def samples(text: bytes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_what_is_told_is_what_is_read() -> None:
    found = samples(render([WAITS, Family(names.NODE_FAILURES, {("mac",): 3.0}), Family(names.WAITING, {(): 2.0})]))
    assert found["halext_node_failures_total", "mac"] == 3
    assert found["halext_requests_waiting", ""] == 2
    assert found["halext_request_wait_seconds_count", "chat"] == 4
    assert found["halext_request_wait_seconds_sum", "chat"] == 2000.5
    assert found["halext_request_wait_seconds_bucket", "chat,0.1"] == 1
    assert found["halext_request_wait_seconds_bucket", "chat,900.0"] == 2
    assert found["halext_request_wait_seconds_bucket", "chat,+Inf"] == 4
    assert not any(name.endswith("_created") for name, _ in found)


def test_a_label_can_not_forge_a_line() -> None:
    text = render([Family(names.NODE_FAILURES, {(EVIL,): 1.0})])
    assert samples(text)["halext_node_failures_total", EVIL] == 1
    assert not any(line.startswith(b"halext_forged") for line in text.splitlines())


def test_every_metric_is_told_with_its_help() -> None:
    empty = render([Family(metric, {}) for metric in names.ALL]).decode()
    for metric in names.ALL:
        assert f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.type}\n" in empty


def test_the_library_is_loaded_with_the_first_scrape_only() -> None:
    code = (
        "import sys, halext.runtime.up, halext_web.service, halext_web.app\nprint('prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
