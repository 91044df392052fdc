-- What a run would do, asked of what is stored and of staged guesses; nothing here writes.

-- name: list_records
-- The keys of some records, as if they were wanted.
select
    ingest_id, source_system, source_name, resource_type, resource_id, variant, content_type, request_uri,
    status_code, fetched_at_utc, true as wanted
from ingest.IngestRecords
where ingest_id in (select unnest(cast(:ingest_ids as uuid[])))
order by source_system, source_name, resource_id, fetched_at_utc, ingest_id;

-- name: list_unchunked_sources
-- Sources that wait to be chunked already.
select source_id
from vector.source_registry
where text_sha256 is distinct from content_sha256
    or (text_sha256 is not null and policy_version is distinct from :policy_version)
order by source_id;

-- name: count_chunks_to_embed
-- Of the chunks that would be current: those of untouched sources, and those staged for the others.
select count(*) as n
from (
    select c.chunk_id, c.content_sha256
    from vector.chunk c
    where c.retired_utc is null and c.source_id not in (select source_id from staged_planned_sources)
    union all
    select chunk_id, content_sha256 from staged_planned_chunks
    except
    select chunk_id, input_content_sha256 from vector.embedding where embedding_space_id = :embedding_space_id
    except
    select item_id, item_version from vector.quarantine
    where item_type = 'chunk' and scope = :space_scope and released_utc is null
) lacking;

-- name: get_last_throughput
-- Of the last run that embedded something in a space: how much, and how long the provider took.
select r.metrics_json
from vector.run r
join vector.job j on j.job_id = r.job_id
where r.embedding_space_id = :embedding_space_id and r.status = 'SUCCEEDED' and j.job_type = 'EMBED_CHUNKS'
order by r.started_utc desc
limit 1;
