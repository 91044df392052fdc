-- What the schema `sem` knows of pages, where a database has it. Read only. A page is one resource of a source system,
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
