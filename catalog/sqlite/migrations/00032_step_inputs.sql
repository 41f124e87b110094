-- +goose Up
-- number is the step's in the log; inputs are the ordinals of the steps that it needs, with blanks between them.
ALTER TABLE steps ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE steps ADD COLUMN inputs TEXT NOT NULL DEFAULT '';
