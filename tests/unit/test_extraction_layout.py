"""How pages read: the rules that the golden files show together, one at a time, from HTML and from wikitext."""

import pytest

from holocron_assets.extraction.html_noise import MEDIAWIKI
from holocron_assets.extraction.html_text import html_text
from holocron_assets.extraction.layout import titled
from holocron_assets.extraction.wikitext import wikitext_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one\ntwo</p>three<p>four</p>", "one two\n\nthree\n\nfour"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
        ("<h2>A</h2><p>a</p><h3>B</h3><h3>C</h3><p>c</p><h2>D</h2>", "A\na\n\nC\nc"),
        ("<ul><li>a<ol><li>b</li></ol></li><li>c</li></ul>after", "- a\n  - b\n- c\n\nafter"),
        ("<li>stray", "- stray"),
        ("<ul><li><p>a</p><p>b</p></li><li></li></ul>", "- a\n  b"),
        ("<dl><dt>t</dt><dd>d</dd></dl>", "t\n  d"),
        ("<table><tr><td>a<td>b<tr><td><td><tr><td><td>c</table>", "a | b\n| c"),
        ("<table><caption>k</caption><tr><th>a</th></tr><tr><td>b</td></tr></table>", "k\na\nb"),
        ("<table><tr><td>only<p>cell</p></td></tr></table>", "only\n\ncell"),
        ("<table><tr><td><h2>A</h2>a</td><td><table><tr><td>b<td>c</table></table>", "A\na\n\nb | c"),
        ("<td>no table</td>", "no table"),
        ("<pre>a\n  b\n\n\nc</pre>", "a\n  b\n\nc"),
        ("10<sup>6</sup> 19<sup>th</sup> H<sub>2</sub>O", "10^6 19th H2O"),
        ("x<sup></sup>12 y<sup><a>1</a></sup>", "x12 y1"),
        ('a (<i class="error">b</i>; <i class="error">c</i>) d <i class="error">e</i>.', "a d."),
        ('(<i class="error">b</i>, c; <i class="error">d</i>) for (;;) f(x, )', "(c) for (;;) f(x, )"),
        ('x<span style="DISPLAY : none">y</span><b hidden>z</b>', "x"),
        (
            '<a class="new" title="Vorlage:A (Seite nicht vorhanden)">Vorlage:A</a>a <a title="Star: B">Star: B</a>',
            "a Star: B",
        ),
        ("<script>a</script><style>b</style><!-- c --><noscript>d</noscript>e", "e"),
        ("&lt;b&gt; &amp;amp; &nbsp; &#8203;x", "<b> &amp; x"),
        ("<meta charset=latin-1>é", "é"),
    ],
)
def test_html(html: str, text: str) -> None:
    """One rule of reading HTML."""
    assert html_text(html, MEDIAWIKI) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("one\ntwo\n\nthree", "one two\n\nthree"),
        ("== A ==\na\n=== B ===\n== C ==\nc", "A\na\n\nC\nc"),
        ("* a\n*# b\n* c\nafter", "- a\n  - b\n- c\n\nafter"),
        ("; t : d\n: e", "t\n  d\n  e"),
        ("{|\n| a || b\n|-\n|\n|-\n| || c\n|}", "a | b\n| c"),
        ("{|\n|+ k\n! a !! b\n|-\n| style='x' | c || [[d|e]]\n|}", "k\na | b\nc | e"),
        ("{|\n| a\nb\n* c\n|-\n| d\n|}", "a b; c\nd"),
        ("{|\n| only\n|}", "only"),
        ("[[a]] [[b|c]] [[:Category:D]] [[a#b]]", "a c Category:D a#b"),
        ("[[Datei:x.jpg|mini|rechts|200px|A [[b|c]]]]d", "A c\n\nd"),
        ("[[File:x.jpg|left|no frame]]d [[de:D]][[Kategorie:E]]", "d"),
        ("[http://a.b c d] [http://a.b] http://e.f", "c d http://e.f"),
        ("'''a''' ''b'' __NOTOC__c", "a b c"),
        ("a<ref>b</ref><ref name=c/>d<!-- e -->f", "adf"),
        ("<nowiki>[[a]] ''b''</nowiki> <math>x^2</math>", "[[a]] ''b'' x^2"),
        ("<pre>\na\n  b\n</pre>", "a\n  b"),
        ("{{a|{{b}}|[[c]]}}d {{lang|fr|e}} {{convert|5|km|mi}}", "d e 5 km"),
        ("{{nowrap|1=a {{unknown|b}}c}}", "a c"),
        ("{{{1|default}}} {{{2}}}.", "default ."),
        ("{{a [[b c", "a b c"),
        ("a<br />b<div>c</div>d &eacute; 10<sup>6</sup>", "a\nb\n\nc\n\nd é 10^6"),
        ("<table><tr><td>a</td><td>b | c</td></tr></table>", "a | b | c"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("* a\n<!-- b -->\n* c\n{|\n|d||e\n|}", "- a\n- c\n\nd | e"),
        ("{{HMS|Otter|1812|6}}{{quote|text=a|sign=b}}", "HMS Otter\n\na — b"),
        ("a ({{b}}; {{c}}) d {{e}}, f ({{g}}; h)\n{{i}}\n() (;)", "a d, f (h)\n\n() (;)"),
    ],
)
def test_wikitext(wikitext: str, text: str) -> None:
    """One rule of reading wikitext."""
    assert wikitext_text(wikitext) == text


def test_titles_stand_once_above_the_text() -> None:
    """A title is not repeated, and stands above nothing else than text."""
    assert titled("T", "a") == "T\n\na"
    assert titled("T", "T\na") == "T\n\na"
    assert titled("T", "") == ""
    assert titled("", "a") == "a"
