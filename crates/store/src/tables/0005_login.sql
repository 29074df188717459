-- The port at which people log in to a node. It stays the node's over restarts, and goes with it.
CREATE TABLE logins (
    node_uid INTEGER PRIMARY KEY REFERENCES nodes (uid) ON DELETE CASCADE,
    port     INTEGER NOT NULL UNIQUE
) STRICT;
