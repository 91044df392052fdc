"""What an extractor is, and what it says of one payload. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from holocron_assets.records import Outcome, RecordKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A payload that was recognised: who it is about and what there is to read, but not yet its text.

    `outcome` is `IDENTIFIED` when `body` can be read, else `MISSING`, `REDIRECT` or `IGNORED`.
    """

    outcome: Outcome = Outcome.IDENTIFIED
    #: what `Extractor.text` reads; its type is the extractor's own affair
    body: Any = None
    #: None where the payload names no source of its own (the resource then stands for it)
    source_id: str | None = None
    source_type: str = "document"
    title: str | None = None
    revision: int | None = None
    redirect_target: str | None = None
    tags: Sequence[str] = ()
    #: goes into `source_ref_json` beside what every record has
    reference: Mapping[str, Any] = field(default_factory=dict)
    #: why a record is `IGNORED`
    reason: str | None = None


class Extractor(Protocol):
    """Reads one kind of record. `version` changes whenever the text of any record may change."""

    name: str
    version: str

    def recognise(self, key: RecordKey, payload: Any) -> Document | None:
        """The document in `payload` (parsed JSON, or a string that is no JSON), or None if it is another kind.

        Raises `ExtractionError` for a payload that is of this kind and broken.
        """
        ...

    def text(self, document: Document) -> str:
        """The readable text of a document, title first; empty when there is nothing to read."""
        ...
