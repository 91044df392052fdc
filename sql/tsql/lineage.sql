-- The chain from an ingest record to a vector, one link a query.

-- name: list_chunks_by_prefix
-- A chunk by its id, or by the beginning of one.
select top (2)
    c.chunk_id, c.source_id, c.source_ref_json, c.offsets_json, c.content, c.content_sha256, c.policy_json,
    c.text_sha256, c.run_id, c.created_utc, c.retired_utc, x.title, x.presence, x.status,
    x.ingest_id as speaking_ingest_id
from vector.chunk as c
left join vector.source_registry as x on x.source_id = c.source_id
where c.chunk_id like concat(:prefix, N'%') and left(c.chunk_id, len(:prefix)) = :prefix
order by c.chunk_id;

-- name: list_chunk_versions
select valid_from_utc, valid_to_utc, content_sha256, text_sha256, extractor, extractor_version, policy_version, run_id
from vector.chunk_version
where chunk_id = :chunk_id
order by valid_from_utc;

-- name: list_texts_of_source
select
    text_sha256, title, character_count, extractor, extractor_version, ingest_id, run_id, created_utc,
    current_since_utc, retired_utc
from vector.extracted_text
where source_id = :source_id
order by created_utc;

-- name: list_records_of_source
select
    s.ingest_id, s.variant, s.revision, s.fetched_at_utc, s.outcome, s.text_sha256, s.extractor,
    s.extractor_version, s.reason, s.run_id, r.request_uri, r.hash_sha256, r.status_code
from vector.ingest_seen as s
join ingest.IngestRecords as r on r.ingest_id = s.ingest_id
where s.source_id = :source_id
order by s.fetched_at_utc, s.ingest_id;

-- name: list_embeddings_of_chunk
select
    e.embedding_id, e.embedding_space_id, e.input_content_sha256, e.vector_sha256, e.run_id, e.created_utc,
    p.provider, p.model_name, p.model_tag, p.model_digest, p.dimensions
from vector.embedding as e
join vector.embedding_space as p on p.embedding_space_id = e.embedding_space_id
where e.chunk_id = :chunk_id
order by e.created_utc, e.embedding_id;

-- name: list_runs
select
    r.run_id, r.job_id, j.job_type, j.input_json, j.locked_by, r.status, r.started_utc, r.completed_utc, r.worker_id,
    r.options_json
from vector.run as r
join vector.job as j on j.job_id = r.job_id
where r.run_id in (
    select value from openjson(cast(:run_ids as nvarchar(max))) with (value uniqueidentifier '$')
)
order by r.started_utc;

-- name: get_text_of_chunk_version
-- The text that an earlier state of a chunk was cut from: its content is the characters between the offsets.
select content
from vector.extracted_text
where source_id = :source_id and text_sha256 = :text_sha256;
