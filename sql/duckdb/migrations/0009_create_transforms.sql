-- How the vectors of a derived space are made of those of another. The artefact is all that is needed to apply it;
-- what it was fitted on is in sample_json.

create table if not exists vector.transform (
    embedding_space_id uuid primary key references vector.embedding_space (embedding_space_id),
    source_space_id uuid not null references vector.embedding_space (embedding_space_id),
    transform_ref varchar not null,
    kind varchar not null,
    parameters_json varchar not null,
    artefact blob not null,
    artefact_sha256 varchar not null,
    sample_json varchar not null,
    created_utc timestamp not null
);
