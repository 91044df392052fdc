"""What the search page makes of hits: the text around them, links, and colours that can be read."""

import re
from pathlib import Path

import pytest

import holocron_assets.web
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.web.showing import readable, stretches, web_address
from tests.searching import a_hit

STYLE = (Path(holocron_assets.web.__file__).parent / "static" / "page.css").read_text(encoding="utf-8")
#: What stands on what.
READ = {"page": ("text", "quiet", "link", "warn"), "field": ("text",), "mark": ("mark-text",), "found": ("text",)}
#: What must be told from what is beside it.
SEEN = {"page": ("line", "focus"), "field": ("line",), "found": ("link",)}


def passages(text: str, *ranges: tuple[int, int]) -> list[tuple[str, bool, bool]]:
    """The text of each stretch, whether it was found, whether a gap is before it; the first range is the found one."""
    hits = [
        a_hit(rank, text[start:end], start_offset=start, end_offset=end)
        for rank, (start, end) in enumerate(ranges, start=1)
    ]
    shown = stretches(hits, hits[0].chunk_id, set(), Analyzer("english"))
    return [("".join(piece.text for piece in one.pieces), one.is_hit, one.after_gap) for one in shown]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([(0, 6)], [("abcdef", True, False)]),
        ([(2, 5), (0, 3), (4, 8)], [("ab", False, False), ("cde", True, False), ("fgh", False, False)]),
        ([(0, 2), (2, 8)], [("ab", True, False), ("cdefgh", False, False)]),
        ([(6, 8), (0, 2), (4, 8)], [("ab", False, False), ("ef", False, True), ("gh", True, False)]),
        ([(2, 4), (0, 8), (5, 6)], [("ab", False, False), ("cd", True, False), ("efgh", False, False)]),
        ([(4, 4), (0, 8)], [("abcdefgh", False, False)]),
    ],
)
def test_chunks_become_a_text_again(ranges: list[tuple[int, int]], expected: list[tuple[str, bool, bool]]) -> None:
    """What several chunks have is there once, the found one is whole, and what none has is a gap."""
    assert passages("abcdefgh", *ranges) == expected


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://wiki.example/a?b=c", True),
        ("HTTP://wiki.example", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("file:///etc/passwd", False),
        ("//wiki.example", False),
        ("https:", False),
        ("http://[", False),
        ("/lineage", False),
        (None, False),
    ],
)
def test_only_web_addresses_are_links(url: str | None, is_link: bool) -> None:
    """A browser is sent nowhere else."""
    assert web_address(url) == (url if is_link else None)


def test_control_characters_are_shown_as_unknown() -> None:
    """Lines stay, and every offset with them."""
    assert readable("a\x00b\tc\nd\x1b\x9be") == "a\ufffdb\tc\nd\ufffd\ufffde"


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read(scheme: str) -> None:
    """Texts have a contrast of 4.5 to what they stand on, borders and the focus 3 (WCAG 2, level AA)."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.S)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[scheme == "dark"]))

    assert len(colours) == 11
    for least, pairs in ((4.5, READ), (3.0, SEEN)):
        for ground, drawn in pairs.items():
            for name in drawn:
                dark, light = sorted(luminance(colours[one]) for one in (ground, name))
                assert (light + 0.05) / (dark + 0.05) >= least, (scheme, name, ground)
    dark, light = sorted(luminance(colours[one]) for one in ("page", "link"))
    assert (light + 0.05) / (dark + 0.05) >= 4.5, "the word on a button"
