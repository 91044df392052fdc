-- name: upsert_examinations
-- Resolution of the source is pending again whenever one of its records was examined.
merge vector.ingest_seen with (holdlock) as t
using #staged_examinations as s on t.ingest_id = s.ingest_id
when matched then update set
    resource_key = s.resource_key,
    variant = s.variant,
    source_id = s.source_id,
    source_type = s.source_type,
    revision = s.revision,
    fetched_at_utc = s.fetched_at_utc,
    outcome = s.outcome,
    text_sha256 = s.text_sha256,
    title = s.title,
    redirect_target = s.redirect_target,
    source_ref_json = s.source_ref_json,
    tags_json = s.tags_json,
    extractor = s.extractor,
    extractor_version = s.extractor_version,
    reason = s.reason,
    run_id = :run_id,
    examined_utc = :now,
    resolved_rule = null
when not matched then insert (
    ingest_id, resource_key, variant, source_id, source_type, revision, fetched_at_utc, outcome, text_sha256, title,
    redirect_target, source_ref_json, tags_json, extractor, extractor_version, reason, run_id, examined_utc,
    resolved_rule
)
values (
    s.ingest_id, s.resource_key, s.variant, s.source_id, s.source_type, s.revision, s.fetched_at_utc, s.outcome,
    s.text_sha256, s.title, s.redirect_target, s.source_ref_json, s.tags_json, s.extractor, s.extractor_version,
    s.reason, :run_id, :now, null
);

-- name: insert_extracted_texts
-- A text that a source has had before is kept once.
insert into vector.extracted_text (
    text_id, source_id, text_sha256, title, content, character_count, byte_count, extractor, extractor_version, ingest_id,
    run_id, created_utc
)
select
    s.text_id, s.source_id, s.text_sha256, s.title, s.content, s.character_count, s.byte_count, s.extractor,
    s.extractor_version, s.ingest_id, :run_id, :now
from (
    select *, row_number() over (partition by text_id order by ingest_id) as copy
    from #staged_texts
) as s
where s.copy = 1
    and not exists (
        select 1 from vector.extracted_text as t with (updlock, holdlock) where t.text_id = s.text_id
    )
option (loop join);

-- name: count_unresolved_records
select count(*) as n
from vector.ingest_seen
where (resolved_rule is null or resolved_rule <> :rule) and outcome <> N'wanted';

-- name: list_unresolved_resources
-- A wanted record is not resolved before it has been read.
select distinct top (:limit) resource_key
from vector.ingest_seen
where (resolved_rule is null or resolved_rule <> :rule) and outcome <> N'wanted'
order by resource_key;

-- name: list_affected_sources
-- The sources that these resources ever named, and those that a record of theirs speaks for although it names
-- another source by now.
select source_id
from vector.ingest_seen
where source_id is not null
    and resource_key in (
        select value from openjson(cast(:resource_keys as nvarchar(max))) with (value nvarchar(64) '$')
    )
union
select x.source_id
from vector.source_registry as x
join vector.ingest_seen as s on s.ingest_id = x.ingest_id
where s.resource_key in (
    select value from openjson(cast(:resource_keys as nvarchar(max))) with (value nvarchar(64) '$')
);

-- name: list_resolution_candidates
-- Every record of every resource that ever named one of these sources.
select
    s.ingest_id, s.resource_key, s.variant, s.fetched_at_utc, s.outcome, s.source_id, s.revision, s.text_sha256
from vector.ingest_seen as s
where s.resource_key in (
    select n.resource_key
    from vector.ingest_seen as n
    where n.source_id in (
        select value from openjson(cast(:source_ids as nvarchar(max))) with (value nvarchar(256) '$')
    )
);

-- name: mark_wanted
-- These records should speak for their sources and have not been read.
update vector.ingest_seen
set outcome = N'wanted'
where outcome = N'identified'
    and ingest_id in (
        select value from openjson(cast(:ingest_ids as nvarchar(max))) with (value uniqueidentifier '$')
    );

-- name: mark_resolved
update vector.ingest_seen
set resolved_rule = :rule
where outcome <> N'wanted'
    and resource_key in (
        select value from openjson(cast(:resource_keys as nvarchar(max))) with (value nvarchar(64) '$')
    );

