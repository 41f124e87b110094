-- +goose Up
-- retention_rules say which versions of an image, or of a namespace's images, stay.
CREATE TABLE retention_rules (
    namespace_id INTEGER NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    image_id     INTEGER REFERENCES images ON DELETE CASCADE, -- NULL: all of the namespace
    kind         TEXT    NOT NULL,
    keep_last    INTEGER NOT NULL,
    keep_days    INTEGER NOT NULL,
    keep         TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX retention_rules_by_owner ON retention_rules (namespace_id, coalesce(image_id, 0), kind);
CREATE INDEX retention_rules_by_image ON retention_rules (image_id);

-- tombstones keep the names of built versions that were deleted.
CREATE TABLE tombstones (
    image_id  INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    version   TEXT    NOT NULL,
    commit_id TEXT    NOT NULL,
    digest    TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (image_id, version)
) STRICT, WITHOUT ROWID;

-- bases are the manifests that built versions were made from. Of versions that were attested before this migration, they are
-- known to their provenance alone.
CREATE TABLE bases (
    version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    digest     TEXT    NOT NULL,
    PRIMARY KEY (version_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX bases_by_digest ON bases (digest);
INSERT OR IGNORE INTO bases SELECT builds.version_id, json_extract(base.value, '$.Digest')
    FROM attestations JOIN builds ON builds.id = attestations.build_id, json_each(attestations.facts, '$.bases') base
    WHERE json_extract(base.value, '$.Digest') <> '';

ALTER TABLE builds ADD COLUMN log_removed_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX builds_with_logs ON builds (ended_at) WHERE log_removed_at = 0 AND trigger_kind <> 'registry'; -- images that are pushed have none

-- kept are the objects of hidden refs that go with a version.
ALTER TABLE removals ADD COLUMN kept TEXT NOT NULL DEFAULT '[]';
