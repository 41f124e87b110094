-- +goose Up
-- platform is what a step makes something for, where its build has several; "linux/arm64".
ALTER TABLE steps ADD COLUMN platform TEXT NOT NULL DEFAULT '';
