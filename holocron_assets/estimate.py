"""About how much room a run will take in the database, from a few counts and a sample of payloads."""

from dataclasses import dataclass

from holocron_assets.ports import Session
from holocron_assets.tables import embeddings, overview, preflight, spaces

#: Characters of text for each character of a rendered page's payload: 0.22 over 70 real wiki pages of 55,000.
_TEXT_SHARE = 0.22
#: Characters that a chunk of the default policy adds to the one before it, and that it holds.
_CHUNK_STEP, _CHUNK_LENGTH = 1800, 2000
#: Bytes of a row beside content and vector: keys, hashes, references, indexes.
_CHUNK_ROW, _EMBEDDING_ROW = 1500, 600


@dataclass(frozen=True, slots=True)
class Form:
    """How a database keeps things: bytes of a character of text, and of a number of a vector."""

    character: int
    number: int


EMBEDDED = Form(character=1, number=4)
SERVER = Form(character=2, number=4)
#: A float32 as JSON has up to 21 characters, of two bytes each.
SERVER_WITH_JSON = Form(character=2, number=4 + 2 * 21)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is still to be written. Spaces that are not registered yet come on top.

    `vector_bytes` are by space; `bytes_per_chunk_and_dimension` says what any other space would take.
    """

    chunks: int
    text_and_chunk_bytes: int
    vector_bytes: dict[str, int]
    bytes_per_chunk_and_dimension: int


def estimate(session: Session, form: Form, *, has_tables: bool) -> Estimate:
    """From the number of things that were fetched and the length of some payloads, less what is stored already."""
    payload = preflight.get_payload_sample(session).average_characters
    characters = preflight.count_resources(session) * payload * _TEXT_SHARE
    stored = overview.get_counts(session).current_chunks if has_tables else 0
    chunks = max(0, round(characters / _CHUNK_STEP) - stored)
    chunk_bytes = (_CHUNK_STEP + _CHUNK_LENGTH) * form.character + _CHUNK_ROW
    vector_bytes = {}
    for space in spaces.list_spaces(session) if has_tables else ():
        if space.is_active:
            lacking = embeddings.count_pending_chunks(session, space.embedding_space_id).pending + chunks
            vector_bytes[space.slug] = lacking * (space.dimensions * form.number + _EMBEDDING_ROW)
    return Estimate(
        chunks=chunks,
        text_and_chunk_bytes=chunks * chunk_bytes,
        vector_bytes=vector_bytes,
        bytes_per_chunk_and_dimension=form.number,
    )
