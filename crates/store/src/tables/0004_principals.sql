-- Service principals, and what they sign in with. Nothing here signs anybody in by itself: of secrets only hashes stand.
CREATE TABLE principals (
    app_id  TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    role    TEXT NOT NULL,
    scope   TEXT NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE credentials (
    id      TEXT PRIMARY KEY,
    app_id  TEXT NOT NULL REFERENCES principals (app_id) ON DELETE CASCADE,
    -- 'secret': the client secret. 'identity': the end of the path of a managed identity.
    kind    TEXT NOT NULL,
    hash    BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    -- NULL: never.
    expires INTEGER
) WITHOUT ROWID, STRICT;
CREATE INDEX credentials_of_principal ON credentials (app_id, id);
