-- Digests that checks compare barely shrink when compressed, and cost three times as much to read
-- (docs/decisions/0004-duckdb-layout.md). DuckDB cannot change a column's compression, so the tables are copied. An
-- index of your own on them goes with the old table: create it again.

create table vector.chunk_copy (
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

insert into vector.chunk_copy
select * from vector.chunk;

drop table vector.chunk;

alter table vector.chunk_copy rename to chunk;

-- The history behind vector.chunk, which holds only the latest state of each id. One open version (valid_to_utc
-- null) per current chunk; a check stands in for the key.
create table vector.chunk_version_copy (
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

insert into vector.chunk_version_copy
select * from vector.chunk_version;

drop table vector.chunk_version;

alter table vector.chunk_version_copy rename to chunk_version;

create table vector.embedding_copy (
    -- Derived from (chunk_id, embedding_space_id, input_content_sha256): the key is the idempotency key.
    embedding_id uuid primary key,
    chunk_id varchar not null using compression uncompressed,
    embedding_space_id uuid not null,
    input_content_sha256 varchar not null using compression uncompressed,
    run_id uuid not null,
    vector float[] not null,
    vector_sha256 varchar not null,
    created_utc timestamp not null
);

insert into vector.embedding_copy
select * from vector.embedding;

drop table vector.embedding;

alter table vector.embedding_copy rename to embedding;
