-- +goose Up
-- attestations say of which builds there is something to say, until it has been said.
CREATE TABLE attestations (
    build_id INTEGER PRIMARY KEY REFERENCES builds ON DELETE CASCADE,
    facts    TEXT    NOT NULL -- what is known of the build, in JSON
) STRICT;
