-- name: insert_chunk_policy
insert into vector.chunk_policy (policy_version, policy_json, created_utc)
select :policy_version, :policy_json, :now
where not exists (
    select 1 from vector.chunk_policy with (updlock, holdlock) where policy_version = :policy_version
);

-- name: get_chunk_policy
select policy_version, policy_json
from vector.chunk_policy
where policy_version = :policy_version;

-- name: get_chunking_backlog
-- What chunking would do, from keys and counts alone. `vanishing_sources` go from chunks to none;
-- `recut_chunks` are chunked anew although their text did not change.
select
    coalesce(sum(case when chunk_count > 0 then 1 else 0 end), 0) as current_sources,
    coalesce(sum(cast(chunk_count as bigint)), 0) as current_chunks,
    coalesce(sum(
        case
            when text_sha256 <> content_sha256 then 1
            when text_sha256 is null and content_sha256 is not null then 1
            when text_sha256 is not null and content_sha256 is null then 1
            when text_sha256 is not null and (policy_version is null or policy_version <> :policy_version) then 1
            else 0
        end
    ), 0) as pending_sources,
    coalesce(sum(case when text_sha256 is null and chunk_count > 0 then 1 else 0 end), 0) as vanishing_sources,
    coalesce(sum(
        case
            when text_sha256 = content_sha256 and (policy_version is null or policy_version <> :policy_version)
                then cast(chunk_count as bigint)
            else 0
        end
    ), 0) as recut_chunks
from vector.source_registry
where ingest_id is not null;

-- name: list_pending_texts
-- Sources whose chunks do not come from their current text under the current policy, with no text read. What another
-- program registered has no ingest record, and is left alone.
select top (:limit)
    x.source_id, x.source_type, x.source_ref_json, x.text_sha256, t.character_count, t.extractor,
    t.extractor_version
from vector.source_registry as x
left join vector.extracted_text as t on t.source_id = x.source_id and t.text_sha256 = x.text_sha256
where x.ingest_id is not null
    and (
        x.text_sha256 <> x.content_sha256
        or (x.text_sha256 is null and x.content_sha256 is not null)
        or (x.text_sha256 is not null and x.content_sha256 is null)
        or (x.text_sha256 is not null and (x.policy_version is null or x.policy_version <> :policy_version))
    )
order by x.source_id;

-- name: list_text_contents
-- By key alone: a join on other columns would read every text there is.
select source_id, content
from vector.extracted_text
where text_id in (
    select value from openjson(cast(:text_ids as nvarchar(max))) with (value uniqueidentifier '$')
);

-- name: list_chunk_states
-- Every chunk some sources ever had, without its content.
select
    chunk_id, source_id, content_sha256, text_sha256,
    cast(case when retired_utc is null then 1 else 0 end as bit) as is_current
from vector.chunk
where source_id in (
    select value from openjson(cast(:source_ids as nvarchar(max))) with (value nvarchar(256) '$')
);

-- name: get_chunk_changes
-- Before anything is written: which staged chunks are not current yet, and which will hold another content.
select
    coalesce(sum(case when c.chunk_id is null or c.retired_utc is not null then 1 else 0 end), 0) as added,
    coalesce(sum(
        case when c.retired_utc is null and c.content_sha256 <> s.content_sha256 then 1 else 0 end
    ), 0) as changed
from #staged_chunks as s
left join vector.chunk as c on c.chunk_id = s.chunk_id;

-- name: retire_chunks
-- What the new cut of these sources does not hold is no longer current. Source by source, as below: a scan would lock
-- every chunk that there is.
update vector.chunk
set retired_utc = :now
where source_id in (select source_id from #staged_chunked_sources)
    and retired_utc is null
    and chunk_id not in (select chunk_id from #staged_chunks)
option (loop join);

-- name: close_chunk_versions
-- A state ends when its chunk is retired, holds another content or comes from another text.
update v
set valid_to_utc = :now
from vector.chunk_version as v
where v.source_id in (select source_id from #staged_chunked_sources)
    and v.valid_to_utc is null
    and not exists (
        select 1
        from #staged_chunks as s
        where s.chunk_id = v.chunk_id and s.content_sha256 = v.content_sha256 and s.text_sha256 = v.text_sha256
    )
option (loop join);

-- name: update_chunks
-- An id that exists takes its new content in place, and is current again if it was retired.
update c
set
    source_id = s.source_id,
    source_type = s.source_type,
    source_ref_json = s.source_ref_json,
    offsets_json = s.offsets_json,
    content = s.content,
    content_sha256 = s.content_sha256,
    byte_count = s.byte_count,
    policy_json = s.policy_json,
    text_sha256 = s.text_sha256,
    run_id = :run_id,
    retired_utc = null
from vector.chunk as c
join #staged_chunks as s on s.chunk_id = c.chunk_id
where c.content_sha256 <> s.content_sha256
    or c.text_sha256 is null
    or c.text_sha256 <> s.text_sha256
    or c.retired_utc is not null;

-- name: insert_chunks
insert into vector.chunk (
    chunk_id, source_id, source_type, source_ref_json, offsets_json, content, content_sha256, byte_count,
    policy_json, created_utc, text_sha256, run_id
)
select
    s.chunk_id, s.source_id, s.source_type, s.source_ref_json, s.offsets_json, s.content, s.content_sha256,
    s.byte_count, s.policy_json, :now, s.text_sha256, :run_id
from #staged_chunks as s
where not exists (select 1 from vector.chunk as c with (updlock, holdlock) where c.chunk_id = s.chunk_id)
option (loop join);

-- name: insert_chunk_versions
-- After the closing of what ended: every current chunk has exactly one open version.
insert into vector.chunk_version (
    chunk_id, valid_from_utc, source_id, content_sha256, text_sha256, extractor, extractor_version, policy_version,
    run_id
)
select
    s.chunk_id, :now, s.source_id, s.content_sha256, s.text_sha256, s.extractor, s.extractor_version,
    :policy_version, :run_id
from #staged_chunks as s
where not exists (
    select 1 from vector.chunk_version as v where v.chunk_id = s.chunk_id and v.valid_to_utc is null
);

-- name: update_chunked_sources
-- Searchable again once every space has the new chunks; with no chunks there is nothing to wait for.
update x
set
    content_sha256 = s.text_sha256,
    chunk_count = s.chunk_count,
    omitted_character_count = s.omitted_character_count,
    policy_version = :policy_version,
    status = case
        when x.status = N'error' then N'error'
        when s.chunk_count = 0 then N'indexed'
        else N'pending'
    end,
    updated_utc = :now
from vector.source_registry as x
join #staged_chunked_sources as s on s.source_id = x.source_id;
