-- name: insert_canary
insert into vector.canary (
    canary_id, embedding_space_id, repeatability, runtime_json, recorded_utc, completed_utc
)
select :canary_id, :embedding_space_id, :repeatability, :runtime_json, :now, :completed_utc
where not exists (select 1 from vector.canary where canary_id = :canary_id);

-- name: insert_anchors
insert into vector.anchor (canary_id, anchor_sha256, kind, content, vector, vector_sha256)
select :canary_id, s.anchor_sha256, s.kind, s.content, s.vector, s.vector_sha256
from staged_anchors s
where not exists (
    select 1 from vector.anchor a where a.canary_id = :canary_id and a.anchor_sha256 = s.anchor_sha256
);

-- name: get_canary
-- The newest of a space.
select canary_id, repeatability, runtime_json, recorded_utc, completed_utc
from vector.canary
where embedding_space_id = :embedding_space_id
order by recorded_utc desc, canary_id
limit 1;

-- name: list_canaries
-- The newest first.
select canary_id, repeatability, runtime_json, recorded_utc, completed_utc
from vector.canary
where embedding_space_id = :embedding_space_id
order by recorded_utc desc, canary_id;

-- name: list_anchors
select kind, content, vector
from vector.anchor
where canary_id = :canary_id
order by anchor_sha256;

-- name: update_canary_completed
update vector.canary
set completed_utc = :now
where canary_id = :canary_id and completed_utc is null;
