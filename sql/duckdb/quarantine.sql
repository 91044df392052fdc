-- name: upsert_quarantined
-- The same item failing again counts up; a row that a retry had released is open again.
insert into vector.quarantine (
    item_type, item_id, item_version, scope, stage, reason, attempt_count, run_id, first_failed_utc, last_failed_utc
)
select item_type, item_id, item_version, scope, stage, reason, 1, :run_id, :now, :now
from staged_quarantined
on conflict (item_type, item_id, item_version, scope) do update set
    stage = excluded.stage,
    reason = excluded.reason,
    attempt_count = quarantine.attempt_count + 1,
    run_id = excluded.run_id,
    last_failed_utc = excluded.last_failed_utc,
    released_utc = null;

-- name: release_quarantined
-- These items are no longer held back, because they succeeded or because a retry was asked for.
update vector.quarantine
set released_utc = :now
where item_type = :item_type and item_id in (select unnest(:item_ids)) and released_utc is null;

-- name: list_quarantined
-- A chunk that changed or retired since is no longer waiting for anything, so it is not listed.
select
    q.item_type, q.item_id, q.item_version, q.scope, q.stage, q.reason, q.attempt_count, q.first_failed_utc,
    q.last_failed_utc, coalesce(s.title, x.title, '') as title
from vector.quarantine q
left join vector.ingest_seen s on q.item_type = 'record' and cast(s.ingest_id as varchar) = q.item_id
left join vector.chunk c on q.item_type = 'chunk' and c.chunk_id = q.item_id
left join vector.source_registry x on x.source_id = c.source_id
where q.released_utc is null
    and (:item_type is null or q.item_type = :item_type)
    and (q.item_type <> 'chunk' or (c.retired_utc is null and c.content_sha256 = q.item_version))
order by q.last_failed_utc desc, q.item_type, q.item_id
limit :limit;

-- name: count_quarantined
select q.item_type, q.scope, count(*) as n
from vector.quarantine q
left join vector.chunk c on q.item_type = 'chunk' and c.chunk_id = q.item_id
where q.released_utc is null
    and (q.item_type <> 'chunk' or (c.retired_utc is null and c.content_sha256 = q.item_version))
group by q.item_type, q.scope
order by q.item_type, q.scope;

-- name: request_examination
-- The next extraction reads these records again, whatever it found before.
update vector.ingest_seen
set extractor_version = ''
where ingest_id in (select unnest(cast(:ingest_ids as uuid[])));

-- name: release_quarantined_lines
-- Files, and lines of them, that failed in an earlier reading and did not fail in this one.
update vector.quarantine
set released_utc = :now
where item_type = 'line'
    and regexp_replace(item_id, ':[0-9]+$', '') in (select unnest(:paths))
    and last_failed_utc < :read_at
    and released_utc is null;
