-- What the database itself says of its state. Nothing here writes, or needs more than the right to read.

-- name: get_database
select
    cast(serverproperty('ProductVersion') as nvarchar(100)) as version,
    cast(serverproperty('Edition') as nvarchar(200)) as edition,
    d.collation_name as collation,
    cast(d.compatibility_level as int) as compatibility_level,
    d.is_read_only as is_read_only,
    sysutcdatetime() as now_utc
from sys.databases as d
where d.name = db_name();

-- name: get_permissions
-- Null where the thing that they are about does not exist yet.
select
    cast(has_perms_by_name(N'ingest.IngestRecords', N'OBJECT', N'SELECT') as int) as reads_records,
    cast(
        case
            when schema_id(N'vector') is null then null
            when has_perms_by_name(N'vector', N'SCHEMA', N'SELECT') = 1
                and has_perms_by_name(N'vector', N'SCHEMA', N'INSERT') = 1
                and has_perms_by_name(N'vector', N'SCHEMA', N'UPDATE') = 1
                and has_perms_by_name(N'vector', N'SCHEMA', N'DELETE') = 1
                and has_perms_by_name(N'vector', N'SCHEMA', N'EXECUTE') = 1
                then 1
            else 0
        end as int
    ) as writes_vector,
    cast(
        case
            when schema_id(N'vector') is null and has_perms_by_name(db_name(), N'DATABASE', N'CREATE SCHEMA') = 0 then 0
            when has_perms_by_name(N'vector', N'SCHEMA', N'ALTER') = 0 then 0
            when has_perms_by_name(N'vector', N'SCHEMA', N'REFERENCES') = 0 then 0
            when has_perms_by_name(db_name(), N'DATABASE', N'CREATE TABLE') = 1
                and has_perms_by_name(db_name(), N'DATABASE', N'CREATE VIEW') = 1
                and has_perms_by_name(db_name(), N'DATABASE', N'CREATE PROCEDURE') = 1
                then 1
            else 0
        end as int
    ) as creates_tables;

-- name: list_columns
-- Of the schemas that this project knows. `max_length` in characters, null where there is no limit.
select
    s.name as schema_name,
    o.name as table_name,
    c.name as column_name,
    y.name as type_name,
    case
        when c.max_length < 0 then null
        when y.name in (N'nvarchar', N'nchar') then c.max_length / 2
        when y.name in (N'varchar', N'char') then c.max_length
    end as max_length,
    c.is_nullable as is_nullable,
    cast(case when c.default_object_id <> 0 or c.is_identity = 1 or c.is_computed = 1 then 1 else 0 end as bit)
        as fills_itself,
    c.collation_name as collation
from sys.columns as c
join sys.tables as o on o.object_id = c.object_id
join sys.schemas as s on s.schema_id = o.schema_id
join sys.types as y on y.user_type_id = c.user_type_id
where s.name in (N'ingest', N'vector', N'sem', N'lake')
order by s.name, o.name, c.column_id;

-- name: list_unique_keys
-- Each column of each primary key and unique index that covers all rows.
select s.name as schema_name, o.name as table_name, i.name as key_name, c.name as column_name
from sys.indexes as i
join sys.tables as o on o.object_id = i.object_id
join sys.schemas as s on s.schema_id = o.schema_id
join sys.index_columns as k on k.object_id = i.object_id and k.index_id = i.index_id
join sys.columns as c on c.object_id = k.object_id and c.column_id = k.column_id
where i.is_unique = 1 and i.has_filter = 0 and k.is_included_column = 0 and s.name in (N'ingest', N'vector')
order by s.name, o.name, i.name, k.key_ordinal;

-- name: list_indexed_columns
-- The first column of each index: what a lookup can begin with.
select distinct s.name as schema_name, o.name as table_name, c.name as column_name
from sys.indexes as i
join sys.tables as o on o.object_id = i.object_id
join sys.schemas as s on s.schema_id = o.schema_id
join sys.index_columns as k on k.object_id = i.object_id and k.index_id = i.index_id
join sys.columns as c on c.object_id = k.object_id and c.column_id = k.column_id
where k.key_ordinal = 1 and i.is_disabled = 0 and s.name in (N'ingest', N'vector')
order by s.name, o.name, c.name;

-- name: list_references
-- What foreign keys hold together.
select s.name as schema_name, o.name as table_name, c.name as column_name
from sys.foreign_key_columns as k
join sys.tables as o on o.object_id = k.parent_object_id
join sys.schemas as s on s.schema_id = o.schema_id
join sys.columns as c on c.object_id = k.parent_object_id and c.column_id = k.parent_column_id
where s.name = N'vector'
order by s.name, o.name, c.name;

-- name: list_table_sizes
select s.name as schema_name, o.name as table_name, sum(p.rows) as row_count
from sys.tables as o
join sys.schemas as s on s.schema_id = o.schema_id
join sys.partitions as p on p.object_id = o.object_id and p.index_id in (0, 1)
where s.name in (N'ingest', N'vector', N'sem', N'lake')
group by s.name, o.name
order by s.name, o.name;

-- name: count_resources
-- What was fetched, whatever the number of its variants and fetches.
select count(*) as n
from (select distinct source_system, source_name, resource_id from ingest.IngestRecords) as resources;

-- name: get_payload_sample
-- How long the rendered pages among some hundred records are, for an estimate.
select count(*) as payloads, coalesce(avg(cast(datalength(payload) / 2 as bigint)), 0) as average_characters
from (
    select top (200) payload
    from ingest.IngestRecords
    where variant = N'html' or (variant is null and resource_type <> N'content_raw')
) as sampled;

-- name: count_ambiguous_names
-- Wikis and the like whose names differ in nothing that the database's collation sees.
select count(*) as n
from (
    select source_system, source_name
    from ingest.IngestRecords
    group by source_system, source_name
    having count(distinct cast(concat(source_system, N'|', source_name) as varbinary(500))) > 1
) as ambiguous;

-- name: count_foreign_sources
-- Sources that another program registered in the tables of the contract.
select count(*) as n
from vector.source_registry
where ingest_id is null;
