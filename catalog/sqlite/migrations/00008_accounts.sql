-- +goose Up
ALTER TABLE users ADD COLUMN disabled_at INTEGER NOT NULL DEFAULT 0;
-- Who made a shared namespace, for there is a limit.
ALTER TABLE namespaces ADD COLUMN creator_id INTEGER REFERENCES users ON DELETE SET NULL;
CREATE INDEX namespaces_by_creator ON namespaces (creator_id);
-- What a user has made, to count it and to leave it to nobody.
CREATE INDEX images_by_owner ON images (owner_id);
CREATE INDEX builds_by_user ON builds (user_id);
CREATE INDEX connections_by_user ON connections (user_id);
CREATE INDEX webhooks_by_user ON webhooks (user_id);

-- audit_lines wait for the daemon, which keeps the audit log.
CREATE TABLE audit_lines (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    at    INTEGER NOT NULL,
    who   TEXT    NOT NULL,
    what  TEXT    NOT NULL,
    about TEXT    NOT NULL -- a JSON object of texts
) STRICT;
