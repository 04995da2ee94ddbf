from __future__ import annotations

import json

from halext.messages import EmbedRequest
from halext.types import ModelName
from tests.halext.cli.conftest import FakeControl, Run


def test_one_line_of_json_per_text(control: FakeControl, run: Run) -> None:
    control.vectors = ((0.5, -1.0), (0.25, 2.0))
    result = run("embed", "a cat", "a dog", "-m", "nomic-embed-text", "--node", "mac")
    assert result.code == 0
    assert [json.loads(line) for line in result.out.splitlines()] == [[0.5, -1.0], [0.25, 2.0]]
    assert control.asked == [(EmbedRequest(ModelName("nomic-embed-text"), ("a cat", "a dog")), "mac")]


def test_texts_can_be_piped_in_line_by_line(control: FakeControl, run: Run) -> None:
    control.vectors = ((1.0,), (2.0,))
    assert run("embed", stdin="eins\nzwei\n").out == "[1.0]\n[2.0]\n"
    assert control.asked == [(EmbedRequest(ModelName(""), ("eins", "zwei")), None)]


def test_given_texts_win_over_the_pipe(control: FakeControl, run: Run) -> None:
    run("embed", "given", stdin="piped\n")
    assert control.asked == [(EmbedRequest(ModelName(""), ("given",)), None)]


def test_nothing_to_embed_is_wrong_use(control: FakeControl, run: Run) -> None:
    result = run("embed")
    assert result.code == 2
    assert "Give a text" in result.err
