-- The eight tables of the vector schema, as they exist on SQL Server, with DuckDB's own types:
-- vectors are FLOAT lists instead of JSON text. Columns below a line "ours" are additions.
--
-- DuckDB keeps every index in memory while it is written to, so the tables that grow with the corpus have one
-- index each, and no foreign keys; checks stand in (docs/decisions/0004-duckdb-layout.md).

create schema if not exists vector;

create table if not exists vector.embedding_space (
    embedding_space_id uuid primary key,
    provider varchar not null,
    model_name varchar not null,
    model_tag varchar not null,
    model_digest varchar not null,
    dimensions integer not null check (dimensions > 0),
    normalize_flag boolean not null default true,
    distance_metric varchar not null default 'cosine',
    preprocess_policy_json varchar,
    transform_ref varchar,
    description varchar,
    is_active boolean not null default true,
    created_utc timestamp not null,
    unique (provider, model_name, model_tag, model_digest, dimensions)
);

create table if not exists vector.job (
    job_id uuid primary key,
    created_utc timestamp not null,
    status varchar not null default 'NEW'
        check (status in ('NEW', 'RUNNING', 'SUCCEEDED', 'FAILED', 'DEADLETTER')),
    priority integer not null default 100 check (priority >= 0),
    job_type varchar not null
        check (job_type in ('CHUNK_SOURCE', 'EMBED_CHUNKS', 'REEMBED_SPACE', 'RETRIEVE_TEST', 'DRIFT_TEST')),
    input_json varchar not null,
    embedding_space_id uuid references vector.embedding_space (embedding_space_id),
    max_attempts integer not null default 3,
    attempt_count integer not null default 0,
    available_utc timestamp not null,
    locked_by varchar,
    locked_utc timestamp,
    last_error varchar
);

create table if not exists vector.run (
    run_id uuid primary key,
    job_id uuid not null references vector.job (job_id),
    started_utc timestamp not null,
    completed_utc timestamp,
    status varchar not null default 'RUNNING' check (status in ('RUNNING', 'SUCCEEDED', 'FAILED')),
    worker_id varchar not null,
    embedding_space_id uuid references vector.embedding_space (embedding_space_id),
    endpoint_url varchar,
    model_name varchar,
    model_tag varchar,
    model_digest varchar,
    options_json varchar,
    metrics_json varchar,
    error varchar
);

create table if not exists vector.source_registry (
    source_id varchar primary key,
    source_type varchar not null,
    source_ref_json varchar not null,
    content_sha256 varchar, -- of the text that its current chunks were cut from
    last_indexed_utc timestamp,
    chunk_count integer,
    tags_json varchar,
    status varchar not null default 'indexed' check (status in ('indexed', 'pending', 'error')),
    created_utc timestamp not null,
    updated_utc timestamp not null,
    -- ours
    title varchar,
    presence varchar not null default 'present'
        check (presence in ('present', 'vanished', 'redirect', 'unread')),
    text_sha256 varchar, -- of its current text; differs from content_sha256 while chunking is pending
    ingest_id uuid, -- the record that speaks for it
    policy_version varchar, -- that its current chunks were cut under
    omitted_character_count bigint not null default 0
);

create table if not exists vector.chunk (
    chunk_id varchar primary key,
    source_id varchar,
    source_type varchar not null,
    source_ref_json varchar not null,
    offsets_json varchar not null,
    content varchar not null,
    content_sha256 varchar not null,
    byte_count bigint not null,
    policy_json varchar not null,
    created_utc timestamp not null,
    -- ours
    text_sha256 varchar,
    run_id uuid,
    retired_utc timestamp
);

create table if not exists vector.embedding (
    -- Derived from (chunk_id, embedding_space_id, input_content_sha256): the key is the idempotency key.
    embedding_id uuid primary key,
    chunk_id varchar not null,
    embedding_space_id uuid not null,
    input_content_sha256 varchar not null,
    run_id uuid not null,
    vector float[] not null,
    vector_sha256 varchar not null,
    created_utc timestamp not null
);

create table if not exists vector.retrieval (
    retrieval_id uuid primary key,
    run_id uuid references vector.run (run_id),
    embedding_space_id uuid not null references vector.embedding_space (embedding_space_id),
    query_text varchar not null,
    query_embedding_json varchar,
    top_k integer not null,
    filters_json varchar,
    policy_json varchar,
    created_utc timestamp not null
);

create table if not exists vector.retrieval_hit (
    retrieval_id uuid not null references vector.retrieval (retrieval_id),
    rank integer not null check (rank > 0),
    chunk_id varchar not null,
    score double not null,
    metadata_json varchar,
    primary key (retrieval_id, rank)
);
