-- +goose Up
-- version_blobs are what built versions need of the registry, with the bytes that each takes on disk.
CREATE TABLE version_blobs (
    image_id   INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    digest     TEXT    NOT NULL,
    version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    size       INTEGER NOT NULL,
    PRIMARY KEY (image_id, digest, version_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_blobs_by_version ON version_blobs (version_id);
-- 1: its version_blobs are known.
ALTER TABLE versions ADD COLUMN measured INTEGER NOT NULL DEFAULT 0;
CREATE INDEX versions_unmeasured ON versions (image_id) WHERE state = 'BUILT' AND measured = 0;

-- What a namespace may have; 0: as all, -1: no quota.
ALTER TABLE namespace_limits ADD COLUMN quota_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespace_limits ADD COLUMN quota_images INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespace_limits ADD COLUMN quota_versions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespace_limits ADD COLUMN quota_builds INTEGER NOT NULL DEFAULT 0;
