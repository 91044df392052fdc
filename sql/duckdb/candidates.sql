-- Through the view `vector.vw_source_candidates`, which says what its columns mean.

-- name: count_source_candidates
select state, count(*) as n
from vector.vw_source_candidates
group by state
order by state;
