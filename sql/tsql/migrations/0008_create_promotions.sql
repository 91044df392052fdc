-- Which space an alias means: that of its last promotion which was not rolled back.

if object_id(N'vector.space_promotion', N'U') is null
    create table vector.space_promotion (
        alias nvarchar(100) not null,
        ordinal int not null check (ordinal > 0),
        promotion_id uniqueidentifier not null,
        embedding_space_id uniqueidentifier not null references vector.embedding_space (embedding_space_id),
        promoted_utc datetime2(7) not null,
        rolled_back_utc datetime2(7) null,
        primary key (alias, ordinal)
    );
GO
