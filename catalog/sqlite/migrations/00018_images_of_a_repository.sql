-- +goose Up
-- source_id is the image whose git repository an image is built from; NULL: its own.
ALTER TABLE images ADD COLUMN source_id INTEGER REFERENCES images;
CREATE INDEX images_by_source ON images (source_id);

-- tag is the git tag of a version, in the repository that its image is built from.
ALTER TABLE versions ADD COLUMN tag TEXT NOT NULL DEFAULT '';
UPDATE versions SET tag = name;
CREATE INDEX versions_by_tag ON versions (image_id, tag);

-- tags are those that go with a version, or with an image that has no repository of its own, from the repository of source.
ALTER TABLE removals ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE removals ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
UPDATE removals SET source = image, tags = json_array(json_object('name', version, 'commit', commit_id)) WHERE version <> '' AND commit_id <> '';
ALTER TABLE removals DROP COLUMN commit_id;
