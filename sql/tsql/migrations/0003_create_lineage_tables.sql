-- What the contract's tables have no place for: texts and their history, what was examined, what failed.

-- One row per text a source has ever had; current while current_since_utc is set and retired_utc is not.
if object_id(N'vector.extracted_text', N'U') is null
begin
    create table vector.extracted_text (
        text_id uniqueidentifier not null primary key, -- derived from (source_id, text_sha256)
        source_id nvarchar(256) not null,
        text_sha256 nvarchar(64) not null,
        title nvarchar(max) null,
        content nvarchar(max) not null,
        character_count bigint not null,
        byte_count bigint not null,
        extractor nvarchar(100) not null,
        extractor_version nvarchar(50) not null,
        ingest_id uniqueidentifier not null,
        run_id uniqueidentifier not null,
        created_utc datetime2(7) not null,
        current_since_utc datetime2(7) null,
        retired_utc datetime2(7) null
    );

    create index IX_vector_extracted_text_source on vector.extracted_text (source_id, text_sha256);
end;
GO

-- One row per examined ingest record; pending extraction is what has none.
if object_id(N'vector.ingest_seen', N'U') is null
begin
    create table vector.ingest_seen (
        ingest_id uniqueidentifier not null primary key,
        resource_key nvarchar(64) not null,
        variant nvarchar(20) not null,
        source_id nvarchar(256) null,
        source_type nvarchar(100) null,
        revision bigint null,
        fetched_at_utc datetime2(7) not null,
        outcome nvarchar(20) not null check (
            outcome in (
                N'text', N'identified', N'wanted', N'redirect', N'missing', N'empty', N'failed', N'ignored', N'gone'
            )
        ),
        text_sha256 nvarchar(64) null,
        title nvarchar(max) null,
        redirect_target nvarchar(max) null,
        source_ref_json nvarchar(max) null,
        tags_json nvarchar(max) null,
        extractor nvarchar(100) not null,
        extractor_version nvarchar(50) not null,
        reason nvarchar(max) null,
        run_id uniqueidentifier not null,
        examined_utc datetime2(7) not null,
        resolved_rule nvarchar(200) null -- the rule under which its source was last resolved; null while that is pending
    );

    create index IX_vector_ingest_seen_resource on vector.ingest_seen (resource_key) include (outcome, resolved_rule);

    create index IX_vector_ingest_seen_source on vector.ingest_seen (source_id) include (resource_key);
end;
GO

if object_id(N'vector.source_alias', N'U') is null
    create table vector.source_alias (
        source_id nvarchar(256) not null primary key, -- the redirect's own source
        alias_title nvarchar(max) null,
        target_title nvarchar(max) null,
        ingest_id uniqueidentifier not null,
        updated_utc datetime2(7) not null
    );
GO

-- The history behind vector.chunk, which holds only the latest state of each id. One open version (valid_to_utc
-- null) per current chunk.
if object_id(N'vector.chunk_version', N'U') is null
begin
    create table vector.chunk_version (
        chunk_id nvarchar(128) not null,
        valid_from_utc datetime2(7) not null,
        valid_to_utc datetime2(7) null,
        source_id nvarchar(256) not null,
        content_sha256 nvarchar(64) not null,
        text_sha256 nvarchar(64) not null,
        extractor nvarchar(100) not null,
        extractor_version nvarchar(50) not null,
        policy_version nvarchar(50) not null,
        run_id uniqueidentifier not null
    );

    create clustered index IX_vector_chunk_version on vector.chunk_version (chunk_id, valid_from_utc);

    create index IX_vector_chunk_version_source on vector.chunk_version (source_id, valid_to_utc);
end;
GO

-- A policy's version means one set of parameters for ever.
if object_id(N'vector.chunk_policy', N'U') is null
    create table vector.chunk_policy (
        policy_version nvarchar(50) not null primary key,
        policy_json nvarchar(max) not null,
        created_utc datetime2(7) not null
    );
GO

-- Failed in a way a retry will not fix. item_version tells two states of one item apart. The key is a hash, because
-- an item may be a path: longer than an index allows, and told apart by case alone.
if object_id(N'vector.quarantine', N'U') is null
begin
    create table vector.quarantine (
        item_key varchar(64) not null primary key,
        item_type nvarchar(20) not null check (item_type in (N'line', N'record', N'chunk')),
        item_id nvarchar(max) not null,
        item_version nvarchar(64) not null default N'',
        scope nvarchar(64) not null default N'', -- the embedding space, where the item failed in one only
        stage nvarchar(50) not null,
        reason nvarchar(max) not null,
        attempt_count int not null default 1,
        run_id uniqueidentifier not null,
        first_failed_utc datetime2(7) not null,
        last_failed_utc datetime2(7) not null,
        released_utc datetime2(7) null -- set by a retry or a success; a row that has it is history
    );
end;
GO

-- Files that `ingest` has read to the end, so that an unchanged one costs a stat call.
if object_id(N'vector.ingest_file', N'U') is null
    create table vector.ingest_file (
        path_key varchar(64) not null primary key, -- SHA-256 of the path, for the reasons above
        path nvarchar(max) not null,
        size_bytes bigint not null,
        modified_ns bigint not null,
        record_count bigint not null,
        rejected_count bigint not null,
        run_id uniqueidentifier null,
        loaded_utc datetime2(7) not null
    );
GO
