-- name: upsert_quarantined
-- The same item failing again counts up; a row that a retry had released is open again.
merge vector.quarantine with (holdlock) as t
using (
    select
        convert(
            varchar(64), hashbytes('SHA2_256', concat(item_type, N'|', item_version, N'|', scope, N'|', item_id)), 2
        ) as item_key,
        item_type, item_id, item_version, scope, stage, reason
    from #staged_quarantined
) as s on t.item_key = s.item_key
when matched then update set
    stage = s.stage,
    reason = s.reason,
    attempt_count = t.attempt_count + 1,
    run_id = :run_id,
    last_failed_utc = :now,
    released_utc = null
when not matched then insert (
    item_key, item_type, item_id, item_version, scope, stage, reason, attempt_count, run_id, first_failed_utc,
    last_failed_utc
)
values (s.item_key, s.item_type, s.item_id, s.item_version, s.scope, s.stage, s.reason, 1, :run_id, :now, :now);

-- name: release_quarantined
-- These items are no longer held back, because they succeeded or because a retry was asked for. Compared by their
-- bytes: paths may differ in case alone.
update q
set released_utc = :now
from vector.quarantine as q
where q.item_type = :item_type
    and q.released_utc is null
    and exists (
        select 1
        from openjson(cast(:item_ids as nvarchar(max))) with (value nvarchar(max) '$') as i
        where cast(i.value as nvarchar(450)) = cast(q.item_id as nvarchar(450))
            and cast(i.value as varbinary(max)) = cast(q.item_id as varbinary(max))
    );

-- name: list_quarantined
-- A chunk that changed or retired since is no longer waiting for anything, so it is not listed.
select top (:limit)
    q.item_type, q.item_id, q.item_version, q.scope, q.stage, q.reason, q.attempt_count, q.first_failed_utc,
    q.last_failed_utc, coalesce(s.title, x.title, N'') as title
from vector.quarantine as q
left join vector.ingest_seen as s
    on s.ingest_id = case when q.item_type = N'record' then try_cast(q.item_id as uniqueidentifier) end
left join vector.chunk as c on c.chunk_id = case when q.item_type = N'chunk' then cast(q.item_id as nvarchar(128)) end
left join vector.source_registry as x on x.source_id = c.source_id
where q.released_utc is null
    and (:item_type is null or q.item_type = :item_type)
    and (q.item_type <> N'chunk' or (c.retired_utc is null and c.content_sha256 = q.item_version))
order by q.last_failed_utc desc, q.item_type, q.item_key;

-- name: count_quarantined
select q.item_type, q.scope, count(*) as n
from vector.quarantine as q
left join vector.chunk as c on c.chunk_id = case when q.item_type = N'chunk' then cast(q.item_id as nvarchar(128)) end
where q.released_utc is null
    and (q.item_type <> N'chunk' or (c.retired_utc is null and c.content_sha256 = q.item_version))
group by q.item_type, q.scope
order by q.item_type, q.scope;

-- name: request_examination
-- The next extraction reads these records again, whatever it found before.
update vector.ingest_seen
set extractor_version = N''
where ingest_id in (
    select value from openjson(cast(:ingest_ids as nvarchar(max))) with (value uniqueidentifier '$')
);

-- name: release_quarantined_lines
-- Files, and lines of them, that failed in an earlier reading and did not fail in this one. A line's id is its file's
-- path, a colon and the line's number.
update q
set released_utc = :now
from vector.quarantine as q
where q.item_type = N'line'
    and q.last_failed_utc < :read_at
    and q.released_utc is null
    and exists (
        select 1
        from openjson(cast(:paths as nvarchar(max))) with (path nvarchar(max) '$') as p
        where cast(p.path as varbinary(max)) = cast(q.item_id as varbinary(max))
            or (
                cast(left(q.item_id, datalength(p.path) / 2 + 1) as varbinary(max))
                    = cast(concat(p.path, N':') as varbinary(max))
                and try_cast(substring(q.item_id, datalength(p.path) / 2 + 2, 20) as bigint) > 0
            )
    );
