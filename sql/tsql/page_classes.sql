-- What the schema `sem` knows of pages, where a database has it. A page is one resource of a source system,
-- whatever its variants; resources are told apart by their bytes.

-- name: count_page_class_tables
-- Two where pages are classified.
select count(*) as n
from INFORMATION_SCHEMA.TABLES
where TABLE_SCHEMA = N'sem' and TABLE_NAME in (N'SourcePage', N'PageClassification');

-- name: list_page_classes
with classified as (
    select
        p.source_system,
        cast(p.resource_id as varbinary(1000)) as resource,
        p.source_page_id,
        c.primary_type,
        p.continuity_hint as continuity,
        row_number() over (
            partition by p.source_system, cast(p.resource_id as varbinary(1000))
            order by case when c.primary_type is null then 1 else 0 end, p.updated_utc desc, p.source_page_id
        ) as place
    from sem.SourcePage as p
    left join sem.PageClassification as c on c.source_page_id = p.source_page_id and c.is_current = 1
    where p.is_active = 1
)
select r.ingest_id, k.source_page_id, k.primary_type, k.continuity
from ingest.IngestRecords as r
join classified as k
    on k.place = 1 and k.source_system = r.source_system and k.resource = cast(r.resource_id as varbinary(1000))
where r.ingest_id in (
    select value from openjson(cast(:ingest_ids as nvarchar(max))) with (value uniqueidentifier '$')
);

-- name: get_page_class_state
-- Changes with what `list_page_types` answers of the sources that there are. Checksums are added up: of two pages that go
-- from one type to the same other, `checksum_agg`, which is an exclusive or, would say nothing.
select
    (select count_big(*) from sem.PageClassification where is_current = 1) as page_class_count,
    (
        select sum(cast(checksum(source_page_id, cast(primary_type as varbinary(2000))) as bigint))
        from sem.PageClassification
        where is_current = 1
    ) as page_class_checksum,
    (
        select sum(cast(checksum(source_page_id, cast(resource_id as varbinary(1000))) as bigint))
        from sem.SourcePage
        where is_active = 1
    ) as page_checksum,
    (
        select sum(cast(checksum(source_page_id, updated_utc) as bigint)) from sem.SourcePage where is_active = 1
    ) as page_times;

-- name: list_page_types
-- A source is the page of the record that speaks for it.
with classified as (
    select
        p.source_system,
        cast(p.resource_id as varbinary(1000)) as resource,
        c.primary_type,
        row_number() over (
            partition by p.source_system, cast(p.resource_id as varbinary(1000))
            order by p.updated_utc desc, p.source_page_id
        ) as place
    from sem.SourcePage as p
    join sem.PageClassification as c on c.source_page_id = p.source_page_id and c.is_current = 1
    where p.is_active = 1 and c.primary_type is not null
)
select x.source_id, k.primary_type
from vector.source_registry as x
join ingest.IngestRecords as r on r.ingest_id = x.ingest_id
join classified as k
    on k.place = 1 and k.source_system = r.source_system and k.resource = cast(r.resource_id as varbinary(1000))
order by x.source_id;

-- name: list_reselected_records
-- Examined records that were left out and would not be now, or the other way round. Words are compared by their bytes, as
-- the program compares them, whatever the collation.
with classified as (
    select
        p.source_system,
        cast(p.resource_id as varbinary(1000)) as resource,
        c.primary_type,
        p.continuity_hint as continuity,
        row_number() over (
            partition by p.source_system, cast(p.resource_id as varbinary(1000))
            order by case when c.primary_type is null then 1 else 0 end, p.updated_utc desc, p.source_page_id
        ) as place
    from sem.SourcePage as p
    left join sem.PageClassification as c on c.source_page_id = p.source_page_id and c.is_current = 1
    where p.is_active = 1
),
judged as (
    select
        s.ingest_id,
        case when s.extractor = :selection then 1 else 0 end as is_left_out,
        case
            when k.primary_type is null then case when :unclassified = 1 then 0 else 1 end
            when :any_type = 0 and cast(k.primary_type as varbinary(2000)) not in (
                select cast(value as varbinary(2000))
                from openjson(cast(:primary_types as nvarchar(max))) with (value nvarchar(1000) '$')
            ) then 1
            when :any_continuity = 0 and cast(coalesce(k.continuity, N'') as varbinary(2000)) not in (
                select cast(value as varbinary(2000))
                from openjson(cast(:continuities as nvarchar(max))) with (value nvarchar(1000) '$')
            ) then 1
            else 0
        end as is_unwanted
    from vector.ingest_seen as s
    join ingest.IngestRecords as r on r.ingest_id = s.ingest_id
    left join classified as k
        on k.place = 1 and k.source_system = r.source_system and k.resource = cast(r.resource_id as varbinary(1000))
    where r.status_code between 200 and 299
)
select ingest_id
from judged
where is_left_out <> is_unwanted
order by ingest_id;

-- name: update_page_links
-- The one thing that is written outside our own tables, and only where the settings ask for it: on each page the source
-- that its newest record belongs to, or the record that the page names itself.
update p
set source_registry_id = l.source_id
from sem.SourcePage as p
join (
    select
        q.source_page_id,
        x.source_id,
        row_number() over (
            partition by q.source_page_id
            order by case when s.ingest_id = q.latest_ingest_id then 0 else 1 end, s.fetched_at_utc desc, x.source_id
        ) as place
    from sem.SourcePage as q
    join ingest.IngestRecords as r
        on r.source_system = q.source_system
            and r.resource_id = q.resource_id
            and cast(r.resource_id as varbinary(1000)) = cast(q.resource_id as varbinary(1000))
    join vector.ingest_seen as s on s.ingest_id = r.ingest_id
    join vector.source_registry as x on x.source_id = s.source_id
    where q.is_active = 1
) as l on l.source_page_id = p.source_page_id
where l.place = 1 and (p.source_registry_id is null or p.source_registry_id <> l.source_id collate database_default);
