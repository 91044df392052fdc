-- What the database itself says of its state. Nothing here writes.

-- name: get_database
-- Whether the file can be written to is for the file system to say.
select
    version() as version,
    'DuckDB' as edition,
    cast(null as varchar) as collation,
    cast(null as integer) as compatibility_level,
    false as is_read_only,
    cast(now() at time zone 'UTC' as timestamp) as now_utc;

-- name: get_permissions
-- A file has none of its own: who may open it may do everything.
select 1 as reads_records, 1 as writes_vector, 1 as creates_tables;

-- name: list_columns
select
    schema_name,
    table_name,
    column_name,
    lower(data_type) as type_name,
    cast(null as integer) as max_length,
    is_nullable,
    column_default is not null as fills_itself,
    cast(null as varchar) as collation
from duckdb_columns()
where schema_name in ('ingest', 'vector') and table_oid in (select table_oid from duckdb_tables())
order by schema_name, table_name, column_index;

-- name: list_unique_keys
select schema_name, table_name, coalesce(constraint_name, constraint_text) as key_name,
    unnest(constraint_column_names) as column_name
from duckdb_constraints()
where constraint_type in ('PRIMARY KEY', 'UNIQUE') and schema_name in ('ingest', 'vector');

-- name: list_indexed_columns
-- The first column of each index: what a lookup can begin with. Tables are read in whole here, so none is missed.
select schema_name, table_name, constraint_column_names[1] as column_name
from duckdb_constraints()
where constraint_type in ('PRIMARY KEY', 'UNIQUE') and schema_name in ('ingest', 'vector');

-- name: list_references
-- What foreign keys hold together.
select schema_name, table_name, constraint_column_names[1] as column_name
from duckdb_constraints()
where constraint_type = 'FOREIGN KEY' and schema_name = 'vector';

-- name: list_table_sizes
select schema_name, table_name, estimated_size as row_count
from duckdb_tables()
where schema_name in ('ingest', 'vector') and not internal
order by schema_name, table_name;

-- name: count_resources
-- What was fetched, whatever the number of its variants and fetches.
select count(*) as n
from (select distinct source_system, source_name, resource_id from ingest.IngestRecords) resources;

-- name: get_payload_sample
-- How long the rendered pages among some hundred records are, for an estimate.
select count(*) as payloads, cast(coalesce(avg(length(payload)), 0) as bigint) as average_characters
from (
    select payload
    from ingest.IngestRecords
    where variant = 'html' or (variant is null and resource_type <> 'content_raw')
    limit 200
) sampled;

-- name: count_ambiguous_names
-- None: names are compared by their bytes here.
select 0 as n;

-- name: count_foreign_sources
-- Sources that another program registered in the tables of the contract.
select count(*) as n
from vector.source_registry
where ingest_id is null;
