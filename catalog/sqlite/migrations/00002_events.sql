-- +goose Up

-- events and jobs stand by themselves: what they tell of may be deleted.
CREATE TABLE events (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    namespace_id INTEGER NOT NULL,
    namespace    TEXT    NOT NULL,
    image_id     INTEGER NOT NULL,
    image        TEXT    NOT NULL,
    version      TEXT    NOT NULL DEFAULT '',
    commit_id    TEXT    NOT NULL DEFAULT '',
    digest       TEXT    NOT NULL DEFAULT '',
    state        TEXT    NOT NULL DEFAULT '',
    build_id     INTEGER NOT NULL DEFAULT 0,
    number       INTEGER NOT NULL DEFAULT 0,
    trigger_kind TEXT    NOT NULL DEFAULT '',
    outcome      TEXT    NOT NULL DEFAULT '',
    message      TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX events_by_namespace ON events (namespace);
CREATE INDEX events_by_time ON events (at);

CREATE TABLE cursors (
    consumer TEXT    NOT NULL PRIMARY KEY,
    event_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    subject     INTEGER NOT NULL,
    payload     BLOB    NOT NULL,
    state       TEXT    NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    not_before  INTEGER NOT NULL,
    owner       TEXT    NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL DEFAULT 0,
    answer      TEXT    NOT NULL DEFAULT '',
    UNIQUE (kind, key)
) STRICT;
CREATE INDEX jobs_to_do ON jobs (kind, not_before) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_by_subject ON jobs (kind, subject);
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE state IN ('done', 'failed');

CREATE TABLE connections (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    image_id   INTEGER NOT NULL UNIQUE REFERENCES images ON DELETE CASCADE,
    user_id    INTEGER REFERENCES users,
    repository TEXT    NOT NULL COLLATE NOCASE,
    tags       TEXT    NOT NULL,
    branches   TEXT    NOT NULL,
    paths      TEXT    NOT NULL,
    context    TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX connections_by_repository ON connections (repository);

CREATE TABLE source_refs (
    connection_id INTEGER NOT NULL REFERENCES connections ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    object        TEXT    NOT NULL,
    commit_id     TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    settled       INTEGER NOT NULL,
    note          TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (connection_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX source_refs_newest ON source_refs (connection_id, at);
CREATE INDEX source_refs_by_commit ON source_refs (connection_id, commit_id);

CREATE TABLE webhooks (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id INTEGER NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    image_id     INTEGER REFERENCES images ON DELETE CASCADE,
    url          TEXT    NOT NULL,
    events       TEXT    NOT NULL,
    sealed       BLOB    NOT NULL,
    user_id      INTEGER REFERENCES users,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX webhooks_by_owner ON webhooks (namespace_id, coalesce(image_id, 0), url);
