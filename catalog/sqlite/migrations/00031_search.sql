-- +goose Up
-- People search by a commit or a digest, or by how it begins.
CREATE INDEX versions_by_commit ON versions (commit_id) WHERE commit_id <> '';
CREATE INDEX versions_by_digest ON versions (digest) WHERE digest <> '';
-- A page names a build by its number.
CREATE INDEX builds_by_number ON builds (version_id, number);
