"""What the assets' tables hold, in words: column schemas and lineage for Dagster's catalogue."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg

_HASH = re.compile(r"[0-9a-f]{64}")
_SHOWN_OF_A_HASH = 12


def table(name: str, columns: Mapping[str, tuple[str, str]], key: Sequence[str]) -> dict[str, dg.MetadataValue | str]:
    """Definition metadata of a table: name and columns as `{name: (type, meaning)}`, with the key's columns."""
    return {
        "dagster/table_name": name,
        "dagster/column_schema": dg.MetadataValue.table_schema(
            dg.TableSchema(
                columns=[
                    dg.TableColumn(
                        column,
                        type=kind,
                        description=meaning,
                        constraints=dg.TableColumnConstraints(nullable=column not in key, unique=[column] == list(key)),
                    )
                    for column, (kind, meaning) in columns.items()
                ]
            )
        ),
    }


def lineage(columns: Mapping[str, Sequence[tuple[str, str]]]) -> dg.MetadataValue:
    """Which columns of which upstream assets a column is made of, as `{column: [(asset, column)]}`."""
    return dg.MetadataValue.column_lineage(
        dg.TableColumnLineage(
            {
                column: [dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=name) for asset, name in sources]
                for column, sources in columns.items()
            }
        )
    )


def samples(rows: Sequence[object], names: Sequence[str]) -> dg.MetadataValue:
    """A few rows as a table; `rows` are records that have these attributes."""
    return rows_table(names, [{name: getattr(row, name) for name in names} for row in rows])


def rows_table(names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> dg.MetadataValue:
    """Rows as a table with these columns, which is there also when there are no rows."""
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _cell(row[name]) for name in names}) for row in rows],
        schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in names]),
    )


def _cell(value: object) -> str | int | float | bool | None:
    """A value as a table has room for it: of a hash the beginning, which commands take too; times to the second."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:_SHOWN_OF_A_HASH]
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


INGEST_RECORDS = {
    "ingest_id": ("uuid", "Identifies the record for ever."),
    "source_system": ("text", "Kind of server it came from: mediawiki, openalex, files."),
    "source_name": ("text", "Which server of that kind."),
    "resource_type": ("text", "What was asked for."),
    "resource_id": ("text", "Its name there; for a wiki, the page's title."),
    "variant": ("text", "raw or html, where a page was fetched both ways."),
    "status_code": ("integer", "HTTP status of the answer."),
    "payload": ("text", "The answer, as it was."),
    "fetched_at_utc": ("timestamp", "When it was fetched."),
    "hash_sha256": ("text", "Of the payload's JSON with sorted keys."),
}
EXTRACTED_TEXTS = {
    "source_id": ("text", "The page or work that the text is of."),
    "text_sha256": ("text", "Of the text's UTF-8; when it changes, the source changed."),
    "title": ("text", "As the page shows it."),
    "content": ("text", "The readable text, title first."),
    "character_count": ("integer", "Length in code points."),
    "extractor": ("text", "What read it."),
    "extractor_version": ("text", "Another version reads every record again."),
    "ingest_id": ("uuid", "The record it was read from."),
    "current_since_utc": ("timestamp", "When it became its source's text; empty if it never did."),
    "retired_utc": ("timestamp", "When it stopped being that; empty while it is."),
}
CHUNKS = {
    "chunk_id": ("text", "SHA-256 of source, index, offsets and policy version."),
    "source_id": ("text", "The source whose text it is cut from."),
    "offsets_json": ("text", "chunk_index, start_offset, end_offset: code points, half-open."),
    "content": ("text", "The characters between the offsets."),
    "content_sha256": ("text", "Of the content's UTF-8."),
    "policy_json": ("text", "chunk_size, overlap, max_chunks_per_source, version."),
    "text_sha256": ("text", "Of the text it was cut from."),
    "run_id": ("uuid", "The run that wrote it last."),
    "retired_utc": ("timestamp", "When it stopped being current; empty while it is."),
}
EMBEDDINGS = {
    "embedding_id": ("uuid", "Derived from chunk, space and content hash."),
    "chunk_id": ("text", "The chunk that was embedded."),
    "embedding_space_id": ("uuid", "The space in which the vector means something."),
    "input_content_sha256": ("text", "Of the content that was embedded."),
    "vector": ("float[]", "As the provider gave it; never compared across spaces."),
    "vector_sha256": ("text", "Of the vector's little-endian float32 bytes."),
    "run_id": ("uuid", "The run that made it."),
}
DRIFT_REPORTS = {
    "report_id": ("uuid", "Identifies the report."),
    "run_id": ("uuid", "The run that compared."),
    "kind": ("text", "content, model or spaces."),
    "embedding_space_id": ("uuid", "The space, or the one that another is compared with."),
    "other_space_id": ("uuid", "The other space, where there is one."),
    "verdict": ("text", "ok, watch or alert: the gravest of its judgements."),
    "judgements_json": ("text", "What it says about contents, model, space and retrieval, why, and what to do."),
    "parameters_json": ("text", "What is needed to make it again."),
    "seed": ("bigint", "Of everything that is drawn by chance."),
    "created_utc": ("time", "When it was made."),
}

EVALUATIONS = {
    "evaluation_id": ("uuid", "Identifies the evaluation."),
    "embedding_space_id": ("uuid", "The space that was searched."),
    "run_id": ("uuid", "The run that asked."),
    "collection": ("text", "Which judged queries were asked."),
    "collection_sha256": ("text", "Of their files; only evaluations of one hash are compared."),
    "judged": ("text", "What the judgements are of: corpus, sources or chunks."),
    "method": ("text", "How chunks were ranked."),
    "chunk_count": ("bigint", "How many were searched."),
    "query_count": ("integer", "How many queries were asked."),
    "ndcg_at_10": ("float", "The mean over queries, as all below."),
    "recall_at_10": ("float", "The share of what is relevant that is among the first ten."),
    "recall_at_100": ("float", "Among the first hundred."),
    "mrr_at_10": ("float", "1 / rank of the first relevant one."),
    "map_at_100": ("float", "The precision at each relevant one."),
    "is_winner": ("boolean", "Whether searches in the space rank so."),
    "evaluated_utc": ("timestamp", "When this was found first; finding it again writes nothing."),
}
EMBEDDING_SPACES = {
    "embedding_space_id": ("uuid", "Derived from everything below."),
    "provider": ("text", "Who embeds."),
    "model_name": ("text", "With what."),
    "model_tag": ("text", "Which variant; +hash where settings depart from the provider's own."),
    "model_digest": ("text", "SHA-256 of the weights; empty where a server tells none."),
    "dimensions": ("integer", "Numbers per vector."),
    "preprocess_policy_json": ("text", "Whatever else the vectors depend on."),
    "is_active": ("boolean", "Whether it is kept up to date."),
}
