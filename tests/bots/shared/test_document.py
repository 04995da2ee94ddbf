"""The words of a document, without what they look like."""

from __future__ import annotations

from halext_bots.shared.document import content
from halext_bots.shared.reading import read


def test_all_words_stay_in_their_order() -> None:
    text = "# T\n\na **b *c*** ~~d~~ `e`\nf\n\n- g\n  1. h\n\n> i\n\n"
    text += "```py\nj\n```\n\n| k | l |\n|---|---|\n| m | n |\n\n---"
    assert content(read(text)) == "T\na b c d e\nf\ng\nh\ni\nj\nk\nl\nm\nn"
