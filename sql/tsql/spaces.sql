-- name: insert_space
-- The id is derived from the identity, so a space that is registered already is left alone.
insert into vector.embedding_space (
    embedding_space_id, provider, model_name, model_tag, model_digest, dimensions, normalize_flag, distance_metric,
    preprocess_policy_json, transform_ref, description, is_active, created_utc
)
select
    :embedding_space_id, :provider, :model_name, :model_tag, :model_digest, :dimensions, :normalize_flag,
    :distance_metric, :preprocess_policy_json, :transform_ref, :description, 1, :now
where not exists (
    select 1
    from vector.embedding_space as p with (updlock, holdlock)
    where p.embedding_space_id = :embedding_space_id
        or (
            p.provider = :provider
            and p.model_name = :model_name
            and p.model_tag = :model_tag
            and p.model_digest = :model_digest
            and p.dimensions = :dimensions
        )
);

-- name: list_spaces
-- Those of other programs are left alone: they have no digest, and so name no model that could fill them.
select
    embedding_space_id, provider, model_name, model_tag, model_digest, dimensions, normalize_flag, distance_metric,
    preprocess_policy_json, transform_ref, description, is_active
from vector.embedding_space
where model_tag is not null and model_digest is not null
order by created_utc, embedding_space_id;

-- name: update_space_activity
update vector.embedding_space
set is_active = :is_active, activated_utc = case when :is_active = 1 then :now else activated_utc end
where embedding_space_id = :embedding_space_id and is_active <> :is_active;

-- name: list_activations
-- Those that were inactive in between.
select embedding_space_id, activated_utc
from vector.embedding_space
where activated_utc is not null;
