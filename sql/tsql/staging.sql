-- What `Session.stage` puts rows into. `create_` makes the table, outside any parameter's scope, so that it outlives its
-- statement; `insert_` fills it in one round trip from `:rows`, a JSON array of objects. Columns that are compared with
-- stored ones take the database's collation, not that of tempdb.

-- name: create_staged_records
create table #staged_records (
    ingest_id uniqueidentifier not null,
    source_system nvarchar(max) collate database_default not null,
    source_name nvarchar(max) collate database_default not null,
    resource_type nvarchar(max) collate database_default not null,
    resource_id nvarchar(max) collate database_default not null,
    variant nvarchar(max) collate database_default null,
    request_uri nvarchar(max) collate database_default not null,
    request_method nvarchar(max) collate database_default not null,
    request_headers nvarchar(max) collate database_default null,
    request_body nvarchar(max) collate database_default null,
    status_code int not null,
    response_headers nvarchar(max) collate database_default null,
    payload nvarchar(max) collate database_default not null,
    content_type nvarchar(max) collate database_default null,
    content_length bigint null,
    fetched_at_utc datetime2(7) not null,
    hash_sha256 nvarchar(64) collate database_default null,
    run_id uniqueidentifier null,
    work_item_id uniqueidentifier null,
    attempt int not null,
    error_message nvarchar(max) collate database_default null,
    error_type nvarchar(max) collate database_default null,
    duration_ms int null,
    file_path nvarchar(max) collate database_default null,
    request_timestamp datetime2(7) null,
    response_timestamp datetime2(7) null,
    rank int null
);

-- name: insert_staged_records
insert into #staged_records (
    ingest_id, source_system, source_name, resource_type, resource_id, variant, request_uri, request_method,
    request_headers, request_body, status_code, response_headers, payload, content_type, content_length,
    fetched_at_utc, hash_sha256, run_id, work_item_id, attempt, error_message, error_type, duration_ms,
    file_path, request_timestamp, response_timestamp, rank
)
select
    ingest_id, source_system, source_name, resource_type, resource_id, variant, request_uri, request_method,
    request_headers, request_body, status_code, response_headers, payload, content_type, content_length,
    fetched_at_utc, hash_sha256, run_id, work_item_id, attempt, error_message, error_type, duration_ms,
    file_path, request_timestamp, response_timestamp, rank
from openjson(cast(:rows as nvarchar(max))) with (
    ingest_id uniqueidentifier,
    source_system nvarchar(max),
    source_name nvarchar(max),
    resource_type nvarchar(max),
    resource_id nvarchar(max),
    variant nvarchar(max),
    request_uri nvarchar(max),
    request_method nvarchar(max),
    request_headers nvarchar(max),
    request_body nvarchar(max),
    status_code int,
    response_headers nvarchar(max),
    payload nvarchar(max),
    content_type nvarchar(max),
    content_length bigint,
    fetched_at_utc datetime2(7),
    hash_sha256 nvarchar(64),
    run_id uniqueidentifier,
    work_item_id uniqueidentifier,
    attempt int,
    error_message nvarchar(max),
    error_type nvarchar(max),
    duration_ms int,
    file_path nvarchar(max),
    request_timestamp datetime2(7),
    response_timestamp datetime2(7),
    rank int
);

-- name: create_staged_ingest_files
create table #staged_ingest_files (
    path nvarchar(max) collate database_default not null,
    size_bytes bigint not null,
    modified_ns bigint not null,
    record_count bigint not null,
    rejected_count bigint not null
);

-- name: insert_staged_ingest_files
insert into #staged_ingest_files (path, size_bytes, modified_ns, record_count, rejected_count)
select path, size_bytes, modified_ns, record_count, rejected_count
from openjson(cast(:rows as nvarchar(max))) with (
    path nvarchar(max),
    size_bytes bigint,
    modified_ns bigint,
    record_count bigint,
    rejected_count bigint
);

