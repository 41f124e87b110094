-- +goose Up
-- A repository keeps its number on GitHub when it is renamed. 0: not known yet.
ALTER TABLE connections ADD COLUMN repository_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN former TEXT NOT NULL DEFAULT '';
CREATE INDEX connections_by_repository_id ON connections (repository_id);
