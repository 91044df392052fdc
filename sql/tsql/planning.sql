-- What a run would do, asked of what is stored and of staged guesses; nothing here writes.

-- name: list_records
-- The keys of some records, as if they were wanted.
select
    ingest_id, source_system, source_name, resource_type, resource_id, variant, content_type, request_uri,
    status_code, fetched_at_utc, cast(1 as bit) as wanted
from ingest.IngestRecords
where ingest_id in (
    select value from openjson(cast(:ingest_ids as nvarchar(max))) with (value uniqueidentifier '$')
)
order by source_system, source_name, resource_id, cast(resource_id as varbinary(1000)), fetched_at_utc, ingest_id;

-- name: list_unchunked_sources
-- Sources that wait to be chunked already.
select source_id
from vector.source_registry
where ingest_id is not null
    and (
        text_sha256 <> content_sha256
        or (text_sha256 is null and content_sha256 is not null)
        or (text_sha256 is not null and content_sha256 is null)
        or (text_sha256 is not null and (policy_version is null or policy_version <> :policy_version))
    )
order by source_id;

-- name: count_chunks_to_embed
-- Of the chunks that would be current: those of untouched sources, and those staged for the others.
select count(*) as n
from (
    (
        select c.chunk_id, c.content_sha256
        from vector.chunk as c
        where c.retired_utc is null
            and c.text_sha256 is not null
            and c.source_id not in (select p.source_id from #staged_planned_sources as p)
        union
        select s.chunk_id, s.content_sha256
        from #staged_planned_chunks as s
    )
    except
    select e.chunk_id, e.input_content_sha256
    from vector.embedding as e
    where e.embedding_space_id = :embedding_space_id
    except
    select cast(q.item_id as nvarchar(128)), q.item_version
    from vector.quarantine as q
    where q.item_type = N'chunk' and q.scope = :space_scope and q.released_utc is null
) as lacking;

-- name: get_last_throughput
-- Of the last run that embedded something in a space: how much, and how long the provider took.
select top (1) r.metrics_json
from vector.run as r
join vector.job as j on j.job_id = r.job_id
where r.embedding_space_id = :embedding_space_id and r.status = 'SUCCEEDED' and j.job_type = N'EMBED_CHUNKS'
order by r.started_utc desc;
