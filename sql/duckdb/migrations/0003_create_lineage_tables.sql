-- What the contract's tables have no place for: texts and their history, what was examined, what failed.

-- One row per text a source has ever had; current while current_since_utc is set and retired_utc is not.
create table if not exists vector.extracted_text (
    text_id uuid primary key, -- derived from (source_id, text_sha256)
    source_id varchar not null,
    text_sha256 varchar not null,
    title varchar,
    content varchar not null using compression uncompressed,
    character_count bigint not null,
    byte_count bigint not null,
    extractor varchar not null,
    extractor_version varchar not null,
    ingest_id uuid not null,
    run_id uuid not null,
    created_utc timestamp not null,
    current_since_utc timestamp,
    retired_utc timestamp
);

-- One row per examined ingest record; pending extraction is what has none.
create table if not exists vector.ingest_seen (
    ingest_id uuid primary key,
    resource_key varchar not null,
    variant varchar not null,
    source_id varchar,
    source_type varchar,
    revision bigint,
    fetched_at_utc timestamp not null,
    outcome varchar not null check (
        outcome in ('text', 'identified', 'wanted', 'redirect', 'missing', 'empty', 'failed', 'ignored', 'gone')
    ),
    text_sha256 varchar,
    title varchar,
    redirect_target varchar,
    source_ref_json varchar,
    tags_json varchar,
    extractor varchar not null,
    extractor_version varchar not null,
    reason varchar,
    run_id uuid not null,
    examined_utc timestamp not null,
    resolved_rule varchar -- the rule under which its source was last resolved; null while that is pending
);

create table if not exists vector.source_alias (
    source_id varchar primary key, -- the redirect's own source
    alias_title varchar,
    target_title varchar,
    ingest_id uuid not null,
    updated_utc timestamp not null
);

-- The history behind vector.chunk, which holds only the latest state of each id. One open version (valid_to_utc
-- null) per current chunk; a check stands in for the key.
create table if not exists vector.chunk_version (
    chunk_id varchar not null,
    valid_from_utc timestamp not null,
    valid_to_utc timestamp,
    source_id varchar not null,
    content_sha256 varchar not null,
    text_sha256 varchar not null,
    extractor varchar not null,
    extractor_version varchar not null,
    policy_version varchar not null,
    run_id uuid not null
);

-- A policy's version means one set of parameters for ever.
create table if not exists vector.chunk_policy (
    policy_version varchar primary key,
    policy_json varchar not null,
    created_utc timestamp not null
);

-- Failed in a way a retry will not fix. item_version tells two states of one item apart.
create table if not exists vector.quarantine (
    item_type varchar not null check (item_type in ('line', 'record', 'chunk')),
    item_id varchar not null,
    item_version varchar not null default '',
    scope varchar not null default '', -- the embedding space, where the item failed in one only
    stage varchar not null,
    reason varchar not null,
    attempt_count integer not null default 1,
    run_id uuid not null,
    first_failed_utc timestamp not null,
    last_failed_utc timestamp not null,
    released_utc timestamp, -- set by a retry or a success; a row that has it is history
    primary key (item_type, item_id, item_version, scope)
);

-- Files that `ingest` has read to the end, so that an unchanged one costs a stat call.
create table if not exists vector.ingest_file (
    path varchar primary key,
    size_bytes bigint not null,
    modified_ns bigint not null,
    record_count bigint not null,
    rejected_count bigint not null,
    run_id uuid,
    loaded_utc timestamp not null
);
