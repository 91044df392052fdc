-- Vectors that a re-embedding replaced, or took away because the model rejects the text now.

create table if not exists vector.embedding_replacement (
    run_id uuid not null,
    embedding_id uuid not null,
    chunk_id varchar not null,
    old_vector_sha256 varchar not null,
    new_vector_sha256 varchar, -- null: it was taken away
    replaced_utc timestamp not null,
    primary key (run_id, embedding_id)
);
