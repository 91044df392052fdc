-- Digests that checks compare barely shrink when compressed, and cost three times as much to read
-- (docs/decisions/0004-duckdb-layout.md). DuckDB cannot change a column's compression, so the tables are copied.

alter table vector.chunk rename to chunk_compressed;

create table vector.chunk (
    chunk_id varchar primary key using compression uncompressed,
    source_id varchar,
    source_type varchar not null,
    source_ref_json varchar not null,
    offsets_json varchar not null,
    content varchar not null,
    content_sha256 varchar not null using compression uncompressed,
    byte_count bigint not null,
    policy_json varchar not null,
    created_utc timestamp not null,
    -- ours
    text_sha256 varchar,
    run_id uuid,
    retired_utc timestamp
);

insert into vector.chunk
select * from vector.chunk_compressed;

drop table vector.chunk_compressed;

alter table vector.chunk_version rename to chunk_version_compressed;

create table vector.chunk_version (
    chunk_id varchar not null using compression uncompressed,
    valid_from_utc timestamp not null,
    valid_to_utc timestamp,
    source_id varchar not null,
    content_sha256 varchar not null using compression uncompressed,
    text_sha256 varchar not null,
    extractor varchar not null,
    extractor_version varchar not null,
    policy_version varchar not null,
    run_id uuid not null
);

insert into vector.chunk_version
select * from vector.chunk_version_compressed;

drop table vector.chunk_version_compressed;

alter table vector.embedding rename to embedding_compressed;

create table vector.embedding (
    embedding_id uuid primary key,
    chunk_id varchar not null using compression uncompressed,
    embedding_space_id uuid not null,
    input_content_sha256 varchar not null using compression uncompressed,
    run_id uuid not null,
    vector float[] not null,
    vector_sha256 varchar not null,
    created_utc timestamp not null
);

insert into vector.embedding
select * from vector.embedding_compressed;

drop table vector.embedding_compressed;
