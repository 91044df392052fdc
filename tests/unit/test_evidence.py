"""Bundles of evidence: ids and hashes as the chat runtime has them, and limits that always hold."""

import json
import uuid
from dataclasses import asdict, replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets.errors import ConfigurationError, InputError
from holocron_assets.evidence.bundle import EvidenceBundle, bundle_of, cut, evidence_id
from holocron_assets.evidence.policy import EvidencePolicy
from holocron_assets.identity import text_sha256
from holocron_assets.retrieval.hits import Scores
from tests.searching import SPACE_ID, a_hit, a_result

texts = st.lists(st.text(alphabet="aé漢😀 @.", max_size=400), max_size=12)
policies = st.builds(
    lambda items, total, item, redacts: EvidencePolicy(
        max_items=items, max_total_bytes=total, max_item_bytes=min(item, total), enable_redaction=redacts
    ),
    st.integers(1, 8),
    st.integers(1000, 3000),
    st.integers(100, 1500),
    st.booleans(),
)


def chosen(bundle: EvidenceBundle) -> list[str]:
    return [item.content for item in bundle.items]


def test_ids_of_evidence_are_those_of_the_contract() -> None:
    """`doc:`, 12 digits of the hash of the chunk's id, and the rank counted from 0."""
    assert evidence_id("abc", 0) == "doc:ba7816bf8f01:0"
    bundle = bundle_of(a_result(["one", "two"]), EvidencePolicy())
    assert [item.evidence_id for item in bundle.items] == [
        f"doc:{text_sha256(text_sha256('chunk 1'))[:12]}:0",
        f"doc:{text_sha256(text_sha256('chunk 2'))[:12]}:1",
    ]


def test_the_hash_of_a_bundle_is_that_of_the_contract() -> None:
    """SHA-256 of the contents' hashes, written one after the other in order."""
    bundle = bundle_of(a_result(["Padmé", "two"]), EvidencePolicy())

    assert bundle.items[0].content_sha256 == "402e3ee2a48386661f381570a6274f1959aed7f3ee93489f6b44fbb853302836"
    joined = "".join(item.content_sha256 for item in bundle.items)
    assert bundle.bundle_sha256 == sha256(joined.encode()).hexdigest()
    assert bundle.bundle_sha256 == "2f4e9bf1faddfc2d174608174bac5b8fa48eefb39234085891c5a1fafbd7ca82"
    assert bundle_of(a_result([]), EvidencePolicy()).bundle_sha256 == sha256(b"").hexdigest()


def test_an_item_as_it_is_handed_over() -> None:
    """Every field of an item, and of the bundle around it."""
    bundle = bundle_of(a_result(["The keeper."], retrieval_id=SPACE_ID), EvidencePolicy())

    assert bundle.bundle_id == uuid.UUID("baf79190-6856-59f2-8525-df6722c8bc0c")
    chunk_id = text_sha256("chunk 1")
    assert json.loads(bundle.as_json()) == {
        "bundle_id": str(bundle.bundle_id),
        "build_version": "holocron-1",
        "bundle_kind": "llm_input",
        "policy": {
            "max_items": 50,
            "max_total_bytes": 100000,
            "max_item_bytes": 10000,
            "enable_redaction": False,
            "version": "1.0",
        },
        "items": [
            {
                "evidence_id": evidence_id(chunk_id, 0),
                "evidence_type": "doc_chunk",
                "source_ref": {
                    "chunk_id": chunk_id,
                    "source_id": "mediawiki:ondrel:page/1",
                    "source_type": "wiki_page",
                    "title": "Page 1",
                    "source_ref": {"source_name": "ondrel", "page_id": 1},
                    "retrieval_id": str(SPACE_ID),
                    "retrieval_rank": 1,
                    "retrieval_score": 1 / 61,
                },
                "content": "The keeper.",
                "content_sha256": text_sha256("The keeper."),
                "byte_count": 11,
                "metadata": {
                    "retrieval_score": 1 / 61,
                    "retrieval_rank": 1,
                    "ranked_by": "rrf",
                    "offsets": {"start_offset": 100, "end_offset": 111},
                    "bounding": {"applied": False, "original_size": 11, "bounded_size": 11},
                    "redaction": {"enabled": False, "redactions": []},
                },
                "full_ref": None,
                "source_system": "mediawiki",
                "source_uri": "https://wiki.example/1",
                "selector_json": {"start_offset": 100, "end_offset": 111},
                "ordinal": 0,
                "role": "context",
            }
        ],
        "summary": {
            "item_count": 1,
            "type_counts": {"doc_chunk": 1},
            "total_bytes": 11,
            "approx_tokens": 2,
            "bundle_bounding": {
                "applied": False,
                "original_count": 1,
                "final_count": 1,
                "items_dropped": 0,
                "total_bytes": 11,
                "max_total_bytes": 100000,
            },
            "retrieval": {
                "query_text": "who keeps the tide clock",
                "filters": {},
                "notes": [],
                "retrieval_id": str(SPACE_ID),
                "embedding_space_id": str(SPACE_ID),
                "space": "ngram-e4b58a24",
                "method": "hybrid:rrf:0.5",
                "ranked_by": "rrf",
            },
        },
        "bundle_sha256": bundle.bundle_sha256,
    }


