"""Bringing the search index of a space up to date: what changed is written beside the rest, and published at once.

The rows of an index are those that the store has, each with a number that differs when anything of it does. What the
store no longer has is masked; what is new becomes a segment of its own; small segments are merged as they add up.
"""

import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import filelock

from holocron_assets.clock import utc_now
from holocron_assets.errors import IndexBusyError, IndexDamagedError, SearchIndexError
from holocron_assets.ports import Progress, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.retrieval.index import SearchIndex, open_index
from holocron_assets.retrieval.manifest import (
    MANIFEST,
    Manifest,
    changed_files,
    last_version,
    looks,
    publish,
    read_manifest,
)
from holocron_assets.retrieval.words import analyzer_of
from holocron_assets.settings import Settings
from holocron_assets.stages.index_graphs import kind_of, with_graphs, without_graphs
from holocron_assets.stages.index_segments import added, compared, entry_of, is_as_listed, merged
from holocron_assets.stages.index_wanted import index_state, wanted
from holocron_assets.transactions import read

_LOCK = "building.lock"
_LOCK_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPlace:
    """Where the indexes of a store are, the language of its texts, and beyond how many rows they are approximate."""

    root: Path
    language: str
    approximate_above: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        search = settings.search
        return cls(
            root=settings.path(search.folder), language=search.language, approximate_above=search.approximate_above
        )

    def folder(self, store: Store, space: EmbeddingSpace) -> Path:
        """Of one space; two stores whose spaces are alike do not share it."""
        return self.root / hashlib.sha256(store.name.encode()).hexdigest()[:12] / space.slug


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What bringing an index up to date took; `rebuilt` says why nothing of an earlier one could be kept."""

    index: SearchIndex
    added: int
    retired: int
    merged: int
    seconds: float
    rebuilt: str | None


def current_index(
    store: Store,
    space: EmbeddingSpace,
    place: IndexPlace,
    progress: Progress | None = None,
    *,
    known: SearchIndex | None = None,
) -> SearchIndex:
    """The index of a space with nothing stale in it: the published one, brought up to date where it is not.

    While nothing was committed since it was, the store is not opened, nor is any file if the caller has the index open
    already, as `known`. Raises as `refresh_index`.
    """
    stamp = store.stamp()
    if known is not None and stamp is not None and known.manifest.stamp == stamp and known.is_whole():
        return known
    folder = place.folder(store, space)
    published, _ = _published(folder, store, space, place.language, known)
    if published is not None and stamp is not None and published.manifest.stamp == stamp:
        return published
    if published is None or read(store, index_state, space) != _state(published):
        return refresh_index(store, space, place, progress, examines=published is None).index
    with suppress(OSError, filelock.Timeout, IndexDamagedError), filelock.FileLock(folder / _LOCK, timeout=0):
        # Only spares the next one a look at the store.
        _publish_stamp(folder, published, stamp)
    return published.stamped(stamp)


def refresh_index(
    store: Store,
    space: EmbeddingSpace,
    place: IndexPlace,
    progress: Progress | None = None,
    *,
    distrusted: str | None = None,
    examines: bool = False,
) -> IndexReport:
    """Make the index of a space hold what is current, and publish it; cheap where nothing changed.

    `distrusted` says why nothing that is published may be kept; with `examines` every file is read, and nothing is kept
    where one is not what was written. Of several who do this at once one works, and the
    others find it done. Raises `IndexBusyError` when that takes too long, `SearchIndexError` when the files cannot be
    written; what was published stays until the new one is whole.
    """
    folder = place.folder(store, space)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder), _nothing_left_of_a_failure(folder):
            try:
                return _refresh(store, space, folder, place, progress, distrusted, examines=examines)
            except IndexDamagedError as error:
                return _refresh(store, space, folder, place, progress, str(error), examines=False)
    except OSError as error:
        raise SearchIndexError(
            f"the search index of {space.slug} cannot be written to {folder}: {error.strerror or error}. Free some "
            "space, mend the permissions, or set `search.folder`."
        ) from error


def published_index(store: Store, space: EmbeddingSpace, place: IndexPlace) -> SearchIndex | None:
    """What is published, current or not; None where there is nothing, or nothing that can be used."""
    folder = place.folder(store, space)
    version = last_version(folder)
    published, _ = _published(folder, store, space, place.language)
    if published is None and last_version(folder) != version:
        # Its files were removed between the look at what names them and theirs, because others took their place.
        published, _ = _published(folder, store, space, place.language)
    return published


def _refresh(
    store: Store,
    space: EmbeddingSpace,
    folder: Path,
    place: IndexPlace,
    progress: Progress | None,
    distrusted: str | None,
    *,
    examines: bool,
) -> IndexReport:
    started = time.monotonic()
    stamp = store.stamp()
    published, rebuilt = None, distrusted
    if distrusted is None:
        published, rebuilt = _published(folder, store, space, place.language, examines=examines)
    is_as_wanted = published is not None and (published.manifest.approximate, published.manifest.note) == kind_of(
        place.approximate_above, published.manifest.live_count, published.segments
    )
    asked = read(store, wanted, space, _state(published) if published is not None and is_as_wanted else None)
    if published is not None and asked is None:
        _publish_stamp(folder, published, stamp)
        _clean(folder, published.manifest)
        seconds = time.monotonic() - started
        return IndexReport(index=published.stamped(stamp), added=0, retired=0, merged=0, seconds=seconds, rebuilt=None)
    if asked is None:
        raise AssertionError("without an index, everything is wanted")
    kept, missing = compared(published, asked.keys)
    retired = (published.manifest.live_count if published else 0) - sum(part.live_count for part in kept)
    new = list(added(store, space, folder, missing, asked.page_types, analyzer_of(place.language), progress))
    parts, merged_rows = merged(folder, space, [*kept, *new], published)
    rows = sum(part.live_count for part in parts)
    approximate, _ = kind_of(place.approximate_above, rows)
    parts = with_graphs(folder, space, parts, progress) if approximate else without_graphs(parts)
    manifest = Manifest(
        version=last_version(folder) + 1,
        embedding_space_id=space.embedding_space_id,
        slug=space.slug,
        dimensions=space.dimensions,
        language=place.language,
        store=store.name,
        # What changed while it was read may have changed back since, and nothing else would tell.
        state=asked.state if is_as_listed(new, missing) else {},
        stamp=stamp if is_as_listed(new, missing) else None,
        chunks_not_embedded=asked.chunks_not_embedded,
        approximate=approximate,
        note=kind_of(place.approximate_above, rows, [part.segment for part in parts])[1],
        built_utc=utc_now(),
        segments=tuple(entry_of(folder, part, published) for part in parts),
    )
    publish(folder, manifest)
    _clean(folder, manifest)
    index = SearchIndex(
        folder, manifest, [part.segment for part in parts], [part.live for part in parts], looks(folder, manifest)
    )
    return IndexReport(
        index=index,
        added=len(missing),
        retired=retired,
        merged=merged_rows,
        seconds=time.monotonic() - started,
        rebuilt=rebuilt,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with filelock.FileLock(folder / _LOCK, timeout=_LOCK_SECONDS):
            yield
    except filelock.Timeout as error:
        raise IndexBusyError(
            f"another process has been building the index in {folder} for {_LOCK_SECONDS:g} s; wait for it"
        ) from error


@contextmanager
def _nothing_left_of_a_failure(folder: Path) -> Iterator[None]:
    """Remove what was written and not published: on a full disk each attempt would leave more."""
    try:
        yield
    except BaseException:
        with suppress(OSError, IndexDamagedError):
            _clean(folder, read_manifest(folder))
        raise


def _published(
    folder: Path,
    store: Store,
    space: EmbeddingSpace,
    language: str,
    known: SearchIndex | None = None,
    *,
    examines: bool = False,
) -> tuple[SearchIndex | None, str | None]:
    """The index to go on from, or why there is none; `known` itself where it is the one that is published.

    Files are read and compared with what was written if `examines`, and where somebody wrote to them since `known` was
    opened.
    """
    try:
        manifest = read_manifest(folder)
        if manifest is None:
            return None, None
        if why := _unfit(manifest, store, space, language):
            return None, why
        is_known = known is not None and known.stamped(manifest.stamp).manifest == manifest
        if known is not None and is_known and known.is_whole():
            return known.stamped(manifest.stamp), None
        index = open_index(folder, manifest)
        if (examines or is_known) and (changed := changed_files(folder, manifest.files)):
            return None, f"{folder / changed[0]} is not what was written"
        return index, None
    except IndexDamagedError as error:
        return None, str(error)


def _unfit(manifest: Manifest, store: Store, space: EmbeddingSpace, language: str) -> str | None:
    """Why nothing of an index can be used."""
    if (manifest.embedding_space_id, manifest.dimensions) != (space.embedding_space_id, space.dimensions):
        return "it was the index of another space"
    if manifest.store != store.name:
        return f"it was the index of {manifest.store}"
    if manifest.language != language:
        return f"its words were those of {manifest.language}"
    return None


def _state(published: SearchIndex) -> dict[str, str]:
    """What the store said when it was built."""
    return dict(published.manifest.state)


def _publish_stamp(folder: Path, published: SearchIndex, stamp: str | None) -> None:
    """Have whoever opens an index that is current know that it is, unless another one was published since."""
    if stamp != published.manifest.stamp and read_manifest(folder) == published.manifest:
        publish(folder, published.stamped(stamp).manifest)


def _clean(folder: Path, manifest: Manifest | None) -> None:
    """Remove what no reader can find any more; who has it open keeps it, or prevents it until the next time."""
    segments = manifest.segments if manifest else ()
    named = {one.name for one in segments} | {one.retired for one in segments}
    for path in folder.iterdir():
        if path.name not in named | {MANIFEST, _LOCK}:
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
