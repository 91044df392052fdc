"""From ingest records to the current text of each source."""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from holocron_assets.clock import utc_now
from holocron_assets.errors import ConfigurationError
from holocron_assets.extraction import current_extractors
from holocron_assets.extraction.resource import resource_key
from holocron_assets.ports import Progress, Session, Store
from holocron_assets.records import Examination, ItemType, JobType, Outcome, QuarantinedItem, RecordKey
from holocron_assets.resolution import ResolutionRule, resolve
from holocron_assets.runs import Origin, Run, recorded_run
from holocron_assets.sections import ExtractionSettings, SourceSettings
from holocron_assets.selection import Selection
from holocron_assets.stages.examining import Examiner
from holocron_assets.tables import ingest_records, page_classes, quarantine, sources
from holocron_assets.transactions import read, write

STAGE = "extract"

_PAGE_RECORDS = 8192
_COMMIT_RECORDS = 512
_COMMIT_CHARACTERS = 8 * 1024 * 1024
#: However slow the documents are, a kill costs no more than this and the batches in work.
_COMMIT_SECONDS = 3.0
_RESOLVE_RESOURCES = 4096


@dataclass(slots=True, kw_only=True)
class ExtractionReport:
    """What one extraction did."""

    run_id: uuid.UUID | None = None
    examined: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    new_texts: int = 0
    current_texts: int = 0
    retired_texts: int = 0
    linked_pages: int = 0
    bytes_processed: int = 0
    seconds: float = 0.0

    @property
    def records_per_second(self) -> float:
        """How fast records were examined; 0 when there were none."""
        return round(self.examined / self.seconds, 1) if self.seconds else 0.0

    def count(self, examinations: Iterable[Examination]) -> None:
        """Count what was found."""
        for found in examinations:
            self.examined += 1
            self.outcomes[found.outcome.value] = self.outcomes.get(found.outcome.value, 0) + 1


def rule_of(settings: SourceSettings) -> ResolutionRule:
    """The rule that the settings ask for."""
    return ResolutionRule(
        html_preferred=timedelta(hours=settings.html_preferred_hours), gone_retires=settings.gone_status_retires
    )


def count_waiting_records(session: Session, source_settings: SourceSettings) -> int:
    """How many records wait to be examined, or were examined by a run that ended before it drew the conclusion."""
    return (
        ingest_records.count_pending_records(session, examiners(source_settings))
        + sources.count_unresolved_records(session, rule_of(source_settings).label)
        + len(reselected_records(session, source_settings.selection()))
    )


def examiners(settings: SourceSettings) -> list[str]:
    """What examines records under these settings; a record that another examined is pending."""
    return current_extractors(selects=not settings.selection().is_everything)


def reselected_records(session: Session, selection: Selection) -> list[uuid.UUID]:
    """Records to be examined again, because their page was classified since, or the selection changed."""
    if selection.is_everything or not page_classes.count_page_class_tables(session):
        return []
    return page_classes.list_reselected_records(session, selection)


def extract(
    store: Store,
    extraction: ExtractionSettings,
    source_settings: SourceSettings,
    origin: Origin,
    progress: Progress,
) -> ExtractionReport:
    """Examine every pending record, and bring the sources it decides up to date."""
    report = ExtractionReport()
    if read(store, count_waiting_records, source_settings):
        _extract_waiting(store, extraction, source_settings, origin, progress, report)
    if source_settings.link_pages:
        report.linked_pages = _link_pages(store)
    return report


def _extract_waiting(
    store: Store,
    extraction: ExtractionSettings,
    source_settings: SourceSettings,
    origin: Origin,
    progress: Progress,
    report: ExtractionReport,
) -> None:
    rule = rule_of(source_settings)
    started = time.monotonic()
    extractors = examiners(source_settings)
    options = extraction.model_dump(mode="json") | {"rule": rule.label, "extractors": extractors}
    with (
        recorded_run(store, origin, JobType.CHUNK_SOURCE, stage=STAGE, options=options) as run,
        Examiner(store, extraction, source_settings.selection()) as examiner,
    ):
        report.run_id = run.run_id
        try:
            _request_reselected(store, source_settings.selection())
            is_waiting = True
            while is_waiting:
                _examine_pending(store, examiner, extractors, run, report, progress)
                _resolve_sources(store, rule, report)
                is_waiting = read(store, ingest_records.count_pending_records, extractors) > 0
        finally:
            report.bytes_processed = examiner.bytes_read
            report.seconds = time.monotonic() - started
            run.count(
                records_examined=report.examined,
                texts_created=report.new_texts,
                texts_retired=report.retired_texts,
                bytes_processed=report.bytes_processed,
            )


