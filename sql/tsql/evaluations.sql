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
    :mrr_at_10, :map_at_100, cast(0 as bit), :now
where not exists (select 1 from vector.retrieval_evaluation where evaluation_id = :evaluation_id);

-- name: insert_evaluation_queries
insert into vector.retrieval_evaluation_query (
    evaluation_id, ordinal, query_id, ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10, map_at_100
)
select
    :evaluation_id, s.ordinal, s.query_id, s.ndcg_at_10, s.recall_at_10, s.recall_at_100, s.mrr_at_10, s.map_at_100
from #staged_evaluation_queries as s
where not exists (
    select 1 from vector.retrieval_evaluation_query as q where q.evaluation_id = :evaluation_id and q.ordinal = s.ordinal
);

-- name: update_evaluation_winner
-- Of a space one evaluation is marked, and no other.
update vector.retrieval_evaluation
set is_winner = case when evaluation_id = :evaluation_id then cast(1 as bit) else cast(0 as bit) end
where embedding_space_id = :embedding_space_id
    and is_winner <> case when evaluation_id = :evaluation_id then cast(1 as bit) else cast(0 as bit) end;

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
where retired_utc is null and text_sha256 is not null and source_id in (
    select value from openjson(cast(:source_ids as nvarchar(max))) with (value nvarchar(256) '$')
);

-- name: list_searchable_chunks
select chunk_id
from vector.chunk
where retired_utc is null and text_sha256 is not null and chunk_id in (
    select value from openjson(cast(:chunk_ids as nvarchar(max))) with (value nvarchar(128) '$')
);

-- name: count_changes_since_evaluation
-- Of what a way of ranking searches: chunks that came, changed or went, and vectors of the space that were made or
-- replaced, since it was last evaluated on a collection; all of them where nothing tells when that was.
with evaluated as (
    select max(r.started_utc) as began
    from vector.run as r
    join vector.job as j on j.job_id = r.job_id
    where j.job_type = N'RETRIEVE_TEST'
        and r.status = N'SUCCEEDED'
        and r.embedding_space_id = :embedding_space_id
        and case when isjson(r.options_json) = 1 then json_value(r.options_json, '$.sha256') end = :collection_sha256
        and case when isjson(r.options_json) = 1 then json_query(r.options_json, '$.methods') end
            like concat(N'%"', :method, N'"%')
),

changed as (
    select count_big(*) as n
    from vector.chunk_version as v
    cross join evaluated as e
    where e.began is null or v.valid_from_utc > e.began or v.valid_to_utc > e.began
),

embedded as (
    select count_big(*) as n
    from vector.embedding as m
    join vector.run as r on r.run_id = m.run_id
    cross join evaluated as e
    where m.embedding_space_id = :embedding_space_id
        and (e.began is null or r.completed_utc is null or r.completed_utc > e.began)
)

select c.n + m.n as n
from changed as c
cross join embedded as m;
