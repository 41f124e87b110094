-- +goose Up
-- Of member.changed: whose role, and which it is now.
ALTER TABLE events ADD COLUMN member TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN role INTEGER NOT NULL DEFAULT 0;
