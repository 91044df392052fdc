-- name: upsert_examinations
-- Resolution of the source is pending again whenever one of its records was examined.
insert into vector.ingest_seen (
    ingest_id, resource_key, variant, source_id, source_type, revision, fetched_at_utc, outcome, text_sha256, title,
    redirect_target, source_ref_json, tags_json, extractor, extractor_version, reason, run_id, examined_utc,
    resolved_rule
)
select
    ingest_id, resource_key, variant, source_id, source_type, revision, fetched_at_utc, outcome, text_sha256, title,
    redirect_target, source_ref_json, tags_json, extractor, extractor_version, reason, :run_id, :now, null
from staged_examinations
on conflict (ingest_id) do update set
    resource_key = excluded.resource_key,
    variant = excluded.variant,
    source_id = excluded.source_id,
    source_type = excluded.source_type,
    revision = excluded.revision,
    fetched_at_utc = excluded.fetched_at_utc,
    outcome = excluded.outcome,
    text_sha256 = excluded.text_sha256,
    title = excluded.title,
    redirect_target = excluded.redirect_target,
    source_ref_json = excluded.source_ref_json,
    tags_json = excluded.tags_json,
    extractor = excluded.extractor,
    extractor_version = excluded.extractor_version,
    reason = excluded.reason,
    run_id = excluded.run_id,
    examined_utc = excluded.examined_utc,
    resolved_rule = null;

-- name: insert_extracted_texts
-- A text that a source has had before is kept once.
insert into vector.extracted_text (
    text_id, source_id, text_sha256, title, content, character_count, byte_count, extractor, extractor_version, ingest_id,
    run_id, created_utc
)
select
    text_id, source_id, text_sha256, title, content, character_count, byte_count, extractor, extractor_version, ingest_id,
    :run_id, :now
from staged_texts
on conflict do nothing;

-- name: count_unresolved_records
select count(*) as n
from vector.ingest_seen
where resolved_rule is distinct from :rule and outcome <> 'wanted';

-- name: list_unresolved_resources
-- A wanted record is not resolved before it has been read.
select distinct resource_key
from vector.ingest_seen
where resolved_rule is distinct from :rule and outcome <> 'wanted'
order by resource_key
limit :limit;

-- name: list_affected_sources
-- The sources that these resources ever named, and those that a record of theirs speaks for although it names
-- another source by now.
select source_id
from vector.ingest_seen
where resource_key in (select unnest(:resource_keys)) and source_id is not null
union
select x.source_id
from vector.source_registry x
join vector.ingest_seen s on s.ingest_id = x.ingest_id
where s.resource_key in (select unnest(:resource_keys));

-- name: list_resolution_candidates
-- Every record of every resource that ever named one of these sources.
select
    s.ingest_id, s.resource_key, s.variant, s.fetched_at_utc, s.outcome, s.source_id, s.revision, s.text_sha256
from vector.ingest_seen s
where s.resource_key in (
    select resource_key from vector.ingest_seen where source_id in (select unnest(:source_ids))
);

-- name: mark_wanted
-- These records should speak for their sources and have not been read.
update vector.ingest_seen
set outcome = 'wanted'
where ingest_id in (select unnest(cast(:ingest_ids as uuid[]))) and outcome = 'identified';

-- name: mark_resolved
update vector.ingest_seen
set resolved_rule = :rule
where resource_key in (select unnest(:resource_keys)) and outcome <> 'wanted';

-- name: insert_new_sources
-- A source first appears with the first record that names it.
insert into vector.source_registry (
    source_id, source_type, source_ref_json, chunk_count, tags_json, status, created_utc, updated_utc, title,
    presence, ingest_id
)
select
    r.source_id, s.source_type, s.source_ref_json, 0, s.tags_json, 'pending', :now, :now, s.title, r.presence,
    s.ingest_id
from staged_resolutions r
join vector.ingest_seen s on s.ingest_id = cast(r.described_by as uuid)
where not exists (select 1 from vector.source_registry x where x.source_id = r.source_id);

-- name: update_sources
-- The record that speaks describes its source. Without one the text goes, unless the source is only
-- unreadable just now: then everything stays and the status says so.
update vector.source_registry as x
set
    source_type = coalesce(s.source_type, x.source_type),
    source_ref_json = coalesce(s.source_ref_json, x.source_ref_json),
    tags_json = coalesce(s.tags_json, x.tags_json),
    title = coalesce(s.title, x.title),
    ingest_id = coalesce(s.ingest_id, x.ingest_id),
    presence = case when r.keeps_text and x.text_sha256 is not null then x.presence else r.presence end,
    text_sha256 = case when r.keeps_text then x.text_sha256 else s.text_sha256 end,
    status = case
        when r.unreadable then 'error'
        when x.content_sha256 is distinct from s.text_sha256 then 'pending'
        when x.status = 'error' then 'pending'
        else x.status
    end,
    updated_utc = :now
from staged_resolutions r
left join vector.ingest_seen s on s.ingest_id = cast(r.speaker as uuid)
where x.source_id = r.source_id;

-- name: retire_replaced_texts
-- After the sources were updated: what is no longer a source's text becomes history.
update vector.extracted_text as t
set retired_utc = :now
from vector.source_registry x
where x.source_id = t.source_id
    and t.source_id in (select source_id from staged_resolutions)
    and t.current_since_utc is not null
    and t.retired_utc is null
    and t.text_sha256 is distinct from x.text_sha256;

-- name: establish_current_texts
-- A text may come back: then it is current from now, as if it were new.
update vector.extracted_text as t
set current_since_utc = :now, retired_utc = null
from vector.source_registry x
where x.source_id = t.source_id
    and t.source_id in (select source_id from staged_resolutions)
    and t.text_sha256 = x.text_sha256
    and (t.current_since_utc is null or t.retired_utc is not null);

-- name: list_source_states
select source_id, source_type, source_ref_json, text_sha256, content_sha256, policy_version, chunk_count
from vector.source_registry
where source_id in (select unnest(:source_ids));

-- name: count_sources
-- Those whose id begins in some way.
select count(*) as n
from vector.source_registry
where starts_with(source_id, :source_prefix);

-- name: upsert_source_aliases
insert into vector.source_alias (source_id, alias_title, target_title, ingest_id, updated_utc)
select r.source_id, s.title, s.redirect_target, s.ingest_id, :now
from staged_resolutions r
join vector.ingest_seen s on s.ingest_id = cast(r.speaker as uuid)
where r.presence = 'redirect'
on conflict (source_id) do update set
    alias_title = excluded.alias_title,
    target_title = excluded.target_title,
    ingest_id = excluded.ingest_id,
    updated_utc = excluded.updated_utc;

-- name: delete_stale_aliases
-- A redirect that became a page again is no alias.
delete from vector.source_alias
where source_id in (select source_id from staged_resolutions where presence <> 'redirect');
