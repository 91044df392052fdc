-- Through the view `vector.vw_source_candidates`, which says what its columns mean.

-- name: count_source_candidates
select state, count(*) as n
from vector.vw_source_candidates
group by state
order by state;

-- name: list_source_candidates
select source_id, source_system, source_name, resource_type, resource_id, title, state, reason
from vector.vw_source_candidates
where :state is null or state = :state
order by source_system, source_name, resource_id, source_id
limit :limit;
