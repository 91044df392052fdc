"""What the tables look like that this project reads and writes: the contract, and what it adds to it. Pure.

Held against the migrations of every dialect by `tests/unit/test_preflight.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_COLUMN = re.compile(r"(?P<name>\w+):(?P<kind>[a-z]+)(?:\((?P<length>\d+)\))?(?P<nullable>\??)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as it must be: its kind, for text its length in characters, and whether we write nulls to it."""

    kind: str
    length: int | None
    is_nullable: bool


def _columns(specification: str) -> dict[str, Column]:
    """`name:kind`, `name:text(100)`, and `?` where null is written."""
    return {
        found["name"]: Column(
            kind=found["kind"], length=int(found["length"] or 0) or None, is_nullable=bool(found["nullable"])
        )
        for found in _COLUMN.finditer(specification)
    }


#: The table that crawlers fill; others may own it, so no migration of ours adds what it lacks.
RECORDS = "ingest.IngestRecords"
#: What the embedded database calls itself where others give their edition.
DUCKDB = "DuckDB"

#: The tables that every database has, whatever its dialect.
TABLES: Mapping[str, Mapping[str, Column]] = {
    table: _columns(specification)
    for table, specification in {
        "ingest.IngestRecords": """
            ingest_id:uuid source_system:text(100) source_name:text(100) resource_type:text(100)
            resource_id:text(500) request_uri:text(2000) request_method:text(10) request_headers:text?
            status_code:integer response_headers:text? payload:text fetched_at_utc:time hash_sha256:text(64)?
            run_id:uuid? work_item_id:uuid? attempt:integer error_message:text? duration_ms:integer?
            variant:text(20)? content_type:text(200)? content_length:bigint? file_path:text(2000)?
            request_timestamp:time? response_timestamp:time? rank:integer? request_body:text?
            response_body_binary:binary? error_type:text(200)?
        """,
        "vector.embedding_space": """
            embedding_space_id:uuid provider:text(100) model_name:text(200) model_tag:text(100)
            model_digest:text(200) dimensions:integer normalize_flag:boolean distance_metric:text(50)
            preprocess_policy_json:text? transform_ref:text(200)? description:text(500)? is_active:boolean
            created_utc:time activated_utc:time?
        """,
        "vector.transform": """
            embedding_space_id:uuid source_space_id:uuid transform_ref:text(200) kind:text(50) parameters_json:text
            artefact:binary artefact_sha256:text(64) sample_json:text created_utc:time
        """,
        "vector.job": """
            job_id:uuid created_utc:time status:text(20) priority:integer job_type:text(50) input_json:text
            embedding_space_id:uuid? max_attempts:integer attempt_count:integer available_utc:time
            locked_by:text(200)? locked_utc:time? last_error:text?
        """,
        "vector.run": """
            run_id:uuid job_id:uuid started_utc:time completed_utc:time? status:text(20) worker_id:text(200)
            embedding_space_id:uuid? endpoint_url:text(500)? model_name:text(100)? model_tag:text(100)?
            model_digest:text(200)? options_json:text? metrics_json:text? error:text?
        """,
        "vector.source_registry": """
            source_id:text(256) source_type:text(100) source_ref_json:text content_sha256:text(64)?
            last_indexed_utc:time? chunk_count:integer? tags_json:text? status:text(50) created_utc:time
            updated_utc:time title:text? presence:text(20) text_sha256:text(64)? ingest_id:uuid?
            policy_version:text(50)? omitted_character_count:bigint
        """,
        "vector.chunk": """
            chunk_id:text(128) source_id:text(256)? source_type:text(100) source_ref_json:text offsets_json:text
            content:text content_sha256:text(64) byte_count:bigint policy_json:text created_utc:time
            text_sha256:text(64)? run_id:uuid? retired_utc:time?
        """,
        "vector.embedding": """
            embedding_id:uuid chunk_id:text(128) embedding_space_id:uuid input_content_sha256:text(64) run_id:uuid
            vector_sha256:text(64) created_utc:time
        """,
        "vector.retrieval": """
            retrieval_id:uuid run_id:uuid? embedding_space_id:uuid query_text:text query_embedding_json:text?
            top_k:integer filters_json:text? policy_json:text? created_utc:time
        """,
        "vector.retrieval_hit": """
            retrieval_id:uuid rank:integer chunk_id:text(128) score:float metadata_json:text?
        """,
        "vector.extracted_text": """
            text_id:uuid source_id:text(256) text_sha256:text(64) title:text? content:text character_count:bigint
            byte_count:bigint extractor:text(100) extractor_version:text(50) ingest_id:uuid run_id:uuid
            created_utc:time current_since_utc:time? retired_utc:time?
        """,
        "vector.ingest_seen": """
            ingest_id:uuid resource_key:text(64) variant:text(20) source_id:text(256)? source_type:text(100)?
            revision:bigint? fetched_at_utc:time outcome:text(20) text_sha256:text(64)? title:text?
            redirect_target:text? source_ref_json:text? tags_json:text? extractor:text(100)
            extractor_version:text(50) reason:text? run_id:uuid examined_utc:time resolved_rule:text(200)?
        """,
        "vector.source_alias": """
            source_id:text(256) alias_title:text? target_title:text? ingest_id:uuid updated_utc:time
        """,
        "vector.chunk_version": """
            chunk_id:text(128) valid_from_utc:time valid_to_utc:time? source_id:text(256) content_sha256:text(64)
            text_sha256:text(64) extractor:text(100) extractor_version:text(50) policy_version:text(50) run_id:uuid
        """,
        "vector.chunk_policy": """
            policy_version:text(50) policy_json:text created_utc:time
        """,
        "vector.quarantine": """
            item_type:text(20) item_id:text item_version:text(64) scope:text(64) stage:text(50) reason:text
            attempt_count:integer run_id:uuid first_failed_utc:time last_failed_utc:time released_utc:time?
        """,
        "vector.ingest_file": """
            path:text size_bytes:bigint modified_ns:bigint record_count:bigint rejected_count:bigint run_id:uuid?
            loaded_utc:time
        """,
        "vector.canary": """
            canary_id:uuid embedding_space_id:uuid repeatability:float runtime_json:text recorded_utc:time
            completed_utc:time?
        """,
        "vector.space_promotion": """
            alias:text(100) ordinal:integer promotion_id:uuid embedding_space_id:uuid promoted_utc:time
            rolled_back_utc:time?
        """,
        "vector.embedding_replacement": """
            run_id:uuid embedding_id:uuid chunk_id:text(128) old_vector_sha256:text(64)
            new_vector_sha256:text(64)? replaced_utc:time
        """,
        "vector.retrieval_evaluation": """
            evaluation_id:uuid embedding_space_id:uuid run_id:uuid collection:text(100) collection_sha256:text(64)
            judged:text(20) method:text(100) top_k:integer query_count:integer skipped_count:integer
            unknown_count:integer chunk_count:bigint ndcg_at_10:float recall_at_10:float recall_at_100:float
            mrr_at_10:float map_at_100:float is_winner:boolean evaluated_utc:time
        """,
        "vector.retrieval_evaluation_query": """
            evaluation_id:uuid ordinal:integer query_id:text(500) ndcg_at_10:float recall_at_10:float
            recall_at_100:float mrr_at_10:float map_at_100:float
        """,
        "vector.drift_snapshot": """
            snapshot_id:uuid embedding_space_id:uuid name:text(100) document_count:bigint chunk_count:bigint
            membership_sha256:text(64) created_utc:time
        """,
        "vector.drift_snapshot_chunk": """
            snapshot_id:uuid chunk_id:text(128) content_sha256:text(64)
        """,
        "vector.drift_report": """
            report_id:uuid run_id:uuid kind:text(20) embedding_space_id:uuid other_space_id:uuid? verdict:text(10)
            reference_json:text current_json:text judgements_json:text parameters_json:text pictures_json:text
            seed:bigint created_utc:time
        """,
        "vector.drift_metric": """
            report_id:uuid ordinal:integer name:text(100) effect:float? missing:text statistic:float? p:float?
            p_adjusted:float?
            watch_floor:float? alert_floor:float? is_calibrated:boolean? verdict:text(10)? reference_value:float?
            current_value:float? explanation:text details_json:text
        """,
        "vector.anchor": """
            canary_id:uuid anchor_sha256:text(64) kind:text(50) content:text vector_sha256:text(64)
        """,
    }.items()
}