@given(texts, policies)
def test_no_limit_is_ever_exceeded(given_texts: list[str], policy: EvidencePolicy) -> None:
    """Items, bytes of each and bytes in all stay within the policy, whatever was found."""
    bundle = bundle_of(a_result(given_texts), policy)

    sizes = [len(item.content.encode()) for item in bundle.items]
    assert len(sizes) <= policy.max_items
    assert sum(sizes) <= policy.max_total_bytes
    assert max(sizes, default=0) <= policy.max_item_bytes
    assert [item.byte_count for item in bundle.items] == sizes
    assert bundle.summary["total_bytes"] == sum(sizes)


@given(texts, policies)
def test_order_is_kept_and_all_that_fits_is_taken(given_texts: list[str], policy: EvidencePolicy) -> None:
    """Items stand in order of rank; one of the first ones is missing only where it found no room."""
    result = a_result(given_texts)
    bundle = bundle_of(result, policy)

    ranks = [item.metadata["retrieval_rank"] for item in bundle.items]
    assert ranks == sorted(ranks)
    assert [item.ordinal for item in bundle.items] == list(range(len(ranks)))
    room = policy.max_total_bytes
    whole = replace(policy, max_items=50, max_total_bytes=1_000_000)
    for item in bundle_of(result, whole).items[: policy.max_items]:
        fits = item.byte_count <= room
        assert fits == (item.metadata["retrieval_rank"] in ranks)
        room -= item.byte_count if fits else 0


def test_a_large_item_leaves_room_for_smaller_ones() -> None:
    """What does not fit is passed over, and what is behind it still enters."""
    policy = EvidencePolicy(max_total_bytes=1000, max_item_bytes=600)

    bundle = bundle_of(a_result(["a" * 600, "b" * 500, "c" * 300, "d" * 200, "e" * 100]), policy)

    assert chosen(bundle) == ["a" * 600, "c" * 300, "e" * 100]
    assert bundle.summary["bundle_bounding"]["items_dropped"] == 2


def test_beyond_the_first_items_nothing_enters() -> None:
    """Only the first `max_items` are looked at, also where one of them found no room; empty texts do not count."""
    policy = EvidencePolicy(max_items=2, max_total_bytes=1000, max_item_bytes=900)

    assert chosen(bundle_of(a_result(["", "a" * 900, "b" * 200, "c"]), policy)) == ["a" * 900]


@given(st.text(alphabet="aé漢😀", max_size=60), st.integers(0, 120))
def test_cuts_are_at_characters(text: str, max_bytes: int) -> None:
    """The longest beginning in whole characters, never a byte over the limit."""
    kept = cut(text, max_bytes)

    assert text.startswith(kept)
    assert len(kept.encode()) <= max_bytes
    assert kept == text or len(text[: len(kept) + 1].encode()) > max_bytes


def test_a_cut_is_said() -> None:
    """Sizes before and after, where it was cut, and which chunk has the whole; the selector covers what is left."""
    (item,) = bundle_of(a_result(["é" * 80]), EvidencePolicy(max_item_bytes=101)).items

    assert item.content == "é" * 50
    assert item.metadata["bounding"] == {
        "applied": True,
        "original_size": 160,
        "bounded_size": 100,
        "truncation_point": 100,
        "note": "cut to 101 bytes",
    }
    assert item.full_ref == {"chunk_id": text_sha256("chunk 1"), "content_sha256": text_sha256("é" * 80)}
    assert item.selector_json == {"start_offset": 100, "end_offset": 150}
    assert item.metadata["offsets"] == {"start_offset": 100, "end_offset": 180}