def _link_pages(store: Store) -> int:
    if not read(store, page_classes.count_page_class_tables):
        raise ConfigurationError(
            f"{store.name} has no sem.SourcePage and sem.PageClassification to link. Leave `link_pages` out of the "
            "section `sources` of the settings."
        )
    return write(store, page_classes.update_page_links)


def whole_resources(page: Sequence[RecordKey], limit: int) -> Sequence[RecordKey]:
    """A page without its last resource, whose other records may be on the next one."""
    if len(page) < limit:
        return page
    last = resource_key(page[-1])
    return [key for key in page if resource_key(key) != last] or page


def _request_reselected(store: Store, selection: Selection) -> None:
    if reselected := read(store, reselected_records, selection):
        write(store, quarantine.request_examination, [str(key) for key in reselected])


def _examine_pending(
    store: Store, examiner: Examiner, extractors: list[str], run: Run, report: ExtractionReport, progress: Progress
) -> None:
    """Examine until nothing is pending; every commit stands alone."""
    total = read(store, ingest_records.count_pending_records, extractors)
    while page := read(store, ingest_records.list_pending_records, extractors, limit=_PAGE_RECORDS):
        found: list[Examination] = []
        committed = time.monotonic()
        for answer in examiner.examine(whole_resources(page, _PAGE_RECORDS)):
            found.extend(answer)
            if _is_worth_a_commit(found, time.monotonic() - committed):
                _store(store, found, run, report)
                progress(report.examined, total)
                found, committed = [], time.monotonic()
        _store(store, found, run, report)
        progress(report.examined, total)


def _is_worth_a_commit(found: Sequence[Examination], seconds: float) -> bool:
    return (
        len(found) >= _COMMIT_RECORDS
        or seconds >= _COMMIT_SECONDS
        or sum(len(one.text or "") for one in found) >= _COMMIT_CHARACTERS
    )


def _store(store: Store, found: Sequence[Examination], run: Run, report: ExtractionReport) -> None:
    if found:
        report.new_texts += write(store, _write_examinations, found, run.run_id)
        report.count(found)


def _write_examinations(session: Session, found: Sequence[Examination], run_id: uuid.UUID) -> int:
    now = utc_now()
    broken = [
        QuarantinedItem(
            item_type=ItemType.RECORD, item_id=str(one.ingest_id), stage=STAGE, reason=one.reason or "unknown"
        )
        for one in found
        if one.outcome is Outcome.FAILED
    ]
    healthy = [str(one.ingest_id) for one in found if one.outcome is not Outcome.FAILED]
    new_texts = sources.insert_extracted_texts(session, found, run_id, now)
    sources.upsert_examinations(session, found, run_id, now)
    if broken:
        quarantine.upsert_quarantined(session, broken, run_id, now)
    quarantine.release_quarantined(session, ItemType.RECORD, healthy, now)
    return new_texts


def _resolve_sources(store: Store, rule: ResolutionRule, report: ExtractionReport) -> None:
    """Decide which record speaks for each source touched; a record needed for that, and not read yet, is pending."""
    while resolved := write(store, _resolve_some, rule):
        retired_texts, current_texts = resolved
        report.retired_texts += retired_texts
        report.current_texts += current_texts


def _resolve_some(session: Session, rule: ResolutionRule) -> tuple[int, int] | None:
    """Decide it for some; returns how many texts were retired and how many became current, None when all is decided."""
    resource_keys = sources.list_unresolved_resources(session, rule.label, _RESOLVE_RESOURCES)
    if not resource_keys:
        return None
    affected = sources.list_affected_sources(session, resource_keys)
    records = sources.list_resolution_candidates(session, affected)
    resolutions = resolve(affected, [record.candidate for record in records], rule)
    wanted = [found.wanted for found in resolutions if found.wanted is not None]
    now = utc_now()
    sources.stage_resolutions(session, [found for found in resolutions if found.wanted is None])
    sources.insert_new_sources(session, now)
    sources.update_sources(session, now)
    retired_texts = sources.retire_replaced_texts(session, now)
    current_texts = sources.establish_current_texts(session, now)
    sources.upsert_source_aliases(session, now)
    sources.delete_stale_aliases(session)
    sources.mark_wanted(session, wanted)
    sources.mark_resolved(session, resource_keys, rule.label)
    return retired_texts, current_texts
