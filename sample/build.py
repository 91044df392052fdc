"""`python -m sample.build`: turns the sources into the records and the judged queries of `holocron_assets/sample/`.

The same sources give the same lines; the compressed bytes may differ between versions of zlib.
"""

import gzip
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from holocron_assets.identity import page_source_id, work_source_id
from holocron_assets.sample import JUDGED, RECORDS, SOURCE_NAME
from sample.mediawiki import html_payload, missing_payload, raw_payload, record
from sample.openalex import Directory, read_works, work_id, work_payload, work_record
from sample.pages import PageRevision, inbound_ranks, read_pages

QUESTIONS = Path(__file__).with_name("questions.yaml")
#: how much the page that answers best is worth, and one that a reader would accept
BEST, ACCEPTED = 2, 1

#: asked for by the crawler because a page links to it; there is no such page
MISSING_TITLE = "Gullet Light"

#: when each visit of the crawler began; the second found one page edited and one unchanged
CRAWL_STARTS = {
    1: datetime.fromisoformat("2025-03-03T06:30:00.25"),
    2: datetime.fromisoformat("2025-03-31T06:30:00.25"),
}
_BETWEEN_REQUESTS = timedelta(milliseconds=1137)


def build_rows() -> list[dict[str, Any]]:
    """Every record of the sample, in the order in which it was fetched."""
    pages = read_pages()
    ranks = inbound_ranks(pages)
    titles = {page.title for page in pages}
    rows: list[dict[str, Any]] = []
    for crawl, start in CRAWL_STARTS.items():
        clock = _ticks(start)
        found = [page for page in pages if crawl in page.crawls]
        for page in sorted(found, key=lambda page: ranks[page.title]):
            rows += _page_rows(page, ranks[page.title], titles, clock)
        if crawl == 1:
            rows.append(_missing_row(ranks[MISSING_TITLE], next(clock)))
            rows += _work_rows(clock)
    return rows


def ndjson(rows: list[dict[str, Any]]) -> str:
    """One JSON object per line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def judged() -> dict[str, str]:
    """The judged queries, as the files of a collection by their names."""
    sources = {page.title: page_source_id("mediawiki", SOURCE_NAME, page.page_id) for page in read_pages()}
    for work in read_works():
        sources[work["title"]] = str(work_source_id(SOURCE_NAME, work_id(work["number"]).rpartition("/")[2]))
    queries, lines = [], ["query-id\tcorpus-id\tscore"]
    for number, one in enumerate(yaml.safe_load(QUESTIONS.read_text(encoding="utf-8")), start=1):
        queries.append({"_id": f"q{number:02}", "text": one["question"]})
        worth = {one["title"]: BEST} | dict.fromkeys(one.get("also", []), ACCEPTED)
        lines += [f"q{number:02}\t{sources[title]}\t{score}" for title, score in worth.items()]
    return {"queries.jsonl": ndjson(queries), "qrels.tsv": "".join(f"{line}\n" for line in lines)}


def write(path: Path = RECORDS, folder: Path = JUDGED) -> list[dict[str, Any]]:
    """Build the files; the rows are returned for whoever wants to count them."""
    rows = build_rows()
    compressed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=compressed, mtime=0) as stream:
        stream.write(ndjson(rows).encode())
    path.write_bytes(compressed.getvalue())
    folder.mkdir(exist_ok=True)
    for name, content in judged().items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")
    return rows


def _page_rows(page: PageRevision, rank: int, titles: set[str], clock: Iterator[datetime]) -> Iterator[dict[str, Any]]:
    raw = raw_payload(
        title=page.title,
        page_id=page.page_id,
        revision=page.revision,
        parent=page.parent,
        wikitext=page.wikitext,
        timestamp=page.timestamp,
        language=page.language,
    )
    yield record(title=page.title, variant="raw", payload=raw, fetched_at=next(clock), rank=rank)
    fetched_at = next(clock)
    rendered = html_payload(
        title=page.title,
        page_id=page.page_id,
        revision=page.revision,
        wikitext=page.wikitext,
        fetched_at=fetched_at,
        titles=titles,
    )
    yield record(title=page.title, variant="html", payload=rendered, fetched_at=fetched_at, rank=rank)


def _missing_row(rank: int, fetched_at: datetime) -> dict[str, Any]:
    payload = missing_payload(title=MISSING_TITLE)
    return record(title=MISSING_TITLE, variant="raw", payload=payload, fetched_at=fetched_at, rank=rank)


def _work_rows(clock: Iterator[datetime]) -> Iterator[dict[str, Any]]:
    works = read_works()
    directory = Directory(works)
    for work in works:
        payload = work_payload(work, directory)
        yield work_record(number=work["number"], payload=payload, fetched_at=next(clock))


def _ticks(start: datetime) -> Iterator[datetime]:
    moment = start
    while True:
        yield moment
        moment += _BETWEEN_REQUESTS


def main() -> None:
    """Build the file and say what is in it."""
    rows = write()
    pages = {row["resource_id"] for row in rows if row["source_system"] == "mediawiki"}
    print(f"{RECORDS.name}: {len(rows)} records of {len(pages)} titles, {RECORDS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
