"""Chunking: policy 1.0 as the existing database was cut, policy 2.0 and its laws."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.chunking import POLICIES, ChunkingPolicy, cut

V1, V2 = POLICIES["1.0"], POLICIES["2.0"]

words = st.text(alphabet=st.sampled_from("ab \n\t\u00a0漢"), max_size=400)
policies = st.builds(
    lambda size, share: replace(V2, version="test", chunk_size=size, overlap=int(size * share)),
    st.integers(1, 60),
    st.floats(0, 0.99),
)


def spans(text: str, policy: ChunkingPolicy) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in cut(text, policy).spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (("word " * 1000).strip(), [(0, 1999), (1800, 3799), (3600, 4999)]),
        ("w" * 2000, [(0, 2000)]),
        ("w" * 2001, [(0, 2000), (1800, 2001)]),
        ("w" * 3800, [(0, 2000), (1800, 3800)]),
        ("a " * 600 + "b" * 3000, [(0, 1199), (1800, 3800), (3600, 4200)]),
        ("a\n" * 1000 + "b" * 100, [(0, 2000), (1800, 2100)]),
    ],
)
def test_policy_1_reproduces_the_existing_chunks(text: str, expected: list[tuple[int, int]]) -> None:
    """Policy 1.0 gives the chunks of the existing database, its gap and its blindness to newlines included."""
    assert expected == spans(text, V1)


def test_policy_1_drops_the_tail_and_says_so() -> None:
    """Policy 1.0 keeps 100 chunks of a source; what the cap leaves out is counted."""
    text = "x" * 200_000

    result = cut(text, V1)

    assert len(result.spans) == 100
    assert result.omitted_characters == len(text) - result.spans[-1].end > 0


def test_policy_2_cuts_at_whitespace_and_overlaps_by_whole_words() -> None:
    """Policy 2.0 starts and ends chunks between words when there is whitespace to cut at."""
    text = "lorem ipsum dolor " * 500

    result = cut(text, V2).spans

    assert all(text[span.end - 1].isspace() or span.end == len(text) for span in result)
    assert all(span.start == 0 or text[span.start - 1].isspace() for span in result)
    overlaps = [before.end - after.start for before, after in pairwise(result)]
    assert all(180 < overlap <= 200 for overlap in overlaps)


@given(text=words, policy=policies)
def test_policy_2_covers_every_character(text: str, policy: ChunkingPolicy) -> None:
    """Under any sizes, policy 2.0 leaves no character out, up to the cap."""
    result = cut(text, policy)

    covered = 0
    for span in result.spans:
        assert span.start <= covered < span.end
        assert span.end - span.start <= policy.chunk_size
        covered = span.end
    assert covered + result.omitted_characters == len(text)


@given(text=words, policy=policies)
def test_cutting_is_deterministic_and_numbered(text: str, policy: ChunkingPolicy) -> None:
    """The same text and policy give the same chunks, numbered from nought."""
    result = cut(text, policy).spans

    assert result == cut(text, policy).spans
    assert [span.index for span in result] == list(range(len(result)))


@given(text=st.text(max_size=500), cap=st.integers(1, 5))
def test_the_cap_counts_what_it_leaves_out(text: str, cap: int) -> None:
    """However low the cap, chunks and omitted characters together are the text."""
    result = cut(text, replace(V2, version="test", chunk_size=20, overlap=5, max_chunks_per_source=cap))

    assert len(result.spans) <= cap
    assert (result.spans[-1].end if result.spans else 0) + result.omitted_characters == len(text)


@pytest.mark.parametrize(
    "change",
    [
        {"chunk_size": 0},
        {"overlap": -1},
        {"overlap": 2000},
        {"max_chunks_per_source": 0},
        {"algorithm": "3.0"},
    ],
)
def test_impossible_policies_are_refused(change: dict[str, int | str]) -> None:
    """A policy whose loop could not end, or whose rule is unknown, cannot be made."""
    with pytest.raises(ValueError, match=next(iter(change)).split("_")[0]):
        replace(V2, **change)


def test_policy_parameters_are_the_contract_s_keys() -> None:
    """`policy_json` has the existing database's four keys, and the rule where the version does not name it."""
    assert list(V1.parameters()) == ["chunk_size", "overlap", "max_chunks_per_source", "version"]
    assert replace(V2, version="small").parameters()["algorithm"] == "2.0"
