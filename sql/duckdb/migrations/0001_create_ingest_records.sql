-- The table that crawlers fill, column for column as it exists on SQL Server.

create schema if not exists ingest;

-- The payload is kept uncompressed: DuckDB reads compressed strings 2048 rows at a time, which for pages
-- of a megabyte would be gigabytes of memory for one row (docs/decisions/0004-duckdb-layout.md).
create table if not exists ingest.IngestRecords (
    ingest_id uuid primary key,
    source_system varchar not null,
    source_name varchar not null,
    resource_type varchar not null,
    resource_id varchar not null,
    request_uri varchar not null,
    request_method varchar not null,
    request_headers varchar,
    status_code integer not null check (status_code between 0 and 999),
    response_headers varchar,
    payload varchar not null using compression uncompressed,
    fetched_at_utc timestamp not null,
    hash_sha256 varchar,
    run_id uuid,
    work_item_id uuid,
    attempt integer not null default 1 check (attempt > 0),
    error_message varchar,
    duration_ms integer,
    variant varchar,
    content_type varchar,
    content_length bigint,
    file_path varchar,
    request_timestamp timestamp,
    response_timestamp timestamp,
    rank integer,
    request_body varchar,
    response_body_binary blob,
    error_type varchar
);
