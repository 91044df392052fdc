"""What one link or one template of wikitext shows a reader: rules to be read and extended.

A template is unknown unless it is named here, and then shows nothing. It earns its place by standing inside
sentences, where leaving it out would leave a hole.
"""

import re
from collections.abc import Callable, Sequence

from holocron_assets.extraction.cleaning import HOLE
from holocron_assets.extraction.mediawiki_names import (
    CATEGORY_NAMESPACES,
    FILE_NAMESPACES,
    FRAME_WORDS,
    PLACEMENT_WORDS,
)

#: A link to the same page in another language stands in no sentence.
_LANGUAGE_LINK = re.compile(r"(?!(?:doi|mw|rfc|voy|wp):)[a-z]{2,3}(?:-[a-z]+)*:")
_FILE_OPTION = re.compile(r"[\dx]+\s*px|(?:alt|class|lang|link|page|thumb|upright|hochkant)\s*=.*", re.DOTALL)
_UNNAMED = frozenset({"1", "2", "3", "4", "text", "quote", "author", "sign", "speaker"})
_NAMED_ARGUMENT = re.compile(r"([\w\s-]*)=(.*)", re.DOTALL)


def link_text(target: str, labels: Sequence[str]) -> str:
    """What `[[target|label]]` shows; of a picture, the caption below it."""
    target = target.strip()
    namespace, colon, _ = target.partition(":")
    namespace = namespace.strip().casefold()
    if colon and namespace in FILE_NAMESPACES:
        return _caption(labels)
    if colon and (namespace in CATEGORY_NAMESPACES or _LANGUAGE_LINK.match(target)):
        return ""
    return "|".join(labels) if labels else target.removeprefix(":")


def _caption(options: Sequence[str]) -> str:
    words = [option.strip().casefold() for option in options]
    if FRAME_WORDS.isdisjoint(words):
        return ""
    for option, word in zip(reversed(options), reversed(words), strict=True):
        if word not in FRAME_WORDS and word not in PLACEMENT_WORDS and not _FILE_OPTION.fullmatch(word):
            return f"\n\n{option}\n\n"
    return ""


def template_text(name: str, arguments: Sequence[str]) -> str:
    """What a template shows, as far as it is known; else a hole."""
    key = name.strip().replace("_", " ").casefold()
    shown = _first if key.startswith("lang-") else _TEMPLATES.get(key)
    return shown(_positional(arguments)) if shown else HOLE


def _positional(arguments: Sequence[str]) -> list[str]:
    """The unnamed arguments, stripped; `1=` and the like, and the parts of a quotation, count as unnamed."""
    values = []
    for argument in arguments:
        named = _NAMED_ARGUMENT.match(argument)
        if named is None:
            values.append(argument.strip())
        elif named[1].strip() in _UNNAMED:
            values.append(named[2].strip())
    return values


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def _last(values: list[str]) -> str:
    return values[-1] if len(values) > 1 else ""


def _ship(prefix: str) -> Callable[[list[str]], str]:
    return lambda values: f"{prefix} {_first(values)}"


def _measure(values: list[str]) -> str:
    """`5|km|mi` reads "5 km", `5|to|10|km|mi` reads "5 to 10 km"; the conversion is left out."""
    is_range = len(values) > 3 and values[2][:1].isdigit()
    return " ".join(values[:4] if is_range else values[:2])


def _quote(values: list[str]) -> str:
    """The words, then who said them."""
    return "\n\n" + " — ".join(filter(None, values[:2])) + "\n\n"


_TEMPLATES: dict[str, Callable[[list[str]], str]] = {
    **dict.fromkeys(("nowrap", "nobr", "small", "big", "sic", "abbr", "tooltip", "nobold", "em", "strong"), _first),
    **dict.fromkeys(("lang", "transl", "transliteration"), _last),
    **dict.fromkeys(("convert", "cvt"), _measure),
    **dict.fromkeys(("quote", "blockquote", "cquote", "quotation", "quote box"), _quote),
    "ship": lambda values: " ".join(values[:2]),
    **{prefix.casefold(): _ship(prefix) for prefix in ("HMS", "USS", "SS")},
    **dict.fromkeys(("circa", "c."), lambda values: f"c. {_first(values)}"),
    "as of": lambda values: f"As of {' '.join(values)}",
    "frac": "/".join,
    **dict.fromkeys(("ndash", "spnd", "spaced ndash", "snd", "dash"), lambda _: " – "),
    **dict.fromkeys(("mdash", "spaced mdash"), lambda _: " — "),
    **dict.fromkeys(("'", "`"), lambda _: "'"),
    "!": lambda _: "|",
    "=": lambda _: "=",
    "nbsp": lambda _: " ",
}