-- name: create_staged_examinations
create table #staged_examinations (
    ingest_id uniqueidentifier not null,
    resource_key nvarchar(64) collate database_default not null,
    variant nvarchar(20) collate database_default not null,
    source_id nvarchar(256) collate database_default null,
    source_type nvarchar(100) collate database_default null,
    outcome nvarchar(20) collate database_default not null,
    text_sha256 nvarchar(64) collate database_default null,
    title nvarchar(max) collate database_default null,
    redirect_target nvarchar(max) collate database_default null,
    source_ref_json nvarchar(max) collate database_default null,
    tags_json nvarchar(max) collate database_default null,
    extractor nvarchar(100) collate database_default not null,
    extractor_version nvarchar(50) collate database_default not null,
    reason nvarchar(max) collate database_default null,
    revision bigint null,
    fetched_at_utc datetime2(7) not null
);

-- name: insert_staged_examinations
insert into #staged_examinations (
    ingest_id, resource_key, variant, source_id, source_type, outcome, text_sha256, title, redirect_target,
    source_ref_json, tags_json, extractor, extractor_version, reason, revision, fetched_at_utc
)
select
    ingest_id, resource_key, variant, source_id, source_type, outcome, text_sha256, title, redirect_target,
    source_ref_json, tags_json, extractor, extractor_version, reason, revision, fetched_at_utc
from openjson(cast(:rows as nvarchar(max))) with (
    ingest_id uniqueidentifier,
    resource_key nvarchar(64),
    variant nvarchar(20),
    source_id nvarchar(256),
    source_type nvarchar(100),
    outcome nvarchar(20),
    text_sha256 nvarchar(64),
    title nvarchar(max),
    redirect_target nvarchar(max),
    source_ref_json nvarchar(max),
    tags_json nvarchar(max),
    extractor nvarchar(100),
    extractor_version nvarchar(50),
    reason nvarchar(max),
    revision bigint,
    fetched_at_utc datetime2(7)
);

-- name: create_staged_texts
create table #staged_texts (
    text_id uniqueidentifier not null,
    source_id nvarchar(256) collate database_default not null,
    text_sha256 nvarchar(64) collate database_default not null,
    title nvarchar(max) collate database_default null,
    content nvarchar(max) collate database_default not null,
    extractor nvarchar(100) collate database_default not null,
    extractor_version nvarchar(50) collate database_default not null,
    ingest_id uniqueidentifier not null,
    character_count bigint not null,
    byte_count bigint not null
);

-- name: insert_staged_texts
insert into #staged_texts (
    text_id, source_id, text_sha256, title, content, extractor, extractor_version, ingest_id, character_count, byte_count
)
select
    text_id, source_id, text_sha256, title, content, extractor, extractor_version, ingest_id, character_count, byte_count
from openjson(cast(:rows as nvarchar(max))) with (
    text_id uniqueidentifier,
    source_id nvarchar(256),
    text_sha256 nvarchar(64),
    title nvarchar(max),
    content nvarchar(max),
    extractor nvarchar(100),
    extractor_version nvarchar(50),
    ingest_id uniqueidentifier,
    character_count bigint,
    byte_count bigint
);

-- name: create_staged_resolutions
create table #staged_resolutions (
    source_id nvarchar(256) collate database_default not null primary key,
    presence nvarchar(20) collate database_default not null,
    speaker uniqueidentifier null,
    described_by uniqueidentifier null,
    keeps_text bit not null,
    unreadable bit not null
);

-- name: insert_staged_resolutions
insert into #staged_resolutions (source_id, presence, speaker, described_by, keeps_text, unreadable)
select source_id, presence, speaker, described_by, keeps_text, unreadable
from openjson(cast(:rows as nvarchar(max))) with (
    source_id nvarchar(256),
    presence nvarchar(20),
    speaker uniqueidentifier,
    described_by uniqueidentifier,
    keeps_text bit,
    unreadable bit
);

-- name: create_staged_chunked_sources
create table #staged_chunked_sources (
    source_id nvarchar(256) collate database_default not null primary key,
    text_sha256 nvarchar(64) collate database_default null,
    chunk_count int not null,
    omitted_character_count bigint not null
);

