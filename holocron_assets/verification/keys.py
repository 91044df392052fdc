"""Facts over keys, hashes and counts: set-based queries that read no text and no vector."""

from collections.abc import Sequence
from datetime import datetime

from holocron_assets.clock import utc_now
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace, ItemType
from holocron_assets.tables import checks, embeddings, quarantine
from holocron_assets.verification.finding import Finding


def ingest_ids_are_unique(session: Session) -> Finding:
    """No two ingest records share an id."""
    duplicates = checks.count_duplicate_records(session)
    return Finding(
        claim="ingest_ids_are_unique",
        holds=duplicates == 0,
        explanation=f"{duplicates} ingest records share the id of another."
        if duplicates
        else "Every ingest record has an id of its own.",
        figures={"duplicates": duplicates},
    )


def sources_have_one_current_text(session: Session) -> Finding:
    """Every source's registered text is stored, and is its only current one."""
    return _none(
        "sources_have_one_current_text",
        checks.list_text_disagreements(session),
        broken="Some sources and current texts disagree. Run `holocron verify --repair`, then materialise "
        "extracted_texts.",
        holds="Every source has at most one current text, the one it is registered with.",
    )


def texts_have_their_records(session: Session) -> Finding:
    """Every text names the ingest record it was read from; a warning, because no run can bring one back."""
    return _none(
        "texts_have_their_records",
        checks.list_texts_without_record(session),
        broken="The ingest records behind some texts are no longer stored, so their lineage ends at the text. "
        "Bring them back under their own ids, for example from a backup.",
        holds="Every text names the stored record it was read from.",
        blocks=False,
    )


def chunk_ids_are_unique(session: Session) -> Finding:
    """No two chunks share an id."""
    duplicates = checks.count_duplicate_chunks(session)
    return Finding(
        claim="chunk_ids_are_unique",
        holds=duplicates == 0,
        explanation=f"{duplicates} chunks share the id of another."
        if duplicates
        else "Every chunk has an id of its own.",
        figures={"duplicates": duplicates},
    )


def registry_counts_agree(session: Session) -> Finding:
    """Every source has as many current chunks as the registry says."""
    return _none(
        "registry_counts_agree",
        [
            f"{one.source_id}: registered {one.registered}, current {one.n}"
            for one in checks.list_count_disagreements(session)
        ],
        broken="Some sources have another number of current chunks than registered. "
        "Run `holocron verify --repair`, then materialise chunks.",
        holds="Every source has as many current chunks as the registry says.",
    )


def vanished_sources_have_no_current_chunks(session: Session) -> Finding:
    """Every current chunk belongs to a source that still exists."""
    return _none(
        "vanished_sources_have_no_current_chunks",
        [f"{one.chunk_id} of {one.source_id}" for one in checks.list_stray_chunks(session)],
        broken="Some current chunks belong to sources that are gone; search would return them. "
        "Run `holocron verify --repair`.",
        holds="Every current chunk belongs to a source that exists.",
    )


def chunk_history_is_complete(session: Session) -> Finding:
    """Every current chunk has exactly one open version, and only current chunks have one."""
    return _none(
        "chunk_history_is_complete",
        [f"{one.chunk_id} of {one.source_id}" for one in checks.list_version_disagreements(session)],
        broken="Some chunks and their open versions disagree. Run `holocron verify --repair`, then materialise chunks.",
        holds="Every current chunk has one open version.",
    )


def embedding_keys_are_unique(session: Session) -> Finding:
    """No chunk content is embedded twice in one space."""
    return _none(
        "embedding_keys_are_unique",
        checks.list_duplicate_embeddings(session),
        broken="Some (chunk, space, content) are embedded more than once. Run `holocron verify --repair`.",
        holds="No (chunk, space, content) is embedded twice.",
    )


def embeddings_match_their_chunks(session: Session) -> Finding:
    """Every embedding is of a content that its chunk has or had."""
    return _none(
        "embeddings_match_their_chunks",
        checks.list_unmatched_embeddings(session),
        broken="Some embeddings are of a content that their chunk never held. Run `holocron verify --repair`.",
        holds="Every embedding is of a content that its chunk has or had.",
    )


def embeddings_have_lineage(session: Session) -> Finding:
    """Every embedding names a recorded run of its space, and that run a job."""
    return _none(
        "embeddings_have_lineage",
        checks.list_embeddings_without_lineage(session),
        broken="The runs behind some embeddings are not recorded for their space, so nobody can say what made them. "
        "`holocron verify --repair` deletes them, and the next run makes them anew.",
        holds="Every embedding names the recorded run that made it.",
    )


def every_current_chunk_is_embedded(
    session: Session, spaces: Sequence[EmbeddingSpace], since: datetime | None = None
) -> Finding:
    """Every active space has a vector of every current chunk, quarantined ones excepted.

    For a run, chunks that others made current while it embedded are a warning: the next run embeds them.
    """
    figures: dict[str, int] = {}
    missing: list[str] = []
    came: list[str] = []
    for space in spaces:
        count = embeddings.count_pending_chunks(session, space.embedding_space_id)
        lacking = count.pending - count.quarantined
        figures[f"{space.slug} missing"] = lacking
        figures[f"{space.slug} quarantined"] = count.quarantined
        if lacking and since is not None:
            late = embeddings.count_missing_chunks(session, space.embedding_space_id, since, utc_now()).came
            lacking -= late
            if late:
                came.append(f"{space.slug}: {late} chunks came while the run embedded")
        if lacking:
            missing.append(f"{space.slug} lacks {lacking} chunks")
    explanation = "Every active space has a vector of every current chunk."
    if missing:
        explanation = f"{'; '.join(missing)}. Materialise embeddings again; what is there is kept."
    elif came:
        explanation = f"{'; '.join(came)}. The next run embeds them."
    return Finding(
        claim="every_current_chunk_is_embedded",
        holds=not missing and not came,
        blocks=bool(missing) or not came,
        explanation=explanation,
        figures=figures,
        offenders=[*missing, *came],
    )


def nothing_is_quarantined(session: Session, item_type: ItemType) -> Finding:
    """No item of a type is held back; a warning, because the others are unharmed."""
    count = sum(one.n for one in quarantine.count_quarantined(session) if one.item_type == item_type.value)
    entries = quarantine.list_quarantined(session, checks.LISTED, item_type)
    remedy = (
        "Mend the file and ingest it again, or dismiss them with `holocron retry --type line`."
        if item_type is ItemType.LINE
        else "When the cause is mended: `holocron retry`."
    )
    return Finding(
        claim="nothing_is_quarantined",
        holds=count == 0,
        blocks=False,
        explanation=f"{count} {item_type.value}s are held back, each with its reason. {remedy}"
        if count
        else f"No {item_type.value} is held back.",
        figures={"quarantined": count},
        offenders=[f"{one.title or one.item_id}: {one.reason}" for one in entries],
    )


def _none(claim: str, offenders: Sequence[object], *, broken: str, holds: str, blocks: bool = True) -> Finding:
    """The finding of a query that lists offenders, of which there should be none."""
    return Finding(
        claim=claim,
        holds=not offenders,
        blocks=blocks,
        explanation=broken if offenders else holds,
        offenders=[str(one) for one in offenders],
    )
