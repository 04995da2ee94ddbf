from __future__ import annotations

import re
from pathlib import Path

from halext.runtime.metrics import names

PAGE = Path(__file__).parents[4] / "docs" / "monitoring.md"


def test_every_metric_is_described_with_its_labels_and_none_is_invented() -> None:
    rows = re.findall(r"^\| `(halext_\w+)` \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    described = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    ours = {name: labels for name, labels in described.items() if not name.startswith("halext_process_")}
    assert ours == {metric.name: metric.labels for metric in names.ALL}


def test_names_say_what_they_count_and_in_what() -> None:
    assert len({metric.name for metric in names.ALL}) == len(names.ALL) > 20
    for metric in names.ALL:
        assert re.fullmatch(r"halext_[a-z_]+", metric.name)
        assert metric.help.endswith(".")
        assert metric.name.endswith("_total") == (metric.type == "counter")
        if metric.type == "histogram":
            assert metric.name.endswith("_seconds")
        assert not re.search(r"_(ms|s|mb|kb|percent)$", metric.name)