-- name: insert_new_sources
-- A source first appears with the first record that names it.
insert into vector.source_registry (
    source_id, source_type, source_ref_json, chunk_count, tags_json, status, created_utc, updated_utc, title,
    presence, ingest_id
)
select
    r.source_id, s.source_type, s.source_ref_json, 0, s.tags_json, N'pending', :now, :now, s.title, r.presence,
    s.ingest_id
from #staged_resolutions as r
join vector.ingest_seen as s on s.ingest_id = r.described_by
where not exists (
    select 1 from vector.source_registry as x with (updlock, holdlock) where x.source_id = r.source_id
)
option (loop join);

-- name: update_sources
-- The record that speaks describes its source. Without one the text goes, unless the source is only
-- unreadable just now: then everything stays and the status says so.
update x
set
    source_type = coalesce(s.source_type, x.source_type),
    source_ref_json = coalesce(s.source_ref_json, x.source_ref_json),
    tags_json = coalesce(s.tags_json, x.tags_json),
    title = coalesce(s.title, x.title),
    ingest_id = coalesce(s.ingest_id, x.ingest_id),
    presence = case when r.keeps_text = 1 and x.text_sha256 is not null then x.presence else r.presence end,
    text_sha256 = case when r.keeps_text = 1 then x.text_sha256 else s.text_sha256 end,
    status = case
        when r.unreadable = 1 then N'error'
        when x.content_sha256 <> s.text_sha256 then N'pending'
        when x.content_sha256 is null and s.text_sha256 is not null then N'pending'
        when x.content_sha256 is not null and s.text_sha256 is null then N'pending'
        when x.status = N'error' then N'pending'
        else x.status
    end,
    updated_utc = :now
from vector.source_registry as x
join #staged_resolutions as r on r.source_id = x.source_id
left join vector.ingest_seen as s on s.ingest_id = r.speaker;

-- name: retire_replaced_texts
-- After the sources were updated: what is no longer a source's text becomes history.
update t
set retired_utc = :now
from vector.extracted_text as t
join vector.source_registry as x on x.source_id = t.source_id
where t.source_id in (select source_id from #staged_resolutions)
    and t.current_since_utc is not null
    and t.retired_utc is null
    and (x.text_sha256 is null or x.text_sha256 <> t.text_sha256);

-- name: establish_current_texts
-- A text may come back: then it is current from now, as if it were new.
update t
set current_since_utc = :now, retired_utc = null
from vector.extracted_text as t
join vector.source_registry as x on x.source_id = t.source_id and x.text_sha256 = t.text_sha256
where t.source_id in (select source_id from #staged_resolutions)
    and (t.current_since_utc is null or t.retired_utc is not null);

-- name: list_source_states
select source_id, source_type, source_ref_json, text_sha256, content_sha256, policy_version, chunk_count
from vector.source_registry
where source_id in (
    select value from openjson(cast(:source_ids as nvarchar(max))) with (value nvarchar(256) '$')
);

-- name: count_sources
-- Those whose id begins in some way.
select count(*) as n
from vector.source_registry
where concat(left(source_id, len(concat(:source_prefix, N'x')) - 1), N'x') collate Latin1_General_BIN2
    = concat(:source_prefix, N'x');

-- name: upsert_source_aliases
merge vector.source_alias with (holdlock) as t
using (
    select r.source_id, s.title, s.redirect_target, s.ingest_id
    from #staged_resolutions as r
    join vector.ingest_seen as s on s.ingest_id = r.speaker
    where r.presence = N'redirect'
) as s on t.source_id = s.source_id
when matched then update set
    alias_title = s.title,
    target_title = s.redirect_target,
    ingest_id = s.ingest_id,
    updated_utc = :now
when not matched then insert (source_id, alias_title, target_title, ingest_id, updated_utc)
values (s.source_id, s.title, s.redirect_target, s.ingest_id, :now);

-- name: delete_stale_aliases
-- A redirect that became a page again is no alias.
delete from vector.source_alias
where source_id in (select source_id from #staged_resolutions where presence <> N'redirect');
