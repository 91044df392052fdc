"""From payload to text: pure functions of what was fetched, one module per kind of record.

`EXTRACTORS` is the table of kinds; the first that recognises a payload reads it. An extractor is a module with
a `name`, a `version`, `recognise` and `text` (see `document.py`): to add one is one new file and one line here.
Which records are examined and what becomes of the answers is not decided in this package.
"""

from holocron_assets.extraction import (
    database_row,
    json_text,
    mediawiki_html,
    mediawiki_wikitext,
    openalex,
    plain_text,
    web_page,
)
from holocron_assets.extraction.document import Extractor

EXTRACTORS: tuple[Extractor, ...] = (
    database_row,
    mediawiki_html,
    mediawiki_wikitext,
    openalex,
    web_page,
    json_text,
    plain_text,
)

#: name and version of what judges records that no extractor reads
STATUS = ("status", "1")
#: name and version of what leaves records out; one that it left out is seen again when there is no selection any more
SELECTION = ("selection", "1")


def versions() -> list[tuple[str, str]]:
    """Name and version of everything that examines records; a record seen by another version is seen again."""
    return [(extractor.name, extractor.version) for extractor in EXTRACTORS] + [STATUS]


def current_extractors(*, selects: bool = False) -> list[str]:
    """The same as the store compares them: `name/version`; with what leaves records out, where there is a selection."""
    return [f"{name}/{version}" for name, version in [*versions(), *([SELECTION] if selects else [])]]