-- name: insert_staged_chunked_sources
insert into #staged_chunked_sources (source_id, text_sha256, chunk_count, omitted_character_count)
select source_id, text_sha256, chunk_count, omitted_character_count
from openjson(cast(:rows as nvarchar(max))) with (
    source_id nvarchar(256),
    text_sha256 nvarchar(64),
    chunk_count int,
    omitted_character_count bigint
);

-- name: create_staged_chunks
create table #staged_chunks (
    chunk_id nvarchar(128) collate database_default not null primary key,
    source_id nvarchar(256) collate database_default not null,
    source_type nvarchar(100) collate database_default not null,
    source_ref_json nvarchar(max) collate database_default not null,
    offsets_json nvarchar(max) collate database_default not null,
    content nvarchar(max) collate database_default not null,
    content_sha256 nvarchar(64) collate database_default not null,
    policy_json nvarchar(max) collate database_default not null,
    text_sha256 nvarchar(64) collate database_default not null,
    extractor nvarchar(100) collate database_default not null,
    extractor_version nvarchar(50) collate database_default not null,
    byte_count bigint not null
);

-- name: insert_staged_chunks
insert into #staged_chunks (
    chunk_id, source_id, source_type, source_ref_json, offsets_json, content, content_sha256, policy_json, text_sha256,
    extractor, extractor_version, byte_count
)
select
    chunk_id, source_id, source_type, source_ref_json, offsets_json, content, content_sha256, policy_json, text_sha256,
    extractor, extractor_version, byte_count
from openjson(cast(:rows as nvarchar(max))) with (
    chunk_id nvarchar(128),
    source_id nvarchar(256),
    source_type nvarchar(100),
    source_ref_json nvarchar(max),
    offsets_json nvarchar(max),
    content nvarchar(max),
    content_sha256 nvarchar(64),
    policy_json nvarchar(max),
    text_sha256 nvarchar(64),
    extractor nvarchar(100),
    extractor_version nvarchar(50),
    byte_count bigint
);

-- name: create_staged_embeddings
create table #staged_embeddings (
    embedding_id uniqueidentifier not null primary key,
    chunk_id nvarchar(128) collate database_default not null,
    input_content_sha256 nvarchar(64) collate database_default not null,
    vector_sha256 nvarchar(64) collate database_default not null,
    vector varbinary(max) not null,
    vector_json nvarchar(max) collate database_default not null
);

-- name: insert_staged_embeddings
-- A vector comes twice: as hexadecimal digits of its float32 bytes, and as JSON, or as [] where JSON is not wanted.
insert into #staged_embeddings (embedding_id, chunk_id, input_content_sha256, vector_sha256, vector, vector_json)
select
    embedding_id, chunk_id, input_content_sha256, vector_sha256, convert(varbinary(max), vector, 2), vector_json
from openjson(cast(:rows as nvarchar(max))) with (
    embedding_id uniqueidentifier,
    chunk_id nvarchar(128),
    input_content_sha256 nvarchar(64),
    vector_sha256 nvarchar(64),
    vector varchar(max),
    vector_json nvarchar(max)
);

-- name: create_staged_quarantined
create table #staged_quarantined (
    item_type nvarchar(20) collate database_default not null,
    item_id nvarchar(max) collate database_default not null,
    item_version nvarchar(64) collate database_default not null,
    scope nvarchar(64) collate database_default not null,
    stage nvarchar(50) collate database_default not null,
    reason nvarchar(max) collate database_default not null
);

-- name: insert_staged_quarantined
insert into #staged_quarantined (item_type, item_id, item_version, scope, stage, reason)
select item_type, item_id, item_version, scope, stage, reason
from openjson(cast(:rows as nvarchar(max))) with (
    item_type nvarchar(20),
    item_id nvarchar(max),
    item_version nvarchar(64),
    scope nvarchar(64),
    stage nvarchar(50),
    reason nvarchar(max)
);

-- name: create_staged_planned_sources
create table #staged_planned_sources (source_id nvarchar(256) collate database_default not null primary key);

