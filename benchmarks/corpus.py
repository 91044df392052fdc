"""Making documents to run on: deterministic, of realistic size and noise, none of them real.

`web` pages are what crawlers bring home: about 130 kB of HTML around 6.5 kB of text, read by trafilatura.
`wiki` pages are what `action=parse` serves: about 55 kB around 11 kB of text, read by the project's own walk.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from holocron_assets.identity import payload_sha256

_CONSONANTS, _VOWELS = "bdfghklmnprstvwz", "aeiou"
SOURCE_NAME = "bench"


def write_records(path: Path, documents: int, kind: str, *, changed: range = range(0)) -> None:
    """Write one record per document as NDJSON; those in `changed` have another text and a later fetch."""
    with path.open("w", encoding="utf-8") as file:
        for row in records(documents, kind, changed=changed):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def records(documents: int, kind: str, *, changed: range = range(0)) -> Iterator[dict[str, Any]]:
    """The rows of `ingest.IngestRecords`."""
    make = KINDS[kind]
    for number in range(documents):
        edition = 2 if number in changed else 1
        yield make(number, random.Random(f"{kind}/{number}/{edition}"), edition)


def _web(number: int, rng: random.Random, edition: int) -> dict[str, Any]:
    title = _words(rng, 5).capitalize()
    paragraphs = "".join(
        f'<p class="copy">{_sentences(rng, rng.randint(4, 7))} <a href="/a/{rng.random()}">{_words(rng, 3)}</a></p>'
        + (f"<h2>{_words(rng, 4).capitalize()}</h2>" if index % 4 == 3 else "")
        for index in range(15)
    )
    html = (
        f'<!doctype html><html lang="en"><head><title>{title}</title>{_scripts(rng, 34)}</head><body>'
        f"<header><nav><ul>{_links(rng, 120)}</ul></nav></header><main><article><h1>{title}</h1>{paragraphs}</article>"
        f"<aside><h3>Related</h3><ul>{_links(rng, 160)}</ul></aside></main>"
        f"<footer>{_links(rng, 120)}</footer>{_scripts(rng, 30)}</body></html>"
    )
    wrapper = {"content_type": "text/html; charset=utf-8", "text": html, "encoding": "utf-8"}
    return _row(number, "web", f"https://bench.example/{number}", wrapper, edition)


def _wiki(number: int, rng: random.Random, edition: int) -> dict[str, Any]:
    title = _words(rng, 3).capitalize()
    sections = "".join(
        f'<h2><span class="mw-headline" id="s{index}">{_words(rng, 3).capitalize()}</span><span class="mw-editsection">'
        f'<span class="mw-editsection-bracket">[</span><a href="/e">edit</a><span>]</span></span></h2>'
        + "".join(f"<p>{_linked(rng)}</p>\n" for _ in range(3))
        + f"<ul>{''.join(f'<li>{_linked(rng)}</li>' for _ in range(3))}</ul>"
        for index in range(8)
    )
    navbox = f'<table class="navbox"><tbody><tr><td>{_links(rng, 90)}</td></tr></tbody></table>'
    infobox = f'<aside class="portable-infobox"><h2>{title}</h2>{_links(rng, 12)}</aside>'
    html = (
        f'<div class="mw-parser-output">{infobox}{sections}{navbox}\n<!-- NewPP limit report {rng.random()} --></div>'
    )
    parse = {"title": title, "pageid": number + 1, "revid": 10 * number + edition, "text": html, "displaytitle": title}
    return _row(number, "html", title + f" {number}", {"parse": parse}, edition) | {
        "source_system": "mediawiki",
        "resource_type": "content",
    }


def _row(number: int, variant: str, resource: str, payload: Any, edition: int) -> dict[str, Any]:
    text = json.dumps(payload, ensure_ascii=False)
    return {
        "source_system": "crawler",
        "source_name": SOURCE_NAME,
        "resource_type": "page",
        "resource_id": resource,
        "variant": variant,
        "request_uri": f"https://bench.example/{number}",
        "request_method": "GET",
        "status_code": 200,
        "payload": text,
        "hash_sha256": payload_sha256(text),
        "content_type": "application/json",
        "fetched_at_utc": f"2026-01-0{edition}T00:00:00",
    }


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.randint(1, 4)))


VOCABULARY = [_word(random.Random(number)) for number in range(8000)]


def _words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choices(VOCABULARY, k=count))


def _sentence(rng: random.Random) -> str:
    return _words(rng, rng.randint(8, 18)).capitalize() + "."


def _link(rng: random.Random) -> str:
    name, title, text = _words(rng, 1), _words(rng, 2), _words(rng, 2)
    return f'<li class="item item-{name}"><a class="link" href="/{name}" title="{title}">{text}</a></li>'


def _script(rng: random.Random) -> str:
    return f'<script type="application/json">{{"id": "{_words(rng, 1)}", "data": "{_words(rng, 120)}"}}</script>'


def _drawn_from(make: Callable[[random.Random], str], count: int) -> Callable[[random.Random, int], str]:
    """Draws from parts that are made once: making every page of new words takes longer than all the rest."""
    parts = [make(random.Random(number)) for number in range(count)]
    return lambda rng, wanted: " ".join(rng.choices(parts, k=wanted))


_sentences = _drawn_from(_sentence, 20_000)
_links = _drawn_from(_link, 4_000)
_scripts = _drawn_from(_script, 500)


def _linked(rng: random.Random) -> str:
    """Prose as a wiki has it: a link in every sentence, and a footnote mark."""
    return " ".join(
        f'{_sentences(rng, 1)} <a href="/wiki/{index}" title="{_words(rng, 2)}">{_words(rng, 2)}</a>'
        f'<sup class="reference"><a href="#n">[{index}]</a></sup>.'
        for index in range(rng.randint(2, 5))
    )


KINDS: dict[str, Callable[[int, random.Random, int], dict[str, Any]]] = {"web": _web, "wiki": _wiki}
