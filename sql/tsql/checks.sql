-- Facts that must hold. A `count_` here counts violations over keys, hashes and counts alone; a `list_written_`
-- reads back what some runs wrote (every run, when none are given). Other programs may write to the tables of the
-- contract: what is theirs has no `text_sha256`, `ingest_id` or `vector_binary`, and is not judged. A plan for what one
-- run wrote is no plan for every run, so a `list_written_` is planned anew each time.

-- name: count_duplicate_records
select count(*) - count(distinct ingest_id) as n
from ingest.IngestRecords;

-- name: list_text_disagreements
-- Sources whose registered text is not their one current text, and current texts of no such source.
select distinct top (:limit) coalesce(x.source_id, t.source_id) as source_id
from (
    select source_id, text_sha256 from vector.source_registry where text_sha256 is not null
) as x
full join (
    select source_id, text_sha256
    from vector.extracted_text
    where current_since_utc is not null and retired_utc is null
) as t on t.source_id = x.source_id and t.text_sha256 = x.text_sha256
where x.source_id is null or t.source_id is null
order by source_id;

-- name: count_duplicate_chunks
select count(*) - count(distinct chunk_id) as n
from vector.chunk;

-- name: list_count_disagreements
-- Sources whose registered number of chunks is not the number that is current.
select top (:limit)
    coalesce(x.source_id, c.source_id) as source_id, coalesce(x.chunk_count, 0) as registered, coalesce(c.n, 0) as n
from (
    select source_id, chunk_count from vector.source_registry where chunk_count > 0 and ingest_id is not null
) as x
full join (
    select source_id, count(*) as n
    from vector.chunk
    where retired_utc is null and text_sha256 is not null
    group by source_id
) as c on c.source_id = x.source_id
where coalesce(x.chunk_count, 0) <> coalesce(c.n, 0)
order by source_id;

-- name: list_stray_chunks
-- Current chunks of a source that is not registered, or that is gone and was chunked since.
select top (:limit) c.chunk_id, c.source_id
from vector.chunk as c
where c.retired_utc is null
    and c.text_sha256 is not null
    and not exists (
        select 1
        from vector.source_registry as x
        where x.source_id = c.source_id and (x.text_sha256 is not null or x.content_sha256 is not null)
    )
order by c.chunk_id;

-- name: get_version_agreement
-- Whether the current chunks and the open versions are the same set, by count and by the contents that are in only one.
select
    cast(
        case
            when (select count(*) from vector.chunk where retired_utc is null and text_sha256 is not null)
                <> (select count(*) from vector.chunk_version where valid_to_utc is null)
                then 0
            when exists (
                select 1
                from vector.chunk as c
                where c.retired_utc is null
                    and c.text_sha256 is not null
                    and not exists (
                        select 1
                        from vector.chunk_version as v
                        where v.chunk_id = c.chunk_id
                            and v.content_sha256 = c.content_sha256
                            and v.valid_to_utc is null
                    )
            )
                then 0
            else 1
        end as bit
    ) as agree;

-- name: list_version_disagreements
-- Current chunks without exactly one open version of the same content, and open versions of no current chunk.
select distinct top (:limit)
    coalesce(c.chunk_id, v.chunk_id) as chunk_id, coalesce(c.source_id, v.source_id) as source_id
from (
    select chunk_id, source_id, content_sha256
    from vector.chunk
    where retired_utc is null and text_sha256 is not null
) as c
full join (
    select chunk_id, min(source_id) as source_id, content_sha256, count(*) as versions
    from vector.chunk_version
    where valid_to_utc is null
    group by chunk_id, content_sha256
) as v on v.chunk_id = c.chunk_id and v.content_sha256 = c.content_sha256
where c.chunk_id is null or v.chunk_id is null or v.versions <> 1
order by chunk_id;

-- name: list_duplicate_embeddings
-- All but the oldest of each idempotency key.
select top (:limit) embedding_id
from (
    select
        embedding_id,
        row_number() over (
            partition by chunk_id, embedding_space_id, input_content_sha256 order by created_utc, embedding_id
        ) as copy
    from vector.embedding
) as copies
where copy > 1;

-- name: list_unmatched_embeddings
-- Embeddings of a content that their chunk never had.
select top (:limit) e.embedding_id
from vector.embedding as e
where not exists (
    select 1
    from vector.chunk_version as v
    where v.chunk_id = e.chunk_id and v.content_sha256 = e.input_content_sha256
)
    and e.vector_binary is not null
    and exists (select 1 from vector.chunk_version as k where k.chunk_id = e.chunk_id);

-- name: list_embeddings_without_lineage
-- Whose run is not recorded, or has no job, or was a run of another space.
select top (:limit) e.embedding_id
from vector.embedding as e
where e.run_id is not null and not exists (
    select 1
    from vector.run as r
    join vector.job as j on j.job_id = r.job_id
    where r.run_id = e.run_id and r.embedding_space_id = e.embedding_space_id
);

