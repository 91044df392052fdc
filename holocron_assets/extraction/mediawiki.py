"""What every response of MediaWiki's API has in common: pages, errors, categories, redirects.

The two shapes with text in them have modules of their own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from holocron_assets import identity
from holocron_assets.errors import ExtractionError
from holocron_assets.extraction.document import Document
from holocron_assets.records import Outcome, RecordKey

SOURCE_TYPE = "mediawiki_page"

#: what a page is asked for besides its text
LINK_PROPERTIES = frozenset(
    "links linkshere extlinks iwlinks langlinks templates images categories redirects transcludedin"
    " fileusage externallinks sections".split()
)

#: the document of a response that was not asked for text
LINKS_ONLY = Document(outcome=Outcome.IGNORED, source_type=SOURCE_TYPE, reason="carries links, no text")

_MISSING_CODES = frozenset({"missingtitle", "nosuchpageid", "invalidtitle"})

_BIGINT = 2**63


def api_error(payload: Any) -> Document | None:
    """The document of a response that says there is no such page; None for a response that is no error."""
    error = payload.get("error") if isinstance(payload, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return None
    if error["code"] in _MISSING_CODES:
        return Document(outcome=Outcome.MISSING, source_type=SOURCE_TYPE)
    raise ExtractionError(f"the API answered with error {error['code']}: {error.get('info')}; fetch the page again")


def page_document(
    key: RecordKey, page: Mapping[str, Any], *, reference: Mapping[str, Any] | None = None, **fields: Any
) -> Document:
    """A document of the page that `page` names by `pageid` and `title`."""
    page_id = positive_int(page.get("pageid"))
    title = page.get("title")
    known = {"page_id": page_id, **(reference or {})}
    return Document(
        source_id=identity.page_source_id(key.source_system, key.source_name, page_id) if page_id else None,
        source_type=SOURCE_TYPE,
        title=title if isinstance(title, str) else None,
        reference={name: value for name, value in known.items() if value and isinstance(value, str | int)},
        **fields,
    )


def positive_int(value: Any) -> int | None:
    """`value` if it is an id: MediaWiki says "none" by 0, a negative number or nothing."""
    return value if type(value) is int and 0 < value < _BIGINT else None


def is_set(holder: Mapping[str, Any], flag: str) -> bool:
    """Whether a flag is up: format 1 says so by an empty string, format 2 by true."""
    return holder.get(flag, False) is not False


def text_of(value: Any) -> str | None:
    """A text as either format of the API gives it: plain, or below `*`."""
    text = value.get("*") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def redirect_target(link: str) -> str | None:
    """The page that a redirect's link leads to, without the section."""
    return link.partition("#")[0].replace("_", " ").strip(" :") or None


def category_tags(categories: Any) -> list[str]:
    """The names of the categories that are about the subject: hidden ones are about the page."""
    if not isinstance(categories, list):
        return []
    shown = (item for item in categories if isinstance(item, dict) and not is_set(item, "hidden"))
    return unique(name for name in map(_category_name, shown) if name)


def unique(names: Iterable[str]) -> list[str]:
    """`names` without repetitions, in order."""
    return list(dict.fromkeys(names))


def _category_name(category: Mapping[str, Any]) -> str | None:
    if isinstance(category.get("title"), str):
        return str(category["title"]).partition(":")[2]
    name = category.get("category", category.get("*"))
    return name.replace("_", " ") if isinstance(name, str) else None
