-- Drift: named, immutable lists of what a space held, and reports of how far contents, models and spaces moved.

create table if not exists vector.drift_snapshot (
    snapshot_id uuid primary key,
    embedding_space_id uuid not null,
    name varchar not null,
    document_count bigint not null,
    chunk_count bigint not null,
    membership_sha256 varchar not null, -- of `chunk_id:content_sha256` and a line feed for each, by chunk id
    created_utc timestamp not null,
    unique (embedding_space_id, name)
);

-- One per chunk of a snapshot. No key: its index would be kept in memory, and a snapshot is written once, whole.
create table if not exists vector.drift_snapshot_chunk (
    snapshot_id uuid not null,
    chunk_id varchar not null,
    content_sha256 varchar not null
);

create table if not exists vector.drift_report (
    report_id uuid primary key,
    run_id uuid not null,
    kind varchar not null check (kind in ('content', 'model', 'spaces')),
    embedding_space_id uuid not null,
    other_space_id uuid, -- what it is compared with, where that is another space
    verdict varchar not null check (verdict in ('ok', 'watch', 'alert')), -- the gravest of its judgements
    reference_json varchar not null,
    current_json varchar not null,
    judgements_json varchar not null,
    parameters_json varchar not null,
    pictures_json varchar not null,
    seed bigint not null,
    created_utc timestamp not null
);

create table if not exists vector.drift_metric (
    report_id uuid not null,
    ordinal integer not null,
    name varchar not null,
    effect double, -- null: it could not be had
    missing varchar not null, -- why
    statistic double,
    p double,
    p_adjusted double, -- after Benjamini and Hochberg, over all that the report tested
    watch_floor double,
    alert_floor double,
    is_calibrated boolean, -- the floors come from the reference itself
    verdict varchar check (verdict in ('ok', 'watch', 'alert')), -- null: context, not judged
    reference_value double,
    current_value double,
    explanation varchar not null,
    details_json varchar not null,
    primary key (report_id, ordinal)
);