-- name: list_texts_without_record
-- Texts, current or historic, whose ingest record is no longer stored.
select top (:limit) t.text_id
from vector.extracted_text as t
where not exists (select 1 from ingest.IngestRecords as r where r.ingest_id = t.ingest_id)
order by t.text_id;

-- name: list_written_texts
select text_id, source_id, text_sha256, content, ingest_id
from vector.extracted_text
where :every_run = 1
    or run_id in (
        select value from openjson(cast(:run_ids as nvarchar(max))) with (value uniqueidentifier '$')
    )
option (recompile);

-- name: list_written_chunks
-- In no order: contents are too large to be sorted.
select
    c.chunk_id, c.source_id, c.content, c.content_sha256,
    try_cast(json_value(case when isjson(c.offsets_json) = 1 then c.offsets_json end, '$.chunk_index') as int) as chunk_index,
    try_cast(json_value(case when isjson(c.offsets_json) = 1 then c.offsets_json end, '$.start_offset') as int) as start_offset,
    try_cast(json_value(case when isjson(c.offsets_json) = 1 then c.offsets_json end, '$.end_offset') as int) as end_offset,
    json_value(case when isjson(c.policy_json) = 1 then c.policy_json end, '$.version') as policy_version
from vector.chunk as c
where c.retired_utc is null
    and c.text_sha256 is not null
    and (
        :every_run = 1
        or c.run_id in (
            select value from openjson(cast(:run_ids as nvarchar(max))) with (value uniqueidentifier '$')
        )
    )
option (recompile);

-- name: list_written_spans
-- All chunks of each source of which these runs wrote any that is current, together, with the length of the text they
-- were cut from.
select
    c.source_id,
    try_cast(json_value(case when isjson(c.offsets_json) = 1 then c.offsets_json end, '$.chunk_index') as int) as chunk_index,
    try_cast(json_value(case when isjson(c.offsets_json) = 1 then c.offsets_json end, '$.start_offset') as int) as start_offset,
    try_cast(json_value(case when isjson(c.offsets_json) = 1 then c.offsets_json end, '$.end_offset') as int) as end_offset,
    coalesce(
        json_value(case when isjson(c.policy_json) = 1 then c.policy_json end, '$.algorithm'),
        json_value(case when isjson(c.policy_json) = 1 then c.policy_json end, '$.version')
    ) as algorithm,
    t.character_count - x.omitted_character_count as expected_end
from vector.chunk as c
join vector.source_registry as x on x.source_id = c.source_id
left join vector.extracted_text as t on t.source_id = c.source_id and t.text_sha256 = c.text_sha256
where c.retired_utc is null
    and c.text_sha256 is not null
    and (
        :every_run = 1
        or c.source_id in (
            select w.source_id
            from vector.chunk as w
            where w.retired_utc is null and w.run_id in (
                select value from openjson(cast(:run_ids as nvarchar(max))) with (value uniqueidentifier '$')
            )
        )
    )
order by c.source_id, chunk_index
option (recompile);

-- name: list_written_embeddings
select e.embedding_id, e.chunk_id, e.input_content_sha256, e.vector_binary as vector, e.vector_sha256
from vector.embedding as e
where e.embedding_space_id = :embedding_space_id
    and e.vector_binary is not null
    and (
        :every_run = 1
        or e.run_id in (
            select value from openjson(cast(:run_ids as nvarchar(max))) with (value uniqueidentifier '$')
        )
    )
option (recompile);

-- name: delete_embeddings
-- Repair: what is deleted is pending again, and made anew by the next run.
delete from vector.embedding
where embedding_id in (
    select value from openjson(cast(:embedding_ids as nvarchar(max))) with (value uniqueidentifier '$')
);

-- name: request_examination_of_sources
-- Repair: every record that names these sources is read again.
update vector.ingest_seen
set extractor_version = N''
where source_id in (
    select value from openjson(cast(:source_ids as nvarchar(max))) with (value nvarchar(256) '$')
);

-- name: end_chunk_versions
-- Repair: whatever versions of these chunks are open end now.
update vector.chunk_version
set valid_to_utc = :now
where valid_to_utc is null
    and chunk_id in (
        select value from openjson(cast(:chunk_ids as nvarchar(max))) with (value nvarchar(128) '$')
    );

-- name: delete_texts
-- Repair: a text that is not what its hash says.
delete from vector.extracted_text
where text_id in (
    select value from openjson(cast(:text_ids as nvarchar(max))) with (value uniqueidentifier '$')
);

-- name: request_chunking
-- Repair: these sources are cut again by the next run.
update vector.source_registry
set content_sha256 = null, policy_version = null, status = N'pending', updated_utc = :now
where source_id in (
    select value from openjson(cast(:source_ids as nvarchar(max))) with (value nvarchar(256) '$')
);

-- name: retire_chunks_by_id
-- Repair: these are no longer retrieved, and are written anew if their source is cut into them again.
update vector.chunk
set retired_utc = :now
where retired_utc is null
    and chunk_id in (
        select value from openjson(cast(:chunk_ids as nvarchar(max))) with (value nvarchar(128) '$')
    );
