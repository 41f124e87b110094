-- +goose Up
-- What administrators set for a namespace in place of what all have; 0 is that. cpus, memory, pids, disk, log (bytes) and timeout
-- (microseconds) are of each of its builds; running and waiting are how many there may be.
CREATE TABLE namespace_limits (
    namespace_id INTEGER PRIMARY KEY REFERENCES namespaces ON DELETE CASCADE,
    cpus         REAL    NOT NULL DEFAULT 0,
    memory       INTEGER NOT NULL DEFAULT 0,
    pids         INTEGER NOT NULL DEFAULT 0,
    disk         INTEGER NOT NULL DEFAULT 0,
    log          INTEGER NOT NULL DEFAULT 0,
    timeout      INTEGER NOT NULL DEFAULT 0,
    running      INTEGER NOT NULL DEFAULT 0,
    waiting      INTEGER NOT NULL DEFAULT 0
);
