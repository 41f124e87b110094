-- +goose Up
-- moves are images that are of another namespace, and whose files are still found by the name that they had.
CREATE TABLE moves (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    image_id  INTEGER NOT NULL UNIQUE REFERENCES images ON DELETE CASCADE,
    namespace TEXT    NOT NULL,
    image     TEXT    NOT NULL COLLATE NOCASE
) STRICT;

-- former_names are names that images had before they were transferred. No other image can have them.
CREATE TABLE former_names (
    namespace_id INTEGER NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    image        TEXT    NOT NULL COLLATE NOCASE,
    image_id     INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    at           INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, image)
) STRICT, WITHOUT ROWID;
CREATE INDEX former_names_by_image ON former_names (image_id);

-- The namespace that a value was sealed for, where that is not its own any more.
ALTER TABLE webhooks ADD COLUMN sealed_for TEXT NOT NULL DEFAULT '';
ALTER TABLE secrets ADD COLUMN sealed_for TEXT NOT NULL DEFAULT '';

-- Of image.transferred: which image it was, and which it is now.
ALTER TABLE events ADD COLUMN from_image TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN to_image TEXT NOT NULL DEFAULT '';
