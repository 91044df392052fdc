"""What a search answered, taken apart again: the score that ranks a hit, and results that were written as JSON."""

import math
from dataclasses import asdict
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from holocron_assets.errors import InputError
from holocron_assets.identity import text_sha256
from holocron_assets.json_documents import DEEPEST, is_deep
from holocron_assets.retrieval.hits import Hit, SearchResult

_RESULT = TypeAdapter(SearchResult)


def ranking_score(result: SearchResult, hit: Hit) -> float:
    """The score of a hit by which the result is ordered; raises `InputError` where it has none."""
    score: float | None = asdict(hit.scores).get(result.ranked_by)
    if score is None:
        raise InputError(f"hit {hit.rank} ({hit.chunk_id[:12]}) has no score {result.ranked_by!r}, which ranks it")
    return score


def parse_result(text: str | bytes, origin: str) -> SearchResult:
    """The result that `holocron search --json` printed; `origin` is where it was read, for messages.

    Raises `InputError` for anything else, and for a hit whose text is not what its hash says.
    """
    try:
        content: Any = orjson.loads(text)
    except ValueError as error:
        raise InputError(f"{origin} is no JSON: {error}. Write it by `holocron search QUERY --json`.") from error
    try:
        result = _RESULT.validate_python(content)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise InputError(
            f"{origin} is no result of a search: {'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}. "
            "Write it by `holocron search QUERY --json`."
        ) from error
    if is_deep(content):
        raise InputError(f"{origin} is nested deeper than {DEEPEST} levels, which no result of a search is")
    for rank, hit in enumerate(result.hits, start=1):
        if said := _fault(hit, rank):
            raise InputError(f"{origin}, hit {rank} ({hit.chunk_id[:12]}): {said}")
        ranking_score(result, hit)
    return result


def _fault(hit: Hit, rank: int) -> str | None:
    """What a search would not have said of a hit."""
    if hit.rank != rank:
        return f"its rank is {hit.rank}; ranks count from 1, the best first"
    if not 0 <= hit.start_offset <= hit.end_offset:
        return f"no text stands from {hit.start_offset} to {hit.end_offset}"
    if not all(score is None or math.isfinite(score) for score in asdict(hit.scores).values()):
        return "a score is no finite number"
    if text_sha256(hit.text) != hit.content_sha256:
        return (
            "its text is not what its content_sha256 says. Search again: evidence must be what the store holds, "
            "unchanged"
        )
    return None
