-- What the schema `sem` knows of pages, where a database has it. A page is one resource of a source system,
-- whatever its variants.

-- name: count_page_class_tables
-- Two where pages are classified.
select count(*) as n
from information_schema.tables
where table_schema = 'sem' and table_name in ('SourcePage', 'PageClassification');

-- name: list_page_classes
with classified as (
    select
        p.source_system,
        p.resource_id as resource,
        p.source_page_id,
        c.primary_type,
        p.continuity_hint as continuity,
        row_number() over (
            partition by p.source_system, p.resource_id
            order by case when c.primary_type is null then 1 else 0 end, p.updated_utc desc, p.source_page_id
        ) as place
    from sem.SourcePage p
    left join sem.PageClassification c on c.source_page_id = p.source_page_id and c.is_current
    where p.is_active
)
select r.ingest_id, k.source_page_id, k.primary_type, k.continuity
from ingest.IngestRecords r
join classified k on k.place = 1 and k.source_system = r.source_system and k.resource = r.resource_id
where r.ingest_id in (select unnest(cast(:ingest_ids as uuid[])));

-- name: get_page_class_state
-- Changes with what `list_page_types` answers of the sources that there are. Hashes are added up: of two pages that go
-- from one type to the same other, an exclusive or would say nothing.
select
    (select count(*) from sem.PageClassification where is_current) as page_class_count,
    (
        select sum(hash(source_page_id, primary_type)) from sem.PageClassification where is_current
    ) as page_class_checksum,
    (select sum(hash(source_page_id, resource_id)) from sem.SourcePage where is_active) as page_checksum,
    (select sum(hash(source_page_id, updated_utc)) from sem.SourcePage where is_active) as page_times;

-- name: list_page_types
-- A source is the page of the record that speaks for it.
with classified as (
    select
        p.source_system,
        p.resource_id as resource,
        c.primary_type,
        row_number() over (
            partition by p.source_system, p.resource_id order by p.updated_utc desc, p.source_page_id
        ) as place
    from sem.SourcePage p
    join sem.PageClassification c on c.source_page_id = p.source_page_id and c.is_current
    where p.is_active and c.primary_type is not null
)
select x.source_id, k.primary_type
from vector.source_registry x
join ingest.IngestRecords r on r.ingest_id = x.ingest_id
join classified k on k.place = 1 and k.source_system = r.source_system and k.resource = r.resource_id
order by x.source_id;

-- name: list_reselected_records
-- Examined records that were left out and would not be now, or the other way round.
with classified as (
    select
        p.source_system,
        p.resource_id as resource,
        c.primary_type,
        p.continuity_hint as continuity,
        row_number() over (
            partition by p.source_system, p.resource_id
            order by case when c.primary_type is null then 1 else 0 end, p.updated_utc desc, p.source_page_id
        ) as place
    from sem.SourcePage p
    left join sem.PageClassification c on c.source_page_id = p.source_page_id and c.is_current
    where p.is_active
),
judged as (
    select
        s.ingest_id,
        case when s.extractor = :selection then 1 else 0 end as is_left_out,
        case
            when k.primary_type is null then case when :unclassified then 0 else 1 end
            when not :any_type and k.primary_type not in (select unnest(:primary_types)) then 1
            when not :any_continuity and coalesce(k.continuity, '') not in (select unnest(:continuities)) then 1
            else 0
        end as is_unwanted
    from vector.ingest_seen s
    join ingest.IngestRecords r on r.ingest_id = s.ingest_id
    left join classified k on k.place = 1 and k.source_system = r.source_system and k.resource = r.resource_id
    where r.status_code between 200 and 299
)
select ingest_id
from judged
where is_left_out <> is_unwanted
order by ingest_id;

-- name: update_page_links
-- The one thing that is written outside our own tables, and only where the settings ask for it: on each page the source
-- that its newest record belongs to, or the record that the page names itself.
update sem.SourcePage as p
set source_registry_id = l.source_id
from (
    select
        q.source_page_id,
        x.source_id,
        row_number() over (
            partition by q.source_page_id
            order by case when s.ingest_id = q.latest_ingest_id then 0 else 1 end, s.fetched_at_utc desc, x.source_id
        ) as place
    from sem.SourcePage as q
    join ingest.IngestRecords as r on r.source_system = q.source_system and r.resource_id = q.resource_id
    join vector.ingest_seen as s on s.ingest_id = r.ingest_id
    join vector.source_registry as x on x.source_id = s.source_id
    where q.is_active
) as l
where l.source_page_id = p.source_page_id
    and l.place = 1
    and (p.source_registry_id is null or p.source_registry_id <> l.source_id);
