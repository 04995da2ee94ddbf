from __future__ import annotations

from halext.testing.botapi.rich_html import blocks_of_html
from halext.testing.botapi.rich_markdown import blocks_of_markdown
from halext.testing.botapi.rich_page import rich_html


def test_every_block_has_its_html() -> None:
    source = (
        "# A\n\na **b** `c` ||d|| [e](https://x.org)\n\n- [x] f\n\n> g\n\n---\n| h |\n|---|\n| i |\n\n```\nj<\n```\n$k$"
    )
    shown = rich_html(blocks_of_markdown(source))
    for piece in (
        "<h1>A</h1>",
        '<p>a <b>b</b> <code>c</code> <span class="spoiler">d</span> <a href="https://x.org">e</a></p>',
        "<ul><li>☑ <p>f</p></li></ul>",
        "<blockquote><p>g</p></blockquote><hr>",
        "<table><tr><th>h</th></tr><tr><td>i</td></tr></table>",
        "<pre><code>j&lt;</code></pre>",
        "<p>k</p>",
    ):
        assert piece in shown


def test_folds_formulas_and_media() -> None:
    source = "<details><summary>S</summary>x</details><tg-math-block>y</tg-math-block><img src='u'>"
    shown = rich_html(blocks_of_html(source))
    assert shown == "<details><summary>S</summary><p>x</p></details><pre>y</pre><p>[photo]</p>"
