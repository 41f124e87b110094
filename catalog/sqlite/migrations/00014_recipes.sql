-- +goose Up
-- recipe names all that a built version was made from; empty: that is not known.
ALTER TABLE versions ADD COLUMN recipe TEXT NOT NULL DEFAULT '';
CREATE INDEX versions_by_recipe ON versions (image_id, recipe) WHERE recipe <> '';
