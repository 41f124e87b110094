-- +goose Up
-- People search by a commit or a digest, or by how it begins.
CREATE INDEX versions_by_commit ON versions (commit_id) WHERE commit_id <> '';
CREATE INDEX versions_by_digest ON versions (digest) WHERE digest <> '';
-- A page names a build by its number.
CREATE INDEX builds_by_number ON builds (version_id, number);
-- Administrators narrow the audit log.
CREATE INDEX audit_via ON audit (via, id);
ALTER TABLE audit ADD COLUMN image TEXT COLLATE NOCASE AS (about ->> 'image') VIRTUAL;
CREATE INDEX audit_image ON audit (image, id) WHERE image IS NOT NULL;
