"""What the search page shows of hits, as plain values for its templates, which escape every one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode, urlsplit

from holocron_assets.retrieval.hits import Hit, Scores, SearchResult
from holocron_assets.retrieval.snippets import snippet
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.web.asking import OTHER, Given

_SHOWN_CHARACTERS = 320
_DIGITS = {"rrf": 4}
#: What each score is, for a reader; in the order in which they are shown.
SCORES = {
    "cosine_similarity": "the cosine of the angle between the vectors of query and passage; comparable within a space",
    "bm25": "how many of the query's words are there, rare ones counting more; comparable within a query",
    "rrf": "reciprocal rank fusion, from the ranks by the two before; comparable within a query",
    "weighted": "the two before, brought to 0..1 and weighted; comparable within a query",
    "rerank": "as the reranker judges, by which the hits are ordered in the end",
}
#: What no page may hold, or what a reader would not see: control characters.
_CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if code not in (9, 10, 13)}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and whether it is one of the words that were searched for."""

    text: str
    is_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a source's text: the passage that was found, or not; `after_gap` where text before it is missing."""

    pieces: tuple[Piece, ...]
    is_hit: bool
    after_gap: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A hit as it is shown; `there` is its rank on the other side of a comparison."""

    hit: Hit
    scores: dict[str, str]
    pieces: tuple[Piece, ...]
    url: str | None
    site: str | None
    context: str
    lineage: str
    there: int | None = None


def readable(text: object) -> str:
    """A text as a page may hold it."""
    return str(text).translate(_CONTROLS)


def shown(result: SearchResult, analyzer: Analyzer, other: SearchResult | None = None) -> list[Shown]:
    """The hits of a result; with where the same chunks stand in the `other` one."""
    terms = set(analyzer.query_terms(result.query))
    ranks = {hit.chunk_id: hit.rank for hit in other.hits} if other else {}
    return [_shown(hit, result, terms, analyzer, ranks.get(hit.chunk_id)) for hit in result.hits]


def stretches(passages: Sequence[Hit], chunk_id: str, terms: set[str], analyzer: Analyzer) -> list[Stretch]:
    """The text that the chunks of a source cover, in its order; what several of them have is there once."""
    found = next((one for one in passages if one.chunk_id == chunk_id), None)
    hit = range(found.start_offset, found.end_offset) if found else range(0)
    made = []
    for run, (start, text) in enumerate(_runs(passages)):
        end = start + len(text)
        cuts = sorted({start, end, *(at for at in (hit.start, hit.stop) if hit and start < at < end)})
        for first, last in pairwise(cuts):
            is_hit = first in hit
            part = text[first - start : last - start]
            pieces = _words_marked(part, terms, analyzer) if is_hit else (Piece(part),)
            made.append(Stretch(pieces=pieces, is_hit=is_hit, after_gap=run > 0 and first == start))
    return made


def web_address(url: str | None) -> str | None:
    """The address, if a browser may be sent there."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


def address(path: str, given: Given) -> str:
    """A link to a page of ours that asks for what is given."""
    return f"{path}?{urlencode(given, doseq=True)}"


def without_other(given: Given) -> Given:
    """Only the one side of a comparison."""
    return {name: values for name, values in given.items() if name not in OTHER}


def _shown(hit: Hit, result: SearchResult, terms: set[str], analyzer: Analyzer, there: int | None) -> Shown:
    found = snippet(hit.text, terms, analyzer.words, _SHOWN_CHARACTERS)
    url = web_address(hit.url)
    place = {"space": [result.space], "source": [hit.source_id], "chunk": [hit.chunk_id], "q": [result.query]}
    return Shown(
        hit=hit,
        scores=_scores(hit.scores),
        pieces=(
            *([Piece("…")] if found.is_cut_before else []),
            *_pieces(found.text, found.spans),
            *([Piece("…")] if found.is_cut_after else []),
        ),
        url=url,
        site=urlsplit(url).hostname if url else None,
        context=address("/context", place) + "#hit",
        lineage=address("/lineage", {"chunk": [hit.chunk_id]}),
        there=there,
    )


def _scores(scores: Scores) -> dict[str, str]:
    values: dict[str, Any] = {name: getattr(scores, name) for name in SCORES}
    return {name: _rounded(value, _DIGITS.get(name, 3)) for name, value in values.items() if value is not None}


def _rounded(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0:.{digits}f}"  # and never -0.000


def _runs(passages: Sequence[Hit]) -> Iterator[tuple[int, str]]:
    """Where an unbroken stretch of the text begins, and the stretch."""
    start, parts, end = 0, list[str](), 0
    for one in sorted(passages, key=lambda hit: (hit.start_offset, hit.end_offset)):
        if parts and one.start_offset > end:
            yield start, "".join(parts)
            parts = []
        if not parts:
            start = end = one.start_offset
        if one.end_offset > end:
            parts.append(one.text[end - one.start_offset :])
            end = one.end_offset
    if parts:
        yield start, "".join(parts)


def _words_marked(text: str, terms: set[str], analyzer: Analyzer) -> tuple[Piece, ...]:
    return _pieces(text, [(word.start, word.end) for word in analyzer.words(text) if word.term in terms])


def _pieces(text: str, spans: Sequence[tuple[int, int]]) -> tuple[Piece, ...]:
    made, end = list[Piece](), 0
    for start, stop in spans:
        made += [Piece(text[end:start]), Piece(text[start:stop], is_match=True)]
        end = stop
    return tuple(piece for piece in (*made, Piece(text[end:])) if piece.text)
