-- +goose Up
-- removals are images and versions whose rows are gone and whose files may not be yet.
CREATE TABLE removals (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    image_id  INTEGER NOT NULL, -- of no image, or of the version's
    namespace TEXT    NOT NULL,
    image     TEXT    NOT NULL COLLATE NOCASE,
    version   TEXT    NOT NULL, -- '': the whole image
    commit_id TEXT    NOT NULL,
    digest    TEXT    NOT NULL,
    builds    TEXT    NOT NULL, -- their IDs, a JSON list
    UNIQUE (namespace, image, version)
) STRICT;
