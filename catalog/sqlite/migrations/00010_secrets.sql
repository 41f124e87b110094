-- +goose Up
-- secrets are what builds are given: values, SSH keys, and passwords at other registries.
CREATE TABLE secrets (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id INTEGER REFERENCES namespaces ON DELETE CASCADE, -- NULL: of the whole installation
    image_id     INTEGER REFERENCES images ON DELETE CASCADE,     -- NULL: for every image
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    tags         TEXT    NOT NULL,
    username     TEXT    NOT NULL,
    sealed       BLOB    NOT NULL,
    user_id      INTEGER REFERENCES users ON DELETE SET NULL,
    set_at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX secrets_by_owner ON secrets (coalesce(namespace_id, 0), kind, name, coalesce(image_id, 0), tags);
CREATE INDEX secrets_by_namespace ON secrets (namespace_id);
CREATE INDEX secrets_by_image ON secrets (image_id);
CREATE INDEX secrets_by_user ON secrets (user_id);

-- account_hosts are registries that were ever used with an account: what was pulled from them stays in the build cache.
CREATE TABLE account_hosts (
    host TEXT NOT NULL PRIMARY KEY -- without a port
) STRICT, WITHOUT ROWID;
