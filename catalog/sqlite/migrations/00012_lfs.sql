-- +goose Up
-- lfs_objects says which Git LFS objects an image has. Their contents are blobs of the registry,
-- which stay while a row names them.
CREATE TABLE lfs_objects (
    image_id INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    oid      TEXT    NOT NULL, -- hex SHA-256 of the content
    size     INTEGER NOT NULL,
    blob     TEXT    NOT NULL, -- as git would name the content
    PRIMARY KEY (image_id, oid)
) STRICT, WITHOUT ROWID;

CREATE TABLE lfs_locks (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    image_id  INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    path      TEXT    NOT NULL,
    owner_id  INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    locked_at INTEGER NOT NULL,
    UNIQUE (image_id, path)
) STRICT;
CREATE INDEX lfs_locks_by_owner ON lfs_locks (owner_id);
CREATE INDEX lfs_locks_newest ON lfs_locks (image_id);
