"""Cutting a text into chunks: half-open character ranges under a named policy. Pure.

A policy's version is part of every chunk id, so a version means one set of parameters for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The characters `[start, end)` of a text, counted in code points."""

    index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkingPolicy:
    """How to cut; sizes in code points. `algorithm` names the rule, `version` this choice of sizes."""

    version: str
    algorithm: str
    chunk_size: int
    overlap: int
    max_chunks_per_source: int

    def __post_init__(self) -> None:
        if self.algorithm not in _ALGORITHMS:
            raise ValueError(f"unknown chunking algorithm {self.algorithm!r}; known: {', '.join(_ALGORITHMS)}")
        if self.chunk_size <= 0:
            raise ValueError(f"chunk_size must be positive, got {self.chunk_size}")
        if not 0 <= self.overlap < self.chunk_size:
            raise ValueError(f"overlap must be at least 0 and below chunk_size, got {self.overlap}")
        if self.max_chunks_per_source <= 0:
            raise ValueError(f"max_chunks_per_source must be positive, got {self.max_chunks_per_source}")

    @property
    def tiles(self) -> bool:
        """Whether the chunks cover every character up to the cap."""
        return self.algorithm != "1.0"

    def parameters(self) -> dict[str, int | str]:
        """What `policy_json` holds: the existing database's four keys, and the rule where it is not implied."""
        parameters: dict[str, int | str] = {
            "chunk_size": self.chunk_size,
            "overlap": self.overlap,
            "max_chunks_per_source": self.max_chunks_per_source,
            "version": self.version,
        }
        if self.algorithm != self.version:
            parameters["algorithm"] = self.algorithm
        return parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The chunks of one text, and how many characters at its end the cap left out."""

    spans: tuple[Span, ...]
    omitted_characters: int


def cut(text: str, policy: ChunkingPolicy) -> Cut:
    """Cut `text` under `policy`; an empty text has no chunks."""
    spans: list[Span] = []
    for start, end in _ALGORITHMS[policy.algorithm](text, policy):
        if len(spans) == policy.max_chunks_per_source:
            return Cut(spans=tuple(spans), omitted_characters=len(text) - spans[-1].end)
        spans.append(Span(index=len(spans), start=start, end=end))
    return Cut(spans=tuple(spans), omitted_characters=0)


def _fixed_steps(text: str, policy: ChunkingPolicy) -> Iterator[tuple[int, int]]:
    """Policy 1.0, exactly as the existing database was chunked.

    A window is trimmed to its last space, yet the next one starts a fixed step after the *untrimmed*
    start: what lies between a trimmed end and the next start is in no chunk. Kept, because ids of
    stored chunks depend on it.
    """
    step = policy.chunk_size - policy.overlap
    start = 0
    while start < len(text):
        end = min(start + policy.chunk_size, len(text))
        if end < len(text):
            last_space = text.rfind(" ", start, end) - start
            if last_space > policy.chunk_size // 2:
                yield start, start + last_space
                start += step
                continue
        yield start, end
        if end >= len(text):
            return
        start += step


def _tiling(text: str, policy: ChunkingPolicy) -> Iterator[tuple[int, int]]:
    """Policy 2.0: no word is cut where whitespace allows, and every character is in a chunk.

    Each chunk starts at or before the end of the one before it, which is what makes the chunks tile;
    it starts after that one's start, which is what makes the loop end.
    """
    start = 0
    while start < len(text):
        end = min(start + policy.chunk_size, len(text))
        if end < len(text):
            end = _after_last_whitespace(text, start + max(policy.chunk_size // 2, policy.overlap) + 1, end)
        yield start, end
        if end == len(text):
            return
        start = _first_word_start(text, end - policy.overlap, end)


def _after_last_whitespace(text: str, lowest: int, end: int) -> int:
    """The largest cut position in `[lowest, end]` that splits no word, else `end`."""
    if text[end].isspace():
        return end
    for position in range(end, lowest - 1, -1):
        if text[position - 1].isspace():
            return position
    return end


def _first_word_start(text: str, lowest: int, end: int) -> int:
    """Where the first whole word in `[lowest, end)` begins, else `lowest`."""
    for position in range(max(lowest, 1), end):
        if text[position - 1].isspace() and not text[position].isspace():
            return position
    return lowest


_ALGORITHMS = {"1.0": _fixed_steps, "2.0": _tiling}

#: Built in and fixed; other sizes need another version (see `docs/configuration.md`).
POLICIES = {
    "1.0": ChunkingPolicy(version="1.0", algorithm="1.0", chunk_size=2000, overlap=200, max_chunks_per_source=100),
    "2.0": ChunkingPolicy(version="2.0", algorithm="2.0", chunk_size=2000, overlap=200, max_chunks_per_source=1000),
}
