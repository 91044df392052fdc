-- What a run left, for the files that tell of it. In order of keys from a position on, so that a page of any run is
-- short work and little memory.

-- name: get_run
select
    r.run_id, r.job_id, j.job_type, j.input_json, r.worker_id, r.status, r.started_utc, r.completed_utc,
    r.embedding_space_id, r.model_name, r.model_tag, r.model_digest, r.options_json, r.metrics_json, r.error
from vector.run r
join vector.job j on j.job_id = r.job_id
where r.run_id = :run_id;

-- name: list_ended_runs
select run_id
from vector.run
where status <> 'RUNNING'
order by started_utc, run_id;

-- name: list_chunks_of_run
-- Each state of a chunk that the run wrote. A content that another run replaced is no longer measured.
select
    v.chunk_id, v.valid_from_utc, v.source_id, v.content_sha256, v.text_sha256, v.policy_version, c.offsets_json,
    case when c.content_sha256 = v.content_sha256 then c.byte_count end as byte_count
from vector.chunk_version v
left join vector.chunk c on c.chunk_id = v.chunk_id
where v.run_id = :run_id
    and v.chunk_id >= :after_chunk_id
    and (v.chunk_id > :after_chunk_id or v.valid_from_utc > :after_utc)
order by v.chunk_id, v.valid_from_utc
limit :limit;

-- name: list_embeddings_of_run
select e.embedding_id, e.chunk_id, e.embedding_space_id, e.input_content_sha256, e.vector_sha256
from vector.embedding e
where e.embedding_space_id = :embedding_space_id
    and e.run_id = :run_id
    and e.chunk_id >= :after_chunk_id
    and (e.chunk_id > :after_chunk_id or e.input_content_sha256 > :after_content_sha256)
order by e.chunk_id, e.input_content_sha256
limit :limit;

-- name: list_failures_of_run
-- Items whose latest failure was in the run, also those that were released since.
select
    q.item_key, q.item_type, q.item_id, q.item_version, q.scope, q.stage, q.reason, q.attempt_count, q.last_failed_utc
from (
    select
        sha256(concat(item_type, '|', item_version, '|', scope, '|', item_id)) as item_key,
        item_type, item_id, item_version, scope, stage, reason, attempt_count, last_failed_utc
    from vector.quarantine
    where run_id = :run_id
) q
where q.item_key > :after_item_key
order by q.item_key
limit :limit;
