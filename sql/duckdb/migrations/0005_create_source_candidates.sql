-- Everything that could be embedded, and what stands between it and search: a view for people and for other programs.
--
-- `state` is pending (not searchable yet), changed (searchable, but not with its newest text), current, error (could not
-- be read) or excluded (nothing to search in, or left out); `reason` says why. A resource that was fetched and not read
-- has a row of its own, because which source it is about is known only then.

create or replace view vector.vw_source_candidates as
with told as (
    select
        s.resource_key, s.outcome, s.reason, s.ingest_id, s.title, s.fetched_at_utc,
        max(s.source_id) over (partition by s.resource_key) as any_source_id,
        row_number() over (partition by s.resource_key order by s.fetched_at_utc desc, s.ingest_id desc) as age
    from vector.ingest_seen s
),
unread as (
    select
        r.source_system, r.source_name, r.resource_type, r.resource_id, r.ingest_id, r.fetched_at_utc,
        row_number() over (
            partition by r.source_system, r.source_name, r.resource_type, r.resource_id
            order by r.fetched_at_utc desc, r.ingest_id desc
        ) as age
    from ingest.IngestRecords r
    where not exists (select 1 from vector.ingest_seen s where s.ingest_id = r.ingest_id)
)
select
    x.source_id, r.source_system, r.source_name, r.resource_type, r.resource_id, x.title,
    case
        when x.ingest_id is null then 'excluded'
        when x.status = 'error' then 'error'
        when x.text_sha256 is not null and x.content_sha256 is null then 'pending'
        when x.text_sha256 is null and x.content_sha256 is null then 'excluded'
        when x.text_sha256 is null or x.text_sha256 <> x.content_sha256 then 'changed'
        when x.status = 'pending' then 'pending'
        else 'current'
    end as state,
    case
        when x.ingest_id is null then 'another program registered it'
        when x.status = 'error' then coalesce(t.reason, 'its newest record could not be read')
        when x.text_sha256 is not null and x.content_sha256 is null then 'its text is not cut into chunks yet'
        when x.text_sha256 is null and x.content_sha256 is null and x.presence = 'redirect' then 'it is a redirect'
        when x.text_sha256 is null and x.content_sha256 is null then coalesce(t.reason, 'it has no text, or is gone')
        when x.text_sha256 is null then 'it is gone, and its chunks are still there'
        when x.text_sha256 <> x.content_sha256 then 'its chunks are of an earlier text'
        when x.status = 'pending' then 'an active space lacks vectors of its chunks'
        else 'every active space has its chunks'
    end as reason,
    x.ingest_id, r.fetched_at_utc, x.chunk_count
from vector.source_registry x
left join ingest.IngestRecords r on r.ingest_id = x.ingest_id
left join vector.ingest_seen k on k.ingest_id = x.ingest_id
left join told t on t.resource_key = k.resource_key and t.age = 1
union all
select
    null, u.source_system, u.source_name, u.resource_type, u.resource_id, null, 'pending',
    'a record of it was fetched and not read yet', u.ingest_id, u.fetched_at_utc, null
from unread u
where u.age = 1
union all
select
    null, r.source_system, r.source_name, r.resource_type, r.resource_id, t.title,
    case when t.outcome = 'failed' then 'error' else 'excluded' end,
    coalesce(t.reason, concat('its newest record is ', t.outcome)), t.ingest_id, t.fetched_at_utc, null
from told t
join ingest.IngestRecords r on r.ingest_id = t.ingest_id
where t.age = 1 and t.any_source_id is null;
