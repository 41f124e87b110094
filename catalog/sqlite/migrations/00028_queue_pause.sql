-- +goose Up
-- queue_pause has a row while the queue is paused.
CREATE TABLE queue_pause (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    who    TEXT    NOT NULL,
    since  INTEGER NOT NULL,
    reason TEXT    NOT NULL
) STRICT;
