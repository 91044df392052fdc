-- The eight tables of the contract, where they are missing, and our columns, where they are missing. Nothing that
-- exists is altered, and nothing outside the schema `vector` is touched.

if schema_id(N'vector') is null
    exec(N'create schema vector');
GO

if object_id(N'vector.embedding_space', N'U') is null
    create table vector.embedding_space (
        embedding_space_id uniqueidentifier not null default newid() primary key,
        provider nvarchar(100) not null,
        model_name nvarchar(200) not null,
        model_tag nvarchar(100) null,
        model_digest nvarchar(200) null,
        dimensions int not null,
        normalize_flag bit not null default 1,
        distance_metric nvarchar(50) not null default N'cosine',
        preprocess_policy_json nvarchar(max) null,
        transform_ref nvarchar(200) null,
        description nvarchar(500) null,
        is_active bit not null default 1,
        created_utc datetime2(7) not null default sysutcdatetime(),
        constraint UQ_vector_embedding_space_identity
            unique (provider, model_name, model_tag, model_digest, dimensions)
    );
GO

if object_id(N'vector.job', N'U') is null
    create table vector.job (
        job_id uniqueidentifier not null default newid() primary key,
        created_utc datetime2(7) not null default sysutcdatetime(),
        status varchar(20) not null default 'NEW'
            check (status in ('NEW', 'RUNNING', 'SUCCEEDED', 'FAILED', 'DEADLETTER')),
        priority int not null default 100 check (priority >= 0),
        job_type nvarchar(50) not null
            check (job_type in (N'CHUNK_SOURCE', N'EMBED_CHUNKS', N'REEMBED_SPACE', N'RETRIEVE_TEST', N'DRIFT_TEST')),
        input_json nvarchar(max) not null,
        embedding_space_id uniqueidentifier null references vector.embedding_space (embedding_space_id),
        max_attempts int not null default 3,
        attempt_count int not null default 0,
        available_utc datetime2(7) not null default sysutcdatetime(),
        locked_by nvarchar(200) null,
        locked_utc datetime2(7) null,
        last_error nvarchar(max) null
    );
GO

if not exists (
    select 1 from sys.indexes where name = N'IX_vector_job_claimable' and object_id = object_id(N'vector.job')
)
    create index IX_vector_job_claimable
        on vector.job (status, available_utc, priority desc)
        where status in ('NEW', 'RUNNING');
GO

if object_id(N'vector.run', N'U') is null
    create table vector.run (
        run_id uniqueidentifier not null default newid() primary key,
        job_id uniqueidentifier not null references vector.job (job_id),
        started_utc datetime2(7) not null default sysutcdatetime(),
        completed_utc datetime2(7) null,
        status varchar(20) not null default 'RUNNING' check (status in ('RUNNING', 'SUCCEEDED', 'FAILED')),
        worker_id nvarchar(200) not null,
        embedding_space_id uniqueidentifier null references vector.embedding_space (embedding_space_id),
        endpoint_url nvarchar(500) null,
        model_name nvarchar(100) null,
        model_tag nvarchar(100) null,
        model_digest nvarchar(200) null,
        options_json nvarchar(max) null,
        metrics_json nvarchar(max) null,
        error nvarchar(max) null
    );
GO

if object_id(N'vector.source_registry', N'U') is null
    create table vector.source_registry (
        source_id nvarchar(256) not null primary key,
        source_type nvarchar(100) not null,
        source_ref_json nvarchar(max) not null,
        content_sha256 nvarchar(64) null,
        last_indexed_utc datetime2(7) null,
        chunk_count int null,
        tags_json nvarchar(max) null,
        status nvarchar(50) not null default N'indexed' check (status in (N'indexed', N'pending', N'error')),
        created_utc datetime2(7) not null default sysutcdatetime(),
        updated_utc datetime2(7) not null default sysutcdatetime()
    );
GO

if object_id(N'vector.chunk', N'U') is null
begin
    create table vector.chunk (
        chunk_id nvarchar(128) not null primary key,
        source_id nvarchar(256) null references vector.source_registry (source_id),
        source_type nvarchar(100) not null,
        source_ref_json nvarchar(max) not null,
        offsets_json nvarchar(max) not null,
        content nvarchar(max) not null,
        content_sha256 nvarchar(64) not null,
        byte_count bigint not null,
        policy_json nvarchar(max) not null,
        created_utc datetime2(7) not null default sysutcdatetime()
    );

    create index IX_vector_chunk_source on vector.chunk (source_id);