#: What a dialect's tables have beside them: how it keeps vectors, and the keys that its indexes allow.
DIALECT_COLUMNS: Mapping[str, Mapping[str, Mapping[str, Column]]] = {
    "duckdb": {"vector.embedding": _columns("vector:vector"), "vector.anchor": _columns("vector:vector")},
    "tsql": {
        "vector.embedding": _columns("vector_json:text vector_binary:binary?"),
        "vector.anchor": _columns("vector_binary:binary"),
        "vector.quarantine": _columns("item_key:text(64)"),
        "vector.ingest_file": _columns("path_key:text(64)"),
    },
}

#: What must be unique. Checks look for violations too, because a database may have been made without these keys.
KEYS: Mapping[str, frozenset[str]] = {
    "ingest.IngestRecords": frozenset({"ingest_id"}),
    "vector.embedding_space": frozenset({"embedding_space_id"}),
    "vector.transform": frozenset({"embedding_space_id"}),
    "vector.job": frozenset({"job_id"}),
    "vector.run": frozenset({"run_id"}),
    "vector.source_registry": frozenset({"source_id"}),
    "vector.chunk": frozenset({"chunk_id"}),
    "vector.embedding": frozenset({"embedding_id"}),
    "vector.extracted_text": frozenset({"text_id"}),
    "vector.ingest_seen": frozenset({"ingest_id"}),
    "vector.canary": frozenset({"canary_id"}),
    "vector.retrieval_evaluation": frozenset({"evaluation_id"}),
    "vector.drift_snapshot": frozenset({"snapshot_id"}),
    "vector.drift_report": frozenset({"report_id"}),
}