-- name: insert_staged_planned_sources
insert into #staged_planned_sources (source_id)
select source_id
from openjson(cast(:rows as nvarchar(max))) with (source_id nvarchar(256));

-- name: create_staged_planned_chunks
create table #staged_planned_chunks (
    chunk_id nvarchar(128) collate database_default not null,
    content_sha256 nvarchar(64) collate database_default not null
);

-- name: insert_staged_planned_chunks
insert into #staged_planned_chunks (chunk_id, content_sha256)
select chunk_id, content_sha256
from openjson(cast(:rows as nvarchar(max))) with (chunk_id nvarchar(128), content_sha256 nvarchar(64));

-- name: create_staged_exchange_records
create table #staged_exchange_records (
    exchange_id uniqueidentifier not null primary key,
    exchange_type nvarchar(max) collate database_default not null,
    source_system nvarchar(max) collate database_default not null,
    entity_type nvarchar(max) collate database_default not null,
    natural_key nvarchar(max) collate database_default null,
    observed_at_utc datetime2(7) not null,
    content_sha256 char(64) collate database_default not null,
    payload_json nvarchar(max) collate database_default not null,
    schema_version int not null
);

-- name: insert_staged_exchange_records
insert into #staged_exchange_records (
    exchange_id, exchange_type, source_system, entity_type, natural_key, observed_at_utc, content_sha256, payload_json,
    schema_version
)
select
    exchange_id, exchange_type, source_system, entity_type, natural_key, observed_at_utc, content_sha256, payload_json,
    schema_version
from openjson(cast(:rows as nvarchar(max))) with (
    exchange_id uniqueidentifier,
    exchange_type nvarchar(max),
    source_system nvarchar(max),
    entity_type nvarchar(max),
    natural_key nvarchar(max),
    observed_at_utc datetime2(7),
    content_sha256 char(64),
    payload_json nvarchar(max),
    schema_version int
);

-- name: create_staged_anchors
create table #staged_anchors (
    anchor_sha256 nvarchar(64) collate database_default not null primary key,
    kind nvarchar(50) collate database_default not null,
    content nvarchar(max) collate database_default not null,
    vector_sha256 nvarchar(64) collate database_default not null,
    vector varbinary(max) not null
);

-- name: insert_staged_anchors
insert into #staged_anchors (anchor_sha256, kind, content, vector_sha256, vector)
select anchor_sha256, kind, content, vector_sha256, convert(varbinary(max), vector, 2)
from openjson(cast(:rows as nvarchar(max))) with (
    anchor_sha256 nvarchar(64),
    kind nvarchar(50),
    content nvarchar(max),
    vector_sha256 nvarchar(64),
    vector varchar(max)
);

-- name: create_staged_replacements
create table #staged_replacements (
    embedding_id uniqueidentifier not null primary key,
    old_vector_sha256 nvarchar(64) collate database_default not null,
    new_vector_sha256 nvarchar(64) collate database_default null,
    vector varbinary(max) not null,
    vector_json nvarchar(max) collate database_default not null
);

-- name: insert_staged_replacements
insert into #staged_replacements (embedding_id, old_vector_sha256, new_vector_sha256, vector, vector_json)
select embedding_id, old_vector_sha256, new_vector_sha256, convert(varbinary(max), vector, 2), vector_json
from openjson(cast(:rows as nvarchar(max))) with (
    embedding_id uniqueidentifier,
    old_vector_sha256 nvarchar(64),
    new_vector_sha256 nvarchar(64),
    vector varchar(max),
    vector_json nvarchar(max)
);

-- name: create_staged_evidence_items
create table #staged_evidence_items (
    item_id uniqueidentifier not null primary key,
    evidence_id nvarchar(200) collate database_default not null,
    evidence_type nvarchar(100) collate database_default not null,
    byte_count bigint not null,
    content_sha256 nvarchar(64) collate database_default not null,
    metadata_json nvarchar(max) collate database_default not null,
    source_system nvarchar(100) collate database_default null,
    source_uri nvarchar(2000) collate database_default null,
    source_ref nvarchar(400) collate database_default not null,
    selector_json nvarchar(max) collate database_default not null,
    ordinal int not null,
    role nvarchar(50) collate database_default not null,
    content nvarchar(max) collate database_default not null
);