end;
GO

if object_id(N'vector.embedding', N'U') is null
    create table vector.embedding (
        embedding_id uniqueidentifier not null default newid() primary key,
        chunk_id nvarchar(128) not null references vector.chunk (chunk_id),
        embedding_space_id uniqueidentifier not null references vector.embedding_space (embedding_space_id),
        input_content_sha256 nvarchar(64) not null,
        run_id uniqueidentifier null references vector.run (run_id),
        vector_json nvarchar(max) not null,
        vector_sha256 nvarchar(64) not null,
        created_utc datetime2(7) not null default sysutcdatetime(),
        constraint UQ_vector_embedding_idempotent unique (chunk_id, embedding_space_id, input_content_sha256)
    );
GO

if object_id(N'vector.retrieval', N'U') is null
    create table vector.retrieval (
        retrieval_id uniqueidentifier not null default newid() primary key,
        run_id uniqueidentifier null references vector.run (run_id),
        embedding_space_id uniqueidentifier not null references vector.embedding_space (embedding_space_id),
        query_text nvarchar(max) not null,
        query_embedding_json nvarchar(max) null,
        top_k int not null,
        filters_json nvarchar(max) null,
        policy_json nvarchar(max) null,
        created_utc datetime2(7) not null default sysutcdatetime()
    );
GO

if object_id(N'vector.retrieval_hit', N'U') is null
    create table vector.retrieval_hit (
        retrieval_id uniqueidentifier not null references vector.retrieval (retrieval_id),
        rank int not null,
        chunk_id nvarchar(128) not null references vector.chunk (chunk_id),
        score float not null,
        metadata_json nvarchar(max) null,
        primary key (retrieval_id, rank)
    );
GO

-- Ours, beside the contract's columns. Rows of other writers keep the defaults.

if col_length(N'vector.source_registry', N'title') is null
    alter table vector.source_registry add title nvarchar(max) null;
GO

if col_length(N'vector.source_registry', N'presence') is null
    alter table vector.source_registry add presence nvarchar(20) not null default N'present'
        check (presence in (N'present', N'vanished', N'redirect', N'unread'));
GO

if col_length(N'vector.source_registry', N'text_sha256') is null
    alter table vector.source_registry add text_sha256 nvarchar(64) null;
GO

if col_length(N'vector.source_registry', N'ingest_id') is null
    alter table vector.source_registry add ingest_id uniqueidentifier null;
GO

if col_length(N'vector.source_registry', N'policy_version') is null
    alter table vector.source_registry add policy_version nvarchar(50) null;
GO

if col_length(N'vector.source_registry', N'omitted_character_count') is null
    alter table vector.source_registry add omitted_character_count bigint not null default 0;
GO

if col_length(N'vector.chunk', N'text_sha256') is null
    alter table vector.chunk add text_sha256 nvarchar(64) null;
GO

if col_length(N'vector.chunk', N'run_id') is null
    alter table vector.chunk add run_id uniqueidentifier null;
GO

if col_length(N'vector.chunk', N'retired_utc') is null
    alter table vector.chunk add retired_utc datetime2(7) null;
GO

-- The vector itself: little-endian float32. `vector_json` says the same as text, for readers of the contract.
if col_length(N'vector.embedding', N'vector_binary') is null
    alter table vector.embedding add vector_binary varbinary(max) null;
GO

-- What completeness is judged by: keys of current chunks, and of the vectors of one space, without their contents.
if not exists (
    select 1 from sys.indexes where name = N'IX_vector_chunk_current' and object_id = object_id(N'vector.chunk')
)
    create index IX_vector_chunk_current
        on vector.chunk (chunk_id)
        include (content_sha256, source_id, text_sha256, run_id, byte_count, created_utc)
        where retired_utc is null;
GO

if not exists (
    select 1 from sys.indexes where name = N'IX_vector_embedding_space' and object_id = object_id(N'vector.embedding')
)
    create index IX_vector_embedding_space
        on vector.embedding (embedding_space_id, chunk_id)
        include (input_content_sha256, run_id);
GO
