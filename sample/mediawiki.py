"""What a MediaWiki server answers, as the ingest contract stores it: payloads and rows from plain arguments.

Tests and benchmarks use these to make records; the wikitext itself is rendered by `wikitext.py`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Set
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from holocron_assets.identity import ingest_id, payload_sha256
from sample.inline import WIKI_URL
from sample.wikitext import Rendered, redirect_target, render

SOURCE_NAME = "ondrel"
API_URL = f"{WIKI_URL}/api.php"
CONTENT_TYPE = "application/json; charset=utf-8"

_RIGHT_TO_LEFT = {"ar", "fa", "he", "ur"}


def raw_payload(
    *,
    title: str,
    page_id: int,
    revision: int,
    wikitext: str,
    timestamp: str,
    parent: int = 0,
    language: str = "en",
) -> str:
    """The answer to `action=query` with `formatversion=2`: the wikitext of a page's newest revision."""
    content = {"contentmodel": "wikitext", "contentformat": "text/x-wiki", "content": wikitext}
    page: dict[str, Any] = {
        "pageid": page_id,
        "ns": 0,
        "title": title,
        "revisions": [
            {"revid": revision, "parentid": parent, "timestamp": timestamp, "slots": {"main": content}},
        ],
        **_page_language(language),
        "touched": timestamp,
        "lastrevid": revision,
        "length": len(wikitext.encode()),
    }
    if redirect_target(wikitext) is not None:
        page["redirect"] = True
    if parent == 0:
        page["new"] = True
    return _json({"batchcomplete": True, "query": {"pages": [page]}})


def missing_payload(*, title: str) -> str:
    """The answer to `action=query` for a title that has no page."""
    page = {"ns": 0, "title": title, "missing": True, **_page_language("en")}
    return _json({"batchcomplete": True, "query": {"pages": [page]}})


def html_payload(
    *,
    title: str,
    page_id: int,
    revision: int,
    wikitext: str,
    fetched_at: datetime,
    titles: Set[str] | None = None,
) -> str:
    """The answer to `action=parse` with `formatversion=2`: the rendered page.

    `titles` are the pages the wiki has, so that links to others are red; None makes every link blue.
    """
    rendered = render(wikitext, title=title, titles=titles)
    report = _parser_report(rendered, page_id, revision, fetched_at)
    parse = {
        "title": title,
        "pageid": page_id,
        "revid": revision,
        "text": f'<div class="mw-parser-output">{rendered.html}\n{report}</div>',
        "categories": [
            {"sortkey": category.sort_key, "category": category.name.replace(" ", "_"), "missing": True}
            for category in rendered.categories
        ],
        "sections": [
            {
                "toclevel": heading.nesting,
                "level": str(heading.level),
                "line": heading.line,
                "number": heading.number,
                "index": str(index),
                "fromtitle": title.replace(" ", "_"),
                "byteoffset": heading.offset,
                "anchor": heading.anchor,
            }
            for index, heading in enumerate(rendered.headings, start=1)
        ],
        "showtoc": rendered.shows_contents,
        "displaytitle": rendered.display_title,
    }
    return _json({"parse": parse})


def record(
    *,
    title: str,
    variant: str,
    payload: str,
    fetched_at: datetime,
    rank: int | None = None,
    source_name: str = SOURCE_NAME,
    status_code: int = 200,
) -> dict[str, Any]:
    """One row of `ingest.IngestRecords` for a page: `variant` is `raw` or `html`."""
    return ingest_row(
        source_system="mediawiki",
        source_name=source_name,
        resource_type="content",
        resource_id=title,
        variant=variant,
        request_uri=f"{API_URL}?{urlencode(_QUERIES[variant](title))}",
        status_code=status_code,
        payload=payload,
        fetched_at=fetched_at,
        rank=rank,
    )


