-- +goose Up
-- Whose job it is: namespaces take turns.
ALTER TABLE jobs ADD COLUMN namespace_id INTEGER NOT NULL DEFAULT 0;
DROP INDEX jobs_to_do;
CREATE INDEX jobs_to_do ON jobs (kind, namespace_id, not_before) WHERE state = 'waiting';
CREATE INDEX jobs_next ON jobs (kind, not_before) WHERE state = 'waiting';
CREATE INDEX jobs_of_running ON jobs (kind, namespace_id) WHERE state = 'running';
