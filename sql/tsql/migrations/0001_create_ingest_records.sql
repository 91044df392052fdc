-- The table that crawlers fill. On a database that has it, nothing happens: it is read, and only `holocron ingest`
-- adds records to it.

if schema_id(N'ingest') is null
    exec(N'create schema ingest');
GO

if object_id(N'ingest.IngestRecords', N'U') is null
begin
    create table ingest.IngestRecords (
        ingest_id uniqueidentifier not null default newid() primary key,
        source_system nvarchar(100) not null,
        source_name nvarchar(100) not null,
        resource_type nvarchar(100) not null,
        resource_id nvarchar(500) not null,
        request_uri nvarchar(2000) not null,
        request_method nvarchar(10) not null,
        request_headers nvarchar(max) null,
        status_code int not null check (status_code >= 0 and status_code <= 999),
        response_headers nvarchar(max) null,
        payload nvarchar(max) not null,
        fetched_at_utc datetime2(7) not null default sysutcdatetime(),
        hash_sha256 nvarchar(64) null,
        run_id uniqueidentifier null,
        work_item_id uniqueidentifier null,
        attempt int not null default 1 check (attempt > 0),
        error_message nvarchar(max) null,
        duration_ms int null,
        variant nvarchar(20) null,
        content_type nvarchar(200) null,
        content_length bigint null,
        file_path nvarchar(2000) null,
        request_timestamp datetime2(7) null,
        response_timestamp datetime2(7) null,
        rank int null,
        request_body nvarchar(max) null,
        response_body_binary varbinary(max) null,
        error_type nvarchar(200) null
    );

    create index IX_IngestRecords_Dedupe
        on ingest.IngestRecords (source_system, source_name, resource_type, resource_id, fetched_at_utc desc);

    create index IX_IngestRecords_FetchedAt on ingest.IngestRecords (fetched_at_utc desc);
end;
GO
