-- name: insert_chunk_policy
insert into vector.chunk_policy (policy_version, policy_json, created_utc)
values (:policy_version, :policy_json, :now)
on conflict do nothing;

-- name: get_chunk_policy
select policy_version, policy_json
from vector.chunk_policy
where policy_version = :policy_version;

-- name: get_chunking_backlog
-- What chunking would do, from keys and counts alone. `vanishing_sources` go from chunks to none;
-- `recut_chunks` are chunked anew although their text did not change.
select
    count(*) filter (where chunk_count > 0) as current_sources,
    coalesce(sum(chunk_count), 0) as current_chunks,
    count(*) filter (
        where text_sha256 is distinct from content_sha256
            or (text_sha256 is not null and policy_version is distinct from :policy_version)
    ) as pending_sources,
    count(*) filter (where text_sha256 is null and chunk_count > 0) as vanishing_sources,
    coalesce(sum(chunk_count) filter (
        where text_sha256 = content_sha256 and policy_version is distinct from :policy_version
    ), 0) as recut_chunks
from vector.source_registry;

-- name: list_pending_texts
-- Sources whose chunks do not come from their current text under the current policy, with no text read. In the order
-- in which texts are stored, so that those of a batch are read together.
select
    x.source_id, x.source_type, x.source_ref_json, x.text_sha256, t.character_count, t.extractor,
    t.extractor_version
from vector.source_registry x
left join vector.extracted_text t on t.source_id = x.source_id and t.text_sha256 = x.text_sha256
where x.text_sha256 is distinct from x.content_sha256
    or (x.text_sha256 is not null and x.policy_version is distinct from :policy_version)
order by t.rowid nulls first, x.source_id
limit :limit;

-- name: list_text_contents
-- By key alone: a join on other columns would read every text there is.
select source_id, content
from vector.extracted_text
where text_id in (select unnest(cast(:text_ids as uuid[])));

-- name: list_chunk_states
-- Every chunk some sources ever had, without its content.
select chunk_id, source_id, content_sha256, text_sha256, retired_utc is null as is_current
from vector.chunk
where source_id in (select unnest(:source_ids));

-- name: get_chunk_changes
-- Before anything is written: which staged chunks are not current yet, and which will hold another content.
select
    count(*) filter (where c.chunk_id is null or c.retired_utc is not null) as added,
    count(*) filter (where c.retired_utc is null and c.content_sha256 <> s.content_sha256) as changed
from staged_chunks s
left join vector.chunk c on c.chunk_id = s.chunk_id;

-- name: retire_chunks
-- What the new cut of these sources does not hold is no longer current.
update vector.chunk
set retired_utc = :now
where source_id in (select source_id from staged_chunked_sources)
    and retired_utc is null
    and chunk_id not in (select chunk_id from staged_chunks);

-- name: close_chunk_versions
-- A state ends when its chunk is retired, holds another content or comes from another text.
update vector.chunk_version as v
set valid_to_utc = :now
where v.source_id in (select source_id from staged_chunked_sources)
    and v.valid_to_utc is null
    and not exists (
        select 1 from staged_chunks s
        where s.chunk_id = v.chunk_id and s.content_sha256 = v.content_sha256 and s.text_sha256 = v.text_sha256
    );

-- name: update_chunks
-- An id that exists takes its new content in place, and is current again if it was retired.
update vector.chunk as c
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
from staged_chunks s
where s.chunk_id = c.chunk_id
    and (c.content_sha256 <> s.content_sha256 or c.text_sha256 is distinct from s.text_sha256
        or c.retired_utc is not null);

-- name: insert_chunks
insert into vector.chunk (
    chunk_id, source_id, source_type, source_ref_json, offsets_json, content, content_sha256, byte_count,
    policy_json, created_utc, text_sha256, run_id
)
select
    s.chunk_id, s.source_id, s.source_type, s.source_ref_json, s.offsets_json, s.content, s.content_sha256,
    s.byte_count, s.policy_json, :now, s.text_sha256, :run_id
from staged_chunks s
where not exists (select 1 from vector.chunk c where c.chunk_id = s.chunk_id);

-- name: insert_chunk_versions
-- After the closing of what ended: every current chunk has exactly one open version.
insert into vector.chunk_version (
    chunk_id, valid_from_utc, source_id, content_sha256, text_sha256, extractor, extractor_version, policy_version,
    run_id
)
select
    s.chunk_id, :now, s.source_id, s.content_sha256, s.text_sha256, s.extractor, s.extractor_version,
    :policy_version, :run_id
from staged_chunks s
where not exists (
    select 1 from vector.chunk_version v where v.chunk_id = s.chunk_id and v.valid_to_utc is null
);

-- name: update_chunked_sources
-- Searchable again once every space has the new chunks; with no chunks there is nothing to wait for.
update vector.source_registry as x
set
    content_sha256 = s.text_sha256,
    chunk_count = s.chunk_count,
    omitted_character_count = s.omitted_character_count,
    policy_version = :policy_version,
    status = case when x.status = 'error' then 'error' when s.chunk_count = 0 then 'indexed' else 'pending' end,
    updated_utc = :now
from staged_chunked_sources s
where s.source_id = x.source_id;
