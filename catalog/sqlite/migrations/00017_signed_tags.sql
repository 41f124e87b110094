-- +goose Up
-- The tag of whose commit a build is: the annotated tag's object, '' of a lightweight tag or of no tag of git's; and what is
-- known of its signature, JSON.
ALTER TABLE builds ADD COLUMN tag_id TEXT NOT NULL DEFAULT '';
ALTER TABLE builds ADD COLUMN signature TEXT NOT NULL DEFAULT '{}';
-- 1: only versions of tags that a member signed.
ALTER TABLE images ADD COLUMN signed_tags INTEGER NOT NULL DEFAULT 0;
-- Keys of OpenPGP sign tags alone. key_ids are those of its parts, with blanks between them.
ALTER TABLE keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'ssh';
ALTER TABLE keys ADD COLUMN key_ids TEXT NOT NULL DEFAULT '';