-- name: insert_staged_evidence_items
insert into #staged_evidence_items (
    item_id, evidence_id, evidence_type, byte_count, content_sha256, metadata_json, source_system, source_uri, source_ref,
    selector_json, ordinal, role, content
)
select
    item_id, evidence_id, evidence_type, byte_count, content_sha256, metadata_json, source_system, source_uri, source_ref,
    selector_json, ordinal, role, content
from openjson(cast(:rows as nvarchar(max))) with (
    item_id uniqueidentifier,
    evidence_id nvarchar(200),
    evidence_type nvarchar(100),
    byte_count bigint,
    content_sha256 nvarchar(64),
    metadata_json nvarchar(max),
    source_system nvarchar(100),
    source_uri nvarchar(2000),
    source_ref nvarchar(400),
    selector_json nvarchar(max),
    ordinal int,
    role nvarchar(50),
    content nvarchar(max)
);

-- name: create_staged_retrieval_hits
create table #staged_retrieval_hits (
    rank int not null primary key,
    chunk_id nvarchar(128) collate database_default not null,
    metadata_json nvarchar(max) collate database_default not null,
    score float not null
);

-- name: insert_staged_retrieval_hits
insert into #staged_retrieval_hits (rank, chunk_id, metadata_json, score)
select rank, chunk_id, metadata_json, score
from openjson(cast(:rows as nvarchar(max))) with (
    rank int,
    chunk_id nvarchar(128),
    metadata_json nvarchar(max),
    score float
);

-- name: create_staged_evaluation_queries
create table #staged_evaluation_queries (
    ordinal int not null primary key,
    query_id nvarchar(500) collate database_default not null,
    ndcg_at_10 float not null,
    recall_at_10 float not null,
    recall_at_100 float not null,
    mrr_at_10 float not null,
    map_at_100 float not null
);

-- name: insert_staged_evaluation_queries
insert into #staged_evaluation_queries (
    ordinal, query_id, ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10, map_at_100
)
select ordinal, query_id, ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10, map_at_100
from openjson(cast(:rows as nvarchar(max))) with (
    ordinal int,
    query_id nvarchar(500),
    ndcg_at_10 float,
    recall_at_10 float,
    recall_at_100 float,
    mrr_at_10 float,
    map_at_100 float
);

-- name: create_staged_drift_metrics
create table #staged_drift_metrics (
    ordinal int not null primary key,
    name nvarchar(100) collate database_default not null,
    effect float null,
    missing nvarchar(max) collate database_default not null,
    statistic float null,
    p float null,
    p_adjusted float null,
    watch_floor float null,
    alert_floor float null,
    is_calibrated bit null,
    verdict nvarchar(10) collate database_default null,
    reference_value float null,
    current_value float null,
    explanation nvarchar(max) collate database_default not null,
    details_json nvarchar(max) collate database_default not null
);

-- name: insert_staged_drift_metrics
insert into #staged_drift_metrics (
    ordinal, name, effect, missing, statistic, p, p_adjusted, watch_floor, alert_floor, is_calibrated, verdict,
    reference_value, current_value, explanation, details_json
)
select
    ordinal, name, effect, missing, statistic, p, p_adjusted, watch_floor, alert_floor, is_calibrated, verdict,
    reference_value, current_value, explanation, details_json
from openjson(cast(:rows as nvarchar(max))) with (
    ordinal int,
    name nvarchar(100),
    effect float,
    missing nvarchar(max),
    statistic float,
    p float,
    p_adjusted float,
    watch_floor float,
    alert_floor float,
    is_calibrated bit,
    verdict nvarchar(10),
    reference_value float,
    current_value float,
    explanation nvarchar(max),
    details_json nvarchar(max)
);
