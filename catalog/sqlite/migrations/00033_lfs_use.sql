-- +goose Up
-- used_at is when a client last sent the object, or was told that it need not be sent. Nothing is known of those that are there.
ALTER TABLE lfs_objects ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
UPDATE lfs_objects SET used_at = unixepoch() * 1000000;
