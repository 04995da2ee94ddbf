"""Texts like those of a model that has lost its way."""

from __future__ import annotations

from hypothesis import strategies as st

FRAGMENTS = [
    "a", "word ", "Long sentence here. ", "*", "**", "***", "_", "__", "~~", "`", "``", "```", "```py\n",
    "~~~\n", "\n", "\n\n", "\n", "\n- ", "\n* ", "\n1. ", "\n7) ", "\n  - ", "\n    ", "\n> ", ">", "\n# ",
    "\n### ", "\n---\n", "\n===\n", "| a | b |\n|---|:-:|\n", "\n| 1 | 2 | 3 |\n", "|", "[", "](",
    "](https://e.org/a_b)", "![p](http://x.y/z.png)", "<", ">", "<b>", "<!-- ", "&amp;", "&", "\\",
    "@everyone", "@here", "@", "<@123456>", "<@&9>", "<#1>", "<:e:1>", "<t:1>", "||", "@some_user",
    "https://e.org/x_y*z|w", "😀", "👩‍👩‍👧", "🇩🇪🇫🇷", "e\u0301\u0301", "你好。", "\u200b", "\u2028", "\x00",
    "\ud800", "\r\n", "\r", "\t", "    code\n", "[r]: https://e.org\n", "-",
    "[https://bank.com](https://evil.com)", "javascript:", "#", "+ x\n", "  \n", "x" * 40, "y z " * 30,
    "- [ ] t\n", "everyone", "`c`",
]  # fmt: skip

texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=50).map("".join)
limits = st.integers(60, 400)
