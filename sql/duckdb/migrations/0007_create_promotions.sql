-- Which space an alias means: that of its last promotion which was not rolled back.

create table if not exists vector.space_promotion (
    alias varchar not null,
    ordinal integer not null check (ordinal > 0),
    promotion_id uuid not null,
    embedding_space_id uuid not null,
    promoted_utc timestamp not null,
    rolled_back_utc timestamp,
    primary key (alias, ordinal)
);