def ingest_row(
    *,
    source_system: str,
    source_name: str,
    resource_type: str,
    resource_id: str,
    variant: str | None,
    request_uri: str,
    status_code: int,
    payload: str,
    fetched_at: datetime,
    rank: int | None,
) -> dict[str, Any]:
    """A row with every column of the contract, in its order. Times are naive UTC."""
    fetched = fetched_at.isoformat(timespec="microseconds")
    identity = (source_system, source_name, resource_type, resource_id, variant or "", fetched)
    headers = {"Date": format_datetime(fetched_at.replace(tzinfo=UTC), usegmt=True), "Content-Type": CONTENT_TYPE}
    return {
        "ingest_id": str(ingest_id(*identity)),
        "source_system": source_system,
        "source_name": source_name,
        "resource_type": resource_type,
        "resource_id": resource_id,
        "variant": variant,
        "request_uri": request_uri,
        "request_method": "GET",
        "request_headers": None,
        "status_code": status_code,
        "response_headers": _json(headers),
        "payload": payload,
        "content_type": CONTENT_TYPE,
        "content_length": None,
        "fetched_at_utc": fetched,
        "hash_sha256": payload_sha256(payload),
        "run_id": None,
        "work_item_id": None,
        "attempt": 1,
        "error_message": None,
        "duration_ms": 35 + _number_from(payload, 140),
        "rank": rank,
    }


def _page_language(language: str) -> dict[str, str]:
    return {
        "contentmodel": "wikitext",
        "pagelanguage": language,
        "pagelanguagehtmlcode": language,
        "pagelanguagedir": "rtl" if language in _RIGHT_TO_LEFT else "ltr",
    }


def _raw_query(title: str) -> dict[str, str]:
    return {
        "action": "query",
        "prop": "revisions|info",
        "rvprop": "ids|timestamp|content",
        "rvslots": "main",
        "titles": title,
        "format": "json",
        "formatversion": "2",
    }


def _html_query(title: str) -> dict[str, str]:
    wanted = "text|displaytitle|categories|sections|revid"
    return {"action": "parse", "page": title, "prop": wanted, "format": "json", "formatversion": "2"}


_QUERIES = {"raw": _raw_query, "html": _html_query}


def _parser_report(rendered: Rendered, page_id: int, revision: int, fetched_at: datetime) -> str:
    """The comments that the parser leaves at the end of a page; their times make payload hashes volatile."""
    cached = f"{fetched_at:%Y%m%d%H%M%S}"
    milliseconds = 8 + _number_from(rendered.html, 60)
    calls = Counter(rendered.templates)
    lines = [f"100.00% {milliseconds:8.3f} {1:6} -total"]
    for name, count in calls.most_common():
        share = min(90.0, 4.0 + 7.5 * count)
        lines.append(f"{share:6.2f}% {milliseconds * share / 100:8.3f} {count:6} Template:{name.replace(' ', '_')}")
    total = "\n".join(lines)
    complications = "[show‐toc]" if rendered.shows_contents else "[]"  # the parser writes U+2010 hyphens
    return (
        f"<!-- \nNewPP limit report\nCached time: {cached}\nCache expiry: 86400\nReduced expiry: false\n"
        f"Complications: {complications}\nCPU time usage: {milliseconds / 1000:.3f} seconds\n"
        f"Real time usage: {milliseconds * 1.4 / 1000:.3f} seconds\n"
        f"Preprocessor visited node count: {12 + 9 * len(rendered.templates)}/1000000\n"
        f"Post‐expand include size: {310 * len(rendered.templates)}/2097152 bytes\n"
        "Template argument size: 0/2097152 bytes\nHighest expansion depth: 2/100\n"
        "Expensive parser function count: 0/100\nUnstrip recursion depth: 0/20\n"
        f"Unstrip post‐expand size: 0/5000000 bytes\n-->\n"
        f"<!--\nTransclusion expansion time report (%,ms,calls,template)\n{total}\n-->\n\n"
        f"<!-- Saved in parser cache with key ondrel:pcache:idhash:{page_id}-0!canonical and timestamp {cached} "
        f"and revision id {revision}.\n -->\n"
    )


def _number_from(text: str, limit: int) -> int:
    """A number below `limit` that looks random and is the same at every build."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % limit


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
