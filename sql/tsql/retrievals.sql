-- The log of searches: what was asked and how, and what was found.

-- name: insert_retrieval
insert into vector.retrieval (
    retrieval_id, embedding_space_id, query_text, top_k, filters_json, policy_json, created_utc
)
select :retrieval_id, :embedding_space_id, :query_text, :top_k, :filters_json, :policy_json, :now
where not exists (select 1 from vector.retrieval where retrieval_id = :retrieval_id);

-- name: insert_retrieval_hits
insert into vector.retrieval_hit (retrieval_id, rank, chunk_id, score, metadata_json)
select :retrieval_id, s.rank, s.chunk_id, s.score, s.metadata_json
from #staged_retrieval_hits as s
where not exists (select 1 from vector.retrieval_hit as x where x.retrieval_id = :retrieval_id and x.rank = s.rank);
