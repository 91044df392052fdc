"""Resolves what nests in wikitext, or hides text, in one pass: templates, links, references, comments.

Lines, lists and tables are left to `wikitext.py`, what a link or template shows to `wikitext_parts.py`. No
general parser of wikitext is used: the ones there are start again at each brace that is never closed, so that
a short hostile page costs minutes.
"""

import re
from html import unescape
from typing import NamedTuple

from holocron_assets.extraction.formulas import formula_text
from holocron_assets.extraction.wikitext_parts import link_text, template_text

#: MediaWiki expands no deeper either. What is kept is copied once per level that closes around it.
_DEEPEST = 40

_FORMULA_TAGS = ("math", "chem", "ce")
_PREFORMATTED_TAGS = ("pre", "source", "syntaxhighlight")
_LITERAL_TAGS = (*_FORMULA_TAGS, *_PREFORMATTED_TAGS, "nowiki")
_DROPPED_TAGS = (
    *("ref", "references", "includeonly", "templatestyles", "timeline", "score", "imagemap", "graph", "mapframe"),
    *("maplink", "inputbox", "hiero", "categorytree"),
)
_TOKEN = re.compile(
    r"\[\[|\]\]|\{\{+|\}\}+|\||<!--"
    rf"|<(?P<tag>(?i:{'|'.join((*_LITERAL_TAGS, *_DROPPED_TAGS))}))\b[^<>]*>"
)

_GALLERY_TAG = re.compile(r"<(/?)gallery\b[^<>]*>", re.IGNORECASE)
_GALLERY_FILE = re.compile(r"^[^|\n]+\.\w{3,4}[ \t]*(?:\|(?:(?:alt|link)=[^|\n]*\|?)*(.*))?$\n?", re.MULTILINE)

#: where a `Literal` stands in the text; the number is its index
LITERAL_MARK = re.compile("\0[0-9]+\0")


class Literal(NamedTuple):
    """Text that must not be read as wikitext."""

    text: str
    is_preformatted: bool


class Resolved(NamedTuple):
    """Wikitext of nothing but lines, lists, tables and simple tags."""

    text: str
    literals: list[Literal]


def resolve(source: str) -> Resolved:
    """What `source` shows, without templates, references and comments, its links replaced by their labels."""
    return _Resolver(_galleries_as_lists(source.replace("\0", ""))).resolve()


class _Open:
    """Braces or brackets not closed yet, and what they hold so far: one list of texts between two bars."""

    __slots__ = ("opener", "parts")

    def __init__(self, opener: str) -> None:
        self.opener = opener
        self.parts: list[list[str]] = [[]]

    def texts(self) -> list[str]:
        return ["".join(part) for part in self.parts]


class _Resolver:
    """Reads the source once from left to right; the innermost open braces or brackets are on top of a stack."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._stack = [_Open("")]
        self._literals: list[Literal] = []
        self._never_closed: set[str] = set()

    def resolve(self) -> Resolved:
        for token in _TOKEN.finditer(self._source):
            if token.start() < self._position or (token[0] == "|" and len(self._stack) == 1):
                continue
            self._write(self._source[self._position : token.start()])
            self._position = token.end()
            self._take(token)
        self._write(self._source[self._position :])
        while len(self._stack) > 1:
            self._give_up()
        return Resolved("".join(self._stack[0].texts()), self._literals)

    def _take(self, token: re.Match[str]) -> None:
        mark = token[0]
        if token["tag"]:
            self._take_tag(token["tag"].lower(), is_empty=mark.endswith("/>"))
        elif mark == "|":
            self._stack[-1].parts.append([])
        elif mark == "[[":
            self._open(mark)
        elif mark == "]]":
            self._close_link()
        elif mark[0] == "{":
            self._open_braces(len(mark))
        elif mark[0] == "}":
            self._close_braces(len(mark))
        else:
            self._skip_comment(token.start())

    def _skip_comment(self, start: int) -> None:
        """A comment on a line of its own takes the line with it."""
        end = self._source.find("-->", start)
        self._position = end + 3 if end >= 0 else len(self._source)
        if self._source[max(start - 1, 0)] == "\n" and self._source.startswith("\n", self._position):
            self._position += 1

    def _take_tag(self, tag: str, *, is_empty: bool) -> None:
        if is_empty or tag in self._never_closed:
            return
        end = re.compile(rf"</{tag}\s*>", re.IGNORECASE).search(self._source, self._position)
        if end is None:
            # Remembered, or a page full of such tags would be searched to its end for each of them.
            self._never_closed.add(tag)
            return
        content = self._source[self._position : end.start()]
        self._position = end.end()
        if tag in _LITERAL_TAGS:
            text = formula_text(content) if tag in _FORMULA_TAGS else unescape(content)
            self._write(f"\0{len(self._literals)}\0")
            self._literals.append(Literal(text, tag in _PREFORMATTED_TAGS))

    def _open(self, opener: str) -> None:
        if len(self._stack) <= _DEEPEST:
            self._stack.append(_Open(opener))

    def _open_braces(self, count: int) -> None:
        """Two braces open a template, three a parameter; in a longer run the parameters are inside."""
        templates = {0: 0, 1: 2, 2: 1}[count % 3]
        for _ in range(templates):
            self._open("{{")
        for _ in range((count - 2 * templates) // 3):
            self._open("{{{")

    def _close_braces(self, count: int) -> None:
        while count >= 2 and len(self._stack) > 1:
            opener = self._stack[-1].opener
            if opener == "[[":
                self._give_up()  # no link reaches across the end of a template
            elif opener == "{{{" and count >= 3:
                _, *default = self._stack.pop().texts()
                self._write("".join(default[:1]))
                count -= 3
            else:
                name, *arguments = self._stack.pop().texts()
                self._write(template_text(name, arguments))
                count -= 2

    def _close_link(self) -> None:
        if self._stack[-1].opener != "[[":
            return
        target, *labels = self._stack.pop().texts()
        self._write(link_text(target, labels))

    def _give_up(self) -> None:
        """What is never closed is text."""
        self._write("|".join(self._stack.pop().texts()))

    def _write(self, text: str) -> None:
        self._stack[-1].parts[-1].append(text)


def _galleries_as_lists(source: str) -> str:
    """Each gallery's files as a list of their captions."""
    before, *rest = _GALLERY_TAG.split(source)
    parts = [before]
    for slash, text in zip(rest[::2], rest[1::2], strict=True):
        parts.append(text if slash else _GALLERY_FILE.sub(lambda file: f"* {file[1]}\n" if file[1] else "", text))
    return "".join(parts)
