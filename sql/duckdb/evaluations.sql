-- Evaluations of retrieval, and what judgements can name.

-- name: insert_evaluation
insert into vector.retrieval_evaluation (
    evaluation_id, embedding_space_id, run_id, collection, collection_sha256, judged, method, top_k, query_count,
    skipped_count, unknown_count, chunk_count, ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10, map_at_100,
    is_winner, evaluated_utc
)
select
    :evaluation_id, :embedding_space_id, :run_id, :collection, :collection_sha256, :judged, :method, :top_k,
    :query_count, :skipped_count, :unknown_count, :chunk_count, :ndcg_at_10, :recall_at_10, :recall_at_100,
    :mrr_at_10, :map_at_100, false, :now
where not exists (select 1 from vector.retrieval_evaluation where evaluation_id = :evaluation_id);

-- name: insert_evaluation_queries
insert into vector.retrieval_evaluation_query (
    evaluation_id, ordinal, query_id, ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10, map_at_100
)
select
    :evaluation_id, s.ordinal, s.query_id, s.ndcg_at_10, s.recall_at_10, s.recall_at_100, s.mrr_at_10, s.map_at_100
from staged_evaluation_queries s
where not exists (
    select 1 from vector.retrieval_evaluation_query q where q.evaluation_id = :evaluation_id and q.ordinal = s.ordinal
);

-- name: update_evaluation_winner
-- Of a space one evaluation is marked, and no other.
update vector.retrieval_evaluation
set is_winner = evaluation_id = :evaluation_id
where embedding_space_id = :embedding_space_id
    and is_winner <> (evaluation_id = :evaluation_id);

-- name: update_evaluation_chunk_count
update vector.retrieval_evaluation
set chunk_count = :chunk_count
where evaluation_id = :evaluation_id and chunk_count <> :chunk_count;

-- name: list_evaluations
select
    evaluation_id, embedding_space_id, run_id, collection, collection_sha256, judged, method, top_k, query_count,
    skipped_count, unknown_count, chunk_count, ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10, map_at_100,
    is_winner, evaluated_utc
from vector.retrieval_evaluation
where coalesce(:collection, collection) = collection
order by evaluated_utc desc, evaluation_id;

-- name: list_evaluation_queries
select query_id, ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10, map_at_100
from vector.retrieval_evaluation_query
where evaluation_id = :evaluation_id
order by ordinal;

-- name: list_searchable_sources
select distinct source_id
from vector.chunk
where retired_utc is null and source_id in (select unnest(:source_ids));

-- name: list_searchable_chunks
select chunk_id
from vector.chunk
where retired_utc is null and chunk_id in (select unnest(:chunk_ids));

-- name: count_chunk_changes
-- Chunks that came, changed or went since a space was evaluated last.
with evaluated as (
    select max(r.started_utc) as began
    from vector.run r
    join vector.job j on j.job_id = r.job_id
    where j.job_type = 'RETRIEVE_TEST' and r.status = 'SUCCEEDED' and r.embedding_space_id = :embedding_space_id
)
select count(*) as n
from vector.chunk_version v
cross join evaluated e
where v.valid_from_utc > e.began or v.valid_to_utc > e.began;