#: What SQL Server looks up by, and needs an index for. DuckDB reads its columns in whole.
LOOKUPS: frozenset[str] = frozenset(
    {
        "ingest.IngestRecords.source_system",
        "vector.chunk.source_id",
        "vector.embedding.chunk_id",
        "vector.embedding.embedding_space_id",
        "vector.extracted_text.source_id",
        "vector.ingest_seen.resource_key",
        "vector.ingest_seen.source_id",
        "vector.chunk_version.chunk_id",
        "vector.chunk_version.source_id",
    }
)

#: What foreign keys of the contract tie to another table.
REFERENCES: frozenset[str] = frozenset(
    {
        "vector.job.embedding_space_id",
        "vector.run.job_id",
        "vector.run.embedding_space_id",
        "vector.chunk.source_id",
        "vector.embedding.chunk_id",
        "vector.embedding.embedding_space_id",
        "vector.embedding.run_id",
    }
)

#: What a database calls its types, by the kinds above.
KINDS: Mapping[str, str] = {
    "uniqueidentifier": "uuid",
    "uuid": "uuid",
    "nvarchar": "text",
    "varchar": "text",
    "nchar": "text",
    "char": "text",
    "int": "integer",
    "integer": "integer",
    "bigint": "bigint",
    "bit": "boolean",
    "boolean": "boolean",
    "datetime2": "time",
    "timestamp": "time",
    "float": "float",
    "double": "float",
    "varbinary": "binary",
    "blob": "binary",
    "float[]": "vector",
}
