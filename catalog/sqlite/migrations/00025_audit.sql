-- +goose Up
-- audit is the audit log, but for logins.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    via    TEXT    NOT NULL, -- the interface
    who    TEXT    NOT NULL COLLATE NOCASE,
    source TEXT    NOT NULL, -- the client's address
    what   TEXT    NOT NULL,
    about  TEXT    NOT NULL  -- a JSON object of texts
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_who ON audit (who, id);
