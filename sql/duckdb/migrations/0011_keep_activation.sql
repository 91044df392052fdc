-- When a space was last made active again; null while it has been active since it was registered.

alter table vector.embedding_space add column if not exists activated_utc timestamp;
