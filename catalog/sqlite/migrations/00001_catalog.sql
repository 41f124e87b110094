-- Times are microseconds since 1970 in UTC, 0 for none. IDs are never reused
-- (AUTOINCREMENT): log files and hidden refs outlive their rows.

-- +goose Up
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    admin         INTEGER NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL UNIQUE,
    public_key  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX keys_by_user ON keys (user_id);

CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE,
    scope      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id);

CREATE TABLE namespaces (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT    NOT NULL UNIQUE COLLATE NOCASE
) STRICT;

CREATE TABLE members (
    namespace_id INTEGER NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    user_id      INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    role         INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE images (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id INTEGER NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    name         TEXT    NOT NULL COLLATE NOCASE,
    owner_id     INTEGER REFERENCES users,
    created_at   INTEGER NOT NULL,
    UNIQUE (namespace_id, name)
) STRICT;
CREATE INDEX images_newest ON images (namespace_id);

CREATE TABLE versions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    image_id     INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state <> 'BUILT' OR digest <> ''),
    trigger_kind TEXT    NOT NULL,
    commit_id    TEXT    NOT NULL,
    digest       TEXT    NOT NULL DEFAULT '',
    size         INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    UNIQUE (image_id, name)
) STRICT;
CREATE INDEX versions_newest ON versions (image_id);
CREATE INDEX versions_by_state ON versions (image_id, state);

CREATE TABLE builds (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id   INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    number       INTEGER NOT NULL,
    trigger_kind TEXT    NOT NULL,
    commit_id    TEXT    NOT NULL,
    user_id      INTEGER REFERENCES users,
    options      TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    outcome      TEXT    NOT NULL DEFAULT '',
    message      TEXT    NOT NULL DEFAULT '',
    attempts     INTEGER NOT NULL DEFAULT 0,
    cancelled    INTEGER NOT NULL DEFAULT 0,
    queued_at    INTEGER NOT NULL,
    started_at   INTEGER NOT NULL DEFAULT 0,
    ended_at     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX builds_by_version ON builds (version_id);

-- queue holds a row for every build that waits or runs, and no other, so that
-- the history's size never matters to a worker.
CREATE TABLE queue (
    build_id     INTEGER PRIMARY KEY REFERENCES builds ON DELETE CASCADE,
    version_id   INTEGER NOT NULL UNIQUE REFERENCES versions ON DELETE CASCADE,
    namespace_id INTEGER NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    running      INTEGER NOT NULL DEFAULT 0, -- 1: leased by owner until lease_until
    not_before   INTEGER NOT NULL DEFAULT 0,
    owner        TEXT    NOT NULL DEFAULT '',
    lease_until  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX queue_by_namespace ON queue (running, namespace_id, not_before);
CREATE INDEX queue_by_time ON queue (running, not_before);

CREATE TABLE steps (
    build_id   INTEGER NOT NULL REFERENCES builds ON DELETE CASCADE,
    ordinal    INTEGER NOT NULL,
    digest     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    cached     INTEGER NOT NULL,
    error      TEXT    NOT NULL,
    PRIMARY KEY (build_id, ordinal)
) STRICT, WITHOUT ROWID;
