-- When a space was last made active again; null while it has been active since it was registered.

if col_length(N'vector.embedding_space', N'activated_utc') is null
    alter table vector.embedding_space add activated_utc datetime2(7) null;
GO
