"""The frozen rules for ids and hashes, at their golden values."""

import hashlib
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holocron_assets import identity, vectors

SPACE = uuid.UUID("00000000-0000-0000-0000-000000000001")


def test_chunk_id_golden_value() -> None:
    """A chunk's id is the SHA-256 of source, index, offsets and policy version."""
    expected = "43127278ac065c2712e3ad6b436383a5d9a39addcd17da8a5f732e9c9aabfe1c"

    assert expected == identity.chunk_id("page_123", 0, 0, 2000, "1.0")


def test_text_hash_golden_value() -> None:
    """A text's hash is of its UTF-8, with no normalisation."""
    expected = "402e3ee2a48386661f381570a6274f1959aed7f3ee93489f6b44fbb853302836"

    assert expected == identity.text_sha256("Padm\u00e9")
    assert expected != identity.text_sha256("Padme\u0301")


def test_payload_hash_golden_value() -> None:
    """A payload's hash is of its JSON with sorted keys and default separators, whatever its spelling."""
    expected = "72098b2a2208bcd8cda44c39c3aa422be996b505ae0f32eae54f5da06d5ecfd4"

    assert expected == identity.payload_sha256('{"b":"\u00e9","a":1}')
    assert expected == identity.payload_sha256('{"a": 1, "b": "\\u00e9"}')


def test_payload_that_is_no_json_is_hashed_as_text() -> None:
    """A payload that is no JSON has the hash of its characters."""
    assert identity.payload_sha256("<p>") == hashlib.sha256(b"<p>").hexdigest()


def test_vector_hash_is_of_little_endian_float32() -> None:
    """A vector's hash is of its little-endian float32 bytes, whatever array it came in."""
    values = [0.1, -0.25, 1.0]
    expected = hashlib.sha256(np.array(values, "<f4").tobytes()).hexdigest()

    assert expected == vectors.vector_sha256(np.array(values, np.float32))
    assert expected == vectors.vector_sha256(np.array([*values, 9.0], np.float32)[:3])
    assert expected == vectors.vector_sha256(np.array(values, ">f4"))


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (identity.page_source_id("mediawiki", "ondrel", 93), "mediawiki:ondrel:page/93"),
        (identity.work_source_id("ondrel", "W9900000001"), "openalex:ondrel:work/W9900000001"),
        (identity.work_source_id("ondrel", "W1 "), None),
        (
            identity.resource_source_id("files", "notes", "file", "a.txt"),
            "files:notes:sha/" + hashlib.sha256(b"file\0a.txt").hexdigest()[:32],
        ),
    ],
)
def test_source_ids(actual: str | None, expected: str | None) -> None:
    """Source ids are made of system, name and what identifies the thing within them."""
    assert expected == actual


@given(title=st.text(min_size=1, max_size=500))
def test_resource_keys_survive_a_lenient_collation(title: str) -> None:
    """Titles that differ only in case or trailing space have keys that no collation compares equal."""
    key = identity.resource_key("mediawiki", "wiki", "content", title)
    other = identity.resource_key("mediawiki", "wiki", "content", title + " ")

    assert key.casefold().rstrip() != other.casefold().rstrip()
    assert len(key) == 64


@given(system=st.text(max_size=100), name=st.text(max_size=100), resource=st.text(max_size=500))
def test_source_ids_fit_their_column(system: str, name: str, resource: str) -> None:
    """No source id is longer than the 256 characters of its column."""
    assert len(identity.resource_source_id(system, name, "content", resource)) <= 256
    assert len(identity.page_source_id(system, name, 2**63)) <= 256


def test_embedding_id_is_derived_from_its_key() -> None:
    """Equal idempotency keys give equal embedding ids, and a change of any part another."""
    key = identity.embedding_id("c" * 64, SPACE, "h" * 64)

    assert key == identity.embedding_id("c" * 64, SPACE, "h" * 64)
    assert key != identity.embedding_id("c" * 64, SPACE, "i" * 64)
    assert key != identity.embedding_id("d" * 64, SPACE, "h" * 64)
    assert key != identity.embedding_id("c" * 64, uuid.UUID(int=2), "h" * 64)


def test_space_id_golden_value() -> None:
    """A space's id depends on its whole identity, not on the order in which it is written."""
    whole = {"provider": "p", "dimensions": 3, "preprocess_policy": {"b": 1, "a": 2}}
    turned = {"preprocess_policy": {"a": 2, "b": 1}, "dimensions": 3, "provider": "p"}

    assert uuid.UUID("2edca58f-c2fe-5dc7-85de-31047b4fbbba") == identity.space_id(whole) == identity.space_id(turned)
    assert identity.space_id(whole) != identity.space_id(whole | {"dimensions": 4})
