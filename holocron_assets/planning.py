"""What a run would do, in full and exactly, with nothing written.

Pending records are read and resolved as a run would, their texts cut, and the result compared with what is
stored. Of texts only hashes are kept, so memory follows the number of pending chunks and not their length.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from holocron_assets.chunking import ChunkingPolicy
from holocron_assets.errors import HolocronError, MassChangeError
from holocron_assets.ports import Progress, ProviderCatalog, Store
from holocron_assets.records import EmbeddingSpace, Examination, Presence, RecordKey
from holocron_assets.resolution import Candidate, Resolution, resolve
from holocron_assets.settings import Settings
from holocron_assets.spaces import space_of
from holocron_assets.stages.chunk import chunks_of, require_no_mass_change, require_same_parameters
from holocron_assets.stages.examining import Examiner
from holocron_assets.stages.extract import examiners, reselected_records, rule_of, whole_resources
from holocron_assets.stages.register import require_may_register
from holocron_assets.tables import chunks as chunk_table
from holocron_assets.tables import ingest_records, planning, sources, spaces
from holocron_assets.tables.chunks import PendingText
from holocron_assets.tables.sources import SourceState

_PAGE = 4096


@dataclass(slots=True, kw_only=True)
class SpacePlan:
    """What one space would embed; `seconds` as long as its last run's speed holds, None without one."""

    slug: str
    to_embed: int
    seconds: float | None
    is_registered: bool


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a run would do now."""

    records: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    sources_new: int = 0
    sources_changed: int = 0
    sources_vanishing: int = 0
    sources_unreadable: int = 0
    sources_recut: int = 0
    chunks_added: int = 0
    chunks_changed: int = 0
    chunks_retired: int = 0
    spaces: list[SpacePlan] = field(default_factory=list)
    unavailable_spaces: dict[str, str] = field(default_factory=dict)
    guard: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What a source's chunks would be: (chunk_id, content_sha256) each."""

    text_sha256: str | None
    chunks: tuple[tuple[str, str], ...]


def plan(store: Store, settings: Settings, providers: ProviderCatalog, progress: Progress) -> Plan:
    """Work out what `dagster asset materialize --select '+key:embeddings'` would do, short of ingesting files.

    Raises `ConfigurationError` when chunking would: the policy's version was used with other parameters before.
    """
    with Examiner(store, settings.extraction, settings.sources.selection()) as examiner:
        return _Planner(store, settings, examiner).plan(providers, progress)


