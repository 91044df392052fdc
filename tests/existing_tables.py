"""The tables of the existing database that this project reads or adds to, as its own migrations leave them."""

from resources.stores.base import SqlStore

DEFINITIONS = """
create schema ingest;
GO
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
create index IX_IngestRecords_RunId on ingest.IngestRecords (run_id) where run_id is not null;
create index IX_IngestRecords_FetchedAt on ingest.IngestRecords (fetched_at_utc desc);
GO
create schema sem;
GO
create table sem.SourcePage (
    source_page_id uniqueidentifier not null default newid() primary key,
    source_system nvarchar(100) not null,
    resource_id nvarchar(500) not null,
    variant nvarchar(20) null,
    namespace nvarchar(100) null,
    continuity_hint nvarchar(50) null,
    content_hash_sha256 nvarchar(64) null,
    latest_ingest_id uniqueidentifier null,
    source_registry_id nvarchar(256) null,
    created_utc datetime2(7) not null default sysutcdatetime(),
    updated_utc datetime2(7) not null default sysutcdatetime(),
    is_active bit not null default 1
);
create unique index UX_sem_SourcePage on sem.SourcePage (source_system, resource_id, variant) where is_active = 1;
GO
create table sem.PageClassification (
    page_classification_id uniqueidentifier not null default newid() primary key,
    source_page_id uniqueidentifier not null references sem.SourcePage (source_page_id),
    taxonomy_version nvarchar(20) not null default N'v1',
    primary_type nvarchar(100) not null,
    type_set_json nvarchar(max) null,
    confidence_score decimal(5, 4) null,
    method nvarchar(20) not null check (method in (N'rules', N'llm', N'hybrid', N'manual')),
    needs_review bit not null default 0,
    created_utc datetime2(7) not null default sysutcdatetime(),
    is_current bit not null default 1,
    superseded_by_id uniqueidentifier null
);
create unique index UX_sem_PageClassification_Current on sem.PageClassification (source_page_id) where is_current = 1;
GO
create schema vector;
GO
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
    unique (provider, model_name, model_tag, model_digest, dimensions)
);
GO
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
create index IX_vector_job_status on vector.job (status, available_utc, priority desc)
    where status in ('NEW', 'RUNNING');
create index IX_vector_job_type on vector.job (job_type, status);
GO
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
GO
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
create table vector.retrieval_hit (
    retrieval_id uniqueidentifier not null references vector.retrieval (retrieval_id),
    rank int not null,
    chunk_id nvarchar(128) not null references vector.chunk (chunk_id),
    score float not null,
    metadata_json nvarchar(max) null,
    primary key (retrieval_id, rank)
);
GO
"""


def create_existing_tables(store: SqlStore) -> None:
    """Make an empty database look like the existing one."""
    with store.session() as session:
        session.run_script(DEFINITIONS)
