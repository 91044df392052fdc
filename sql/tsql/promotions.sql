-- name: list_promotions
select alias, ordinal, promotion_id, embedding_space_id, promoted_utc, rolled_back_utc
from vector.space_promotion
order by alias, ordinal;

-- name: insert_promotion
insert into vector.space_promotion (alias, ordinal, promotion_id, embedding_space_id, promoted_utc)
select :alias, :ordinal, :promotion_id, :embedding_space_id, :now
where not exists (select 1 from vector.space_promotion where promotion_id = :promotion_id);

-- name: update_promotion_rolled_back
update vector.space_promotion
set rolled_back_utc = :now
where promotion_id = :promotion_id and rolled_back_utc is null;
