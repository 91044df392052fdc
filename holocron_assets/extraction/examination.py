"""Examines ingest records: what each is about, and the text of those whose text is needed.

The entry point of the workers. Nothing that a payload does to a parser leaves this module: each record gets an
outcome, be it that it failed and why. Which examined record speaks for its source is decided by the store.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from holocron_assets.errors import ExtractionError
from holocron_assets.extraction import EXTRACTORS, SELECTION, STATUS
from holocron_assets.extraction.cleaning import clean, clean_line
from holocron_assets.extraction.document import Document, Extractor
from holocron_assets.extraction.payload import open_payload
from holocron_assets.extraction.resource import normal_resource, resource_key, resource_source_id
from holocron_assets.identity import text_sha256
from holocron_assets.records import Examination, Outcome, RawRecord, RecordKey

_LONGEST_REASON = 500

#: outcomes of records that are about no source, or about one that is not there
_SOURCELESS = frozenset({Outcome.MISSING, Outcome.IGNORED, Outcome.GONE})


def judge_without_payload(key: RecordKey) -> Examination | None:
    """The examination of a record whose status says enough, or None if its payload must be read."""
    if 200 <= key.status_code < 300:
        return None
    reading = _Reading(key)
    reading.outcome = Outcome.GONE if key.status_code in (404, 410) else Outcome.IGNORED
    reading.reason = f"HTTP {key.status_code}"
    return reading.examination()


def left_out(key: RecordKey, reason: str) -> Examination:
    """The examination of a record that is not among the selected ones."""
    reading = _Reading(key)
    reading.outcome, reading.reason = Outcome.IGNORED, reason
    name, version = SELECTION
    return replace(reading.examination(), extractor=name, extractor_version=version)


def failed(key: RecordKey, reason: str) -> Examination:
    """The examination of a record that could not be read, for a reason found outside this process."""
    reading = _Reading(key)
    reading.reason = reason
    return reading.examination()


def examine_groups(groups: Sequence[Sequence[RawRecord]]) -> list[list[Examination]]:
    """Examine the pending records of several resources: what a worker process is asked for."""
    return [examine(records) for records in groups]


def examine(records: Sequence[RawRecord]) -> list[Examination]:
    """Examine all pending records of one resource; one examination for each, in their order.

    Text is extracted from the record that is preferred to the others, and from those that are wanted. When the
    preferred one cannot be read, the other variant of the same revision is.
    """
    judged = [judge_without_payload(record.key) for record in records]
    readings = [_Reading(record.key) for record in records]
    for record, reading, judgement in zip(records, readings, judged, strict=True):
        if judgement is None:
            reading.recognise(record)
    _extract_needed([reading for reading in readings if reading.outcome is Outcome.IDENTIFIED])
    return [judgement or reading.examination() for judgement, reading in zip(judged, readings, strict=True)]


class _Reading:
    """One record on its way from payload to text."""

    def __init__(self, key: RecordKey) -> None:
        self.key = key
        self.variant = normal_resource(key.resource_type, key.variant)[1]
        self.outcome = Outcome.FAILED
        self.reason: str | None = None
        self.document: Document | None = None
        self._extractor: Extractor | None = None
        self._text: str | None = None

    @property
    def revision(self) -> int | None:
        """The revision of the page in the record, where the payload says it."""
        return self.document.revision if self.document else None

    def recognise(self, record: RawRecord) -> None:
        """Find out what the record is."""
        with self._failing():
            key, payload = open_payload(record)
            for extractor in EXTRACTORS:
                self._extractor = extractor
                document = extractor.recognise(key, payload)
                if document is not None:
                    self.document = document
                    self.outcome = document.outcome
                    self.reason = document.reason
                    return
            self._extractor = None
            raise ExtractionError(f"no extractor reads {key.content_type or 'such a payload'}")

    def extract(self) -> None:
        """Read the text of a record that was recognised."""
        if self._extractor is None or self.document is None:
            return
        with self._failing():
            text = clean(self._extractor.text(self.document))
            self._text = text or None
            self.outcome = Outcome.TEXT if text else Outcome.EMPTY

    def examination(self) -> Examination:
        """Everything there is to say of the record."""
        document = self.document or Document()
        source_id = None
        if self.document and self.outcome not in _SOURCELESS:
            source_id = document.source_id or resource_source_id(self.key)
        title = clean_line(document.title or "") or None
        extractor, version = (self._extractor.name, self._extractor.version) if self._extractor else STATUS
        return Examination(
            ingest_id=self.key.ingest_id,
            resource_key=resource_key(self.key),
            variant=self.variant,
            fetched_at_utc=self.key.fetched_at_utc,
            outcome=self.outcome,
            extractor=extractor,
            extractor_version=version,
            source_id=source_id,
            source_type=document.source_type if self.document else None,
            revision=document.revision,
            title=title,
            redirect_target=clean_line(document.redirect_target or "") or None,
            source_ref=self._reference(source_id, title, document),
            tags=tuple(filter(None, map(clean_line, document.tags))),
            reason=clean_line(self.reason or "")[:_LONGEST_REASON] or None,
            text=self._text,
            text_sha256=text_sha256(self._text) if self._text else None,
        )

    def _reference(self, source_id: str | None, title: str | None, document: Document) -> dict[str, Any]:
        """Where the text comes from: always the record, and what its payload says of the page."""
        known = {"title": title, "revision": document.revision, **document.reference}
        return {
            "source_id": source_id,
            "source_system": self.key.source_system,
            "source_name": self.key.source_name,
            "resource_type": self.key.resource_type,
            "resource_id": self.key.resource_id,
            "ingest_id": str(self.key.ingest_id),
            "variant": self.key.variant,
            "request_uri": self.key.request_uri,
        } | {name: clean_line(value) if isinstance(value, str) else value for name, value in known.items() if value}

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Whatever is raised inside becomes the record's outcome."""
        try:
            yield
        except ExtractionError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 (a parser's bug on one payload must not stop the others)
            extractor = f"{self._extractor.name} {self._extractor.version}" if self._extractor else "the payload"
            self._fail(f"{extractor} raised {type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        self.outcome = Outcome.FAILED
        self.reason = reason


def _extract_needed(readings: list[_Reading]) -> None:
    """Extract the preferred record of a resource, or its other variant if that one fails, and the wanted ones."""
    # Revisions say which is newer only where all have one; `action=parse` gives none unless it is asked to.
    by_revision = all(reading.revision for reading in readings)

    def preference(reading: _Reading) -> tuple[Any, ...]:
        revision = reading.revision if by_revision else None
        return revision or 0, reading.variant == "html", reading.key.fetched_at_utc, reading.key.ingest_id

    ranked = sorted(readings, key=preference, reverse=True)
    failed_variants: set[str] = set()
    is_read = False
    for reading in ranked:
        is_preferred = not is_read and reading.variant not in failed_variants and _same_revision(reading, ranked[0])
        if is_preferred or reading.key.wanted:
            reading.extract()
        if is_preferred:
            is_read = reading.outcome is not Outcome.FAILED
            failed_variants.add(reading.variant)


def _same_revision(one: _Reading, other: _Reading) -> bool:
    return one.revision == other.revision or None in (one.revision, other.revision)
