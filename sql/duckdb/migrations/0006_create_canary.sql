-- What a space answered to some fixed texts when it was registered. The newest canary of a space counts; older ones are
-- history, kept for comparing models over time.

create table if not exists vector.canary (
    canary_id uuid primary key,
    embedding_space_id uuid not null,
    repeatability double not null, -- the largest relative distance between two answers to one anchor
    runtime_json varchar not null,
    recorded_utc timestamp not null,
    completed_utc timestamp -- null while the vectors of the space are being replaced by those of this model
);

create table if not exists vector.anchor (
    canary_id uuid not null,
    anchor_sha256 varchar not null, -- of its text
    kind varchar not null,
    content varchar not null,
    vector float[] not null,
    vector_sha256 varchar not null,
    primary key (canary_id, anchor_sha256)
);
