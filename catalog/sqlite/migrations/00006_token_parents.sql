-- +goose Up
-- A token that was made by another ends with it.
ALTER TABLE tokens ADD COLUMN parent_id INTEGER REFERENCES tokens ON DELETE CASCADE;
CREATE INDEX tokens_by_parent ON tokens (parent_id);
