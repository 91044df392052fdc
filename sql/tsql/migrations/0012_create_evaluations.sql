-- How well a space and a way of ranking found what people judged right, as often as that changed; and each query's part.

if object_id(N'vector.retrieval_evaluation', N'U') is null
    create table vector.retrieval_evaluation (
        evaluation_id uniqueidentifier not null primary key,
        embedding_space_id uniqueidentifier not null references vector.embedding_space (embedding_space_id),
        run_id uniqueidentifier not null references vector.run (run_id),
        collection nvarchar(100) not null,
        collection_sha256 nvarchar(64) not null,
        judged nvarchar(20) not null, -- what the judgements are of: corpus, sources or chunks
        method nvarchar(100) not null,
        top_k int not null,
        query_count int not null,
        skipped_count int not null, -- queries for which nothing there is relevant
        unknown_count int not null, -- judgements of what is not there
        chunk_count bigint not null, -- that were searched
        ndcg_at_10 float not null,
        recall_at_10 float not null,
        recall_at_100 float not null,
        mrr_at_10 float not null,
        map_at_100 float not null,
        is_winner bit not null, -- of the methods, for this space and collection
        evaluated_utc datetime2(7) not null
    );
GO

if object_id(N'vector.retrieval_evaluation_query', N'U') is null
    create table vector.retrieval_evaluation_query (
        evaluation_id uniqueidentifier not null references vector.retrieval_evaluation (evaluation_id),
        ordinal int not null,
        query_id nvarchar(500) not null,
        ndcg_at_10 float not null,
        recall_at_10 float not null,
        recall_at_100 float not null,
        mrr_at_10 float not null,
        map_at_100 float not null,
        primary key (evaluation_id, ordinal)
    );
GO