def test_redaction_comes_before_the_cut() -> None:
    """A secret that the limit would have cut in two is gone, and so is a mark that the limit would have broken."""
    text = "x" * 85 + " keeper@mail.example and more"
    policy = EvidencePolicy(max_item_bytes=100, enable_redaction=True)

    (item,) = bundle_of(a_result([text]), policy).items

    assert item.content == "x" * 85 + " "
    assert item.metadata["redaction"]["redactions"] == []


@given(st.from_regex(r"[a-z]{1,30}@[a-z]{1,20}\.com", fullmatch=True), st.integers(0, 150))
def test_a_redacted_bundle_tells_nothing_of_what_was_taken_out(email: str, place: int) -> None:
    """Neither a length nor a hash differs: bundles of texts that differ in what is redacted are one bundle."""

    def redacted(secret: str) -> EvidenceBundle:
        text = "p " * place + secret + " rest"
        hit = a_hit(1, text, title=f"Of {secret}", url=f"https://x.example/?by={secret}", source_ref={"by": [secret]})
        result = replace(a_result([]), hits=(hit,), query=f"mail of {secret}", filters={"title": secret})
        return bundle_of(result, EvidencePolicy(max_item_bytes=200, enable_redaction=True))

    assert redacted(email).as_json() == redacted("another.one@else.example").as_json()
    assert email not in redacted(email).as_json()


def test_redactions_are_listed_by_rule_and_place() -> None:
    """The rule and the place in the redacted text, and nothing else."""
    (item,) = bundle_of(a_result(["Call 555-123-4567."]), EvidencePolicy(enable_redaction=True)).items

    assert item.metadata["redaction"]["redactions"] == [{"rule": "phone", "start": 5, "end": 21}]
    assert item.metadata["redaction"]["redaction_count"] == 1
    assert item.content_sha256 == text_sha256("Call [PHONE_REDACTED].")


def test_redaction_is_off_unless_asked_for() -> None:
    """Nothing is changed by default."""
    (item,) = bundle_of(a_result(["Call 555-123-4567."]), EvidencePolicy()).items

    assert item.content == "Call 555-123-4567."


def test_the_same_result_is_the_same_bundle() -> None:
    """Twice the same bytes; another limit or another query is another bundle."""
    first, again = (bundle_of(a_result(["one", "two"]), EvidencePolicy()) for _ in range(2))

    assert first.as_json() == again.as_json()
    others = [
        bundle_of(a_result(["one", "two"]), EvidencePolicy(max_items=2)),
        bundle_of(a_result(["one", "two"], query="another"), EvidencePolicy()),
    ]
    assert len({first.bundle_id, *(one.bundle_id for one in others)}) == 3


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_items": 0}, "max_items is 0, and must be at least 1"),
        ({"max_total_bytes": 999, "max_item_bytes": 100}, "max_total_bytes is 999, and must be at least 1000"),
        ({"max_item_bytes": 99}, "max_item_bytes is 99, and must be at least 100"),
        ({"max_total_bytes": 5000}, "max_item_bytes is 10000, and must not exceed max_total_bytes, which is 5000"),
        ({"max_items": -1, "max_item_bytes": 1}, "max_items is -1.*; max_item_bytes is 1"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, int], message: str) -> None:
    """Every fault of a policy is named at once."""
    with pytest.raises(ConfigurationError, match=message):
        EvidencePolicy(**limits)  # type: ignore[arg-type]


def test_defaults_are_those_of_the_contract() -> None:
    """50 items, 100,000 bytes in all, 10,000 each, nothing redacted, version 1.0."""
    assert asdict(EvidencePolicy()) == {
        "max_items": 50,
        "max_total_bytes": 100_000,
        "max_item_bytes": 10_000,
        "enable_redaction": False,
        "version": "1.0",
    }


def test_a_hit_without_the_score_that_ranks_it_is_refused() -> None:
    """A score is never replaced by one of another kind."""
    hit = a_hit(1, "text", scores=Scores(cosine_similarity=0.5))

    with pytest.raises(InputError, match=r"hit 1 .* has no score 'rrf'"):
        bundle_of(a_result([], hits=(hit,)), EvidencePolicy())
