-- How well a space and a way of ranking found what people judged right, as often as that changed; and each query's part.

create table if not exists vector.retrieval_evaluation (
    evaluation_id uuid primary key,
    embedding_space_id uuid not null references vector.embedding_space (embedding_space_id),
    run_id uuid not null references vector.run (run_id),
    collection varchar not null,
    collection_sha256 varchar not null,
    judged varchar not null, -- what the judgements are of: corpus, sources or chunks
    method varchar not null,
    top_k integer not null,
    query_count integer not null,
    skipped_count integer not null, -- queries for which nothing there is relevant
    unknown_count integer not null, -- judgements of what is not there
    chunk_count bigint not null, -- that were searched
    ndcg_at_10 double not null,
    recall_at_10 double not null,
    recall_at_100 double not null,
    mrr_at_10 double not null,
    map_at_100 double not null,
    is_winner boolean not null, -- of the methods, for this space and collection
    evaluated_utc timestamp not null
);

create table if not exists vector.retrieval_evaluation_query (
    evaluation_id uuid not null,
    ordinal integer not null,
    query_id varchar not null,
    ndcg_at_10 double not null,
    recall_at_10 double not null,
    recall_at_100 double not null,
    mrr_at_10 double not null,
    map_at_100 double not null,
    primary key (evaluation_id, ordinal)
);
