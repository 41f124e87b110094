-- +goose Up
-- When a build of the namespace was last claimed.
ALTER TABLE namespaces ADD COLUMN served_at INTEGER NOT NULL DEFAULT 0;