class _Planner:
    def __init__(self, store: Store, settings: Settings, examiner: Examiner) -> None:
        self._store = store
        self._settings = settings
        self._policy: ChunkingPolicy = settings.chunking.policy()
        self._examiner = examiner
        self._extractors = examiners(settings.sources)
        self._found: dict[uuid.UUID, Candidate] = {}
        self._text_hashes: dict[uuid.UUID, str] = {}
        self._cuts: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
        self._result = Plan()

    def plan(self, providers: ProviderCatalog, progress: Progress) -> Plan:
        with self._store.session(write=False) as session:
            require_same_parameters(self._policy, chunk_table.get_chunk_policy(session, self._policy.version))
        self._examine_pending(progress)
        resolutions = self._resolve()
        targets = self._targets(resolutions)
        self._compare(targets)
        self._count_embeddings(targets, providers)
        return self._result

    def _examine_pending(self, progress: Progress) -> None:
        with self._store.session(write=False) as session:
            total = ingest_records.count_pending_records(session, self._extractors)
            reselected = reselected_records(session, self._settings.sources.selection())
            again = planning.list_records(session, reselected) if reselected else []
        for first in range(0, len(again), _PAGE):
            self._examine(again[first : first + _PAGE])
        offset = 0
        while offset < total:
            with self._store.session(write=False) as session:
                page = ingest_records.list_pending_records(session, self._extractors, limit=_PAGE, offset=offset)
            taken = whole_resources(page, _PAGE)
            self._examine(taken)
            offset += len(taken)
            progress(offset, total)

    def _examine(self, keys: Sequence[RecordKey]) -> None:
        for answer in self._examiner.examine(keys):
            for found in answer:
                self._keep(found)

    def _keep(self, found: Examination) -> None:
        if found.ingest_id not in self._found:
            self._result.records += 1
            outcome = found.outcome.value
            self._result.outcomes[outcome] = self._result.outcomes.get(outcome, 0) + 1
        self._found[found.ingest_id] = Candidate(
            ingest_id=found.ingest_id,
            resource_key=found.resource_key,
            variant=found.variant,
            fetched_at_utc=found.fetched_at_utc,
            outcome=found.outcome,
            source_id=found.source_id,
            revision=found.revision,
        )
        if found.text is not None and found.text_sha256 is not None and found.source_id is not None:
            self._text_hashes[found.ingest_id] = found.text_sha256
            self._cuts[found.source_id, found.text_sha256] = self._cut(found.source_id, found.text_sha256, found.text)

    def _cut(self, source_id: str, text_sha256: str, text: str) -> tuple[tuple[str, str], ...]:
        pending = PendingText(
            source_id=source_id,
            source_type="",
            source_ref_json="",
            text_sha256=text_sha256,
            character_count=len(text),
            extractor="",
            extractor_version="",
        )
        return tuple((one.chunk_id, one.content_sha256) for one in chunks_of(pending, text, self._policy)[1])

    def _resolve(self) -> dict[str, Resolution]:
        """Resolve what the pending records touch, reading further records where one of them should speak."""
        rule = rule_of(self._settings.sources)
        while True:
            keys = sorted({found.resource_key for found in self._found.values()})
            named = {found.source_id for found in self._found.values() if found.source_id is not None}
            with self._store.session(write=False) as session:
                unresolved = sources.list_unresolved_resources(session, rule.label, 1_000_000)
                affected = sorted(named | set(sources.list_affected_sources(session, [*keys, *unresolved])))
                records = sources.list_resolution_candidates(session, affected)
            candidates = {record.candidate.ingest_id: record.candidate for record in records} | self._found
            for record in records:
                if record.text_sha256 and record.candidate.ingest_id not in self._found:
                    self._text_hashes[record.candidate.ingest_id] = record.text_sha256
            resolutions = {one.source_id: one for one in resolve(affected, list(candidates.values()), rule)}
            wanted = [one.wanted for one in resolutions.values() if one.wanted is not None]
            if not wanted:
                return resolutions
            with self._store.session(write=False) as session:
                wanted_keys = planning.list_records(session, wanted)
            self._examine(wanted_keys)

    def _targets(self, resolutions: dict[str, Resolution]) -> dict[str, tuple[SourceState | None, _Target]]:
        """For each source whose chunks would change: what it is now, and what its chunks would be."""
        with self._store.session(write=False) as session:
            waiting = planning.list_unchunked_sources(session, self._policy.version)
            states = sources.list_source_states(session, sorted({*resolutions, *waiting}))
        targets: dict[str, tuple[SourceState | None, _Target]] = {}
        unread: list[tuple[str, str]] = []
        for source_id in sorted({*resolutions, *waiting}):
            state, resolution = states.get(source_id), resolutions.get(source_id)
            text = self._text_of(state, resolution)
            if state is None and text is None:
                continue
            if state is not None and text == state.content_sha256 and self._is_cut_already(state):
                continue
            if text is not None and (source_id, text) not in self._cuts:
                unread.append((source_id, text))
            targets[source_id] = state, _Target(text_sha256=text, chunks=())
        self._read_texts(unread)
        return {
            source_id: (state, replace(target, chunks=self._cuts.get((source_id, target.text_sha256 or ""), ())))
            for source_id, (state, target) in targets.items()
        }

    def _text_of(self, state: SourceState | None, resolution: Resolution | None) -> str | None:
        if resolution is None:
            return state.text_sha256 if state else None
        if resolution.unreadable:
            self._result.sources_unreadable += 1
            if resolution.speaker is None:
                return state.text_sha256 if state else None
        if resolution.presence is not Presence.PRESENT or resolution.speaker is None:
            return None
        return self._text_hashes[resolution.speaker]

    def _is_cut_already(self, state: SourceState) -> bool:
        return state.content_sha256 is None or state.policy_version == self._policy.version

    def _read_texts(self, keys: Sequence[tuple[str, str]]) -> None:
        for first in range(0, len(keys), 256):
            part = keys[first : first + 256]
            with self._store.session(write=False) as session:
                texts = chunk_table.list_text_contents(session, part)
            for source_id, digest in part:
                self._cuts[source_id, digest] = self._cut(source_id, digest, texts[source_id])

    def _compare(self, targets: dict[str, tuple[SourceState | None, _Target]]) -> None:
        result = self._result
        with self._store.session(write=False) as session:
            stored = chunk_table.list_chunk_states(session, list(targets))
            backlog = chunk_table.get_chunking_backlog(session, self._policy.version)
        now = {(one.source_id, one.chunk_id): one.content_sha256 for one in stored if one.is_current}
        recut_chunks = 0
        for source_id, (state, target) in targets.items():
            had_chunks = state is not None and state.chunk_count > 0
            if target.text_sha256 is None:
                result.sources_vanishing += had_chunks
            elif not had_chunks:
                result.sources_new += 1
            elif state is not None and target.text_sha256 == state.content_sha256:
                result.sources_recut += 1
                recut_chunks += state.chunk_count
            else:
                result.sources_changed += 1
            for chunk_id, content_sha256 in target.chunks:
                before = now.pop((source_id, chunk_id), None)
                result.chunks_added += before is None
                result.chunks_changed += before is not None and before != content_sha256
        result.chunks_retired = len(now)
        try:
            require_no_mass_change(
                replace(backlog, vanishing_sources=result.sources_vanishing, recut_chunks=recut_chunks),
                self._settings.guard,
            )
        except MassChangeError as error:
            result.guard = str(error)

    def _count_embeddings(
        self, targets: dict[str, tuple[SourceState | None, _Target]], providers: ProviderCatalog
    ) -> None:
        wanted = self._spaces(providers)
        chunks = [key for _, target in targets.values() for key in target.chunks]
        with self._store.session(write=False) as session:
            planning.stage_planned_chunks(session, list(targets), chunks)
            for space, is_registered in wanted:
                amount = planning.count_chunks_to_embed(session, space.embedding_space_id)
                speed = planning.get_last_throughput(session, space.embedding_space_id)
                self._result.spaces.append(
                    SpacePlan(
                        slug=space.slug,
                        to_embed=amount,
                        seconds=amount / speed if speed else None,
                        is_registered=is_registered,
                    )
                )

    def _spaces(self, providers: ProviderCatalog) -> Iterable[tuple[EmbeddingSpace, bool]]:
        """The active spaces, and those that a run would register."""
        with self._store.session(write=False) as session:
            registered = spaces.list_spaces(session)
        known = {space.embedding_space_id for space in registered}
        found = [(space, True) for space in registered if space.is_active]
        for declared in self._settings.spaces:
            try:
                provider = providers.open(declared.provider, declared.model, declared.options)
                space = space_of(provider.describe())
                if space.embedding_space_id in known:
                    continue
                require_may_register(registered, space, self._settings.canary)
            except HolocronError as error:
                self._result.unavailable_spaces[declared.label] = str(error)
            else:
                found.append((space, False))
        return found
