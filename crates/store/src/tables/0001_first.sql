-- Names are kept as first given; *_key columns hold them lower-cased, since ARM compares without case.
-- Times are milliseconds since the Unix epoch. Uids grow with creation order.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE resource_groups (
    uid              INTEGER PRIMARY KEY,
    subscription     TEXT NOT NULL,
    subscription_key TEXT NOT NULL,
    name             TEXT NOT NULL,
    name_key         TEXT NOT NULL,
    region           TEXT NOT NULL,
    tags             TEXT NOT NULL,
    provisioning     TEXT NOT NULL,
    provisioning_since INTEGER NOT NULL,
    UNIQUE (subscription_key, name_key)
) STRICT;

CREATE TABLE workspaces (
    uid                INTEGER PRIMARY KEY,
    group_uid          INTEGER NOT NULL REFERENCES resource_groups (uid),
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL,
    region             TEXT NOT NULL,
    tags               TEXT NOT NULL,
    created            INTEGER NOT NULL,
    modified           INTEGER NOT NULL,
    revision           INTEGER NOT NULL,
    provisioning       TEXT NOT NULL,
    provisioning_since INTEGER NOT NULL,
    UNIQUE (group_uid, name_key)
) STRICT;
CREATE INDEX workspaces_in_group ON workspaces (group_uid, uid);

CREATE TABLE experiments (
    uid                INTEGER PRIMARY KEY,
    workspace_uid      INTEGER NOT NULL REFERENCES workspaces (uid),
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL,
    created            INTEGER NOT NULL,
    modified           INTEGER NOT NULL,
    revision           INTEGER NOT NULL,
    provisioning       TEXT NOT NULL,
    provisioning_since INTEGER NOT NULL,
    UNIQUE (workspace_uid, name_key)
) STRICT;
CREATE INDEX experiments_in_workspace ON experiments (workspace_uid, uid);

CREATE TABLE file_servers (
    uid                INTEGER PRIMARY KEY,
    workspace_uid      INTEGER NOT NULL REFERENCES workspaces (uid),
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL,
    created            INTEGER NOT NULL,
    modified           INTEGER NOT NULL,
    revision           INTEGER NOT NULL,
    provisioning       TEXT NOT NULL,
    provisioning_since INTEGER NOT NULL,
    spec               TEXT NOT NULL,
    sealed             BLOB,
    mount_settings     TEXT,
    UNIQUE (workspace_uid, name_key)
) STRICT;
CREATE INDEX file_servers_in_workspace ON file_servers (workspace_uid, uid);

CREATE TABLE clusters (
    uid                INTEGER PRIMARY KEY,
    workspace_uid      INTEGER NOT NULL REFERENCES workspaces (uid),
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL,
    created            INTEGER NOT NULL,
    modified           INTEGER NOT NULL,
    revision           INTEGER NOT NULL,
    provisioning       TEXT NOT NULL,
    provisioning_since INTEGER NOT NULL,
    spec               TEXT NOT NULL,
    sealed             BLOB,
    status             TEXT NOT NULL,
    -- When the reconciler has to look at it: 0 is now, NULL is when something changes.
    look_at            INTEGER,
    UNIQUE (workspace_uid, name_key)
) STRICT;
CREATE INDEX clusters_in_workspace ON clusters (workspace_uid, uid);
CREATE INDEX clusters_to_look_at ON clusters (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE nodes (
    uid         INTEGER PRIMARY KEY,
    cluster_uid INTEGER NOT NULL REFERENCES clusters (uid),
    name        TEXT NOT NULL,
    address     TEXT NOT NULL UNIQUE,
    status      TEXT NOT NULL
) STRICT;
CREATE INDEX nodes_in_cluster ON nodes (cluster_uid, uid);

-- A job outlives its cluster, so cluster_uid refers to nothing the database checks.
CREATE TABLE jobs (
    uid                INTEGER PRIMARY KEY,
    experiment_uid     INTEGER NOT NULL REFERENCES experiments (uid),
    cluster_uid        INTEGER NOT NULL,
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL,
    created            INTEGER NOT NULL,
    modified           INTEGER NOT NULL,
    revision           INTEGER NOT NULL,
    provisioning       TEXT NOT NULL,
    provisioning_since INTEGER NOT NULL,
    spec               TEXT NOT NULL,
    sealed             BLOB,
    status             TEXT NOT NULL,
    -- Copies of members of spec and status for the indexes below.
    priority           INTEGER NOT NULL,
    node_count         INTEGER NOT NULL,
    state              TEXT NOT NULL,
    -- 1 while its attempt is wanted stopped and something of it may be left.
    stopping           INTEGER NOT NULL,
    UNIQUE (experiment_uid, name_key)
) STRICT;
CREATE INDEX jobs_in_experiment ON jobs (experiment_uid, uid);
-- The waiting line of each cluster.
CREATE INDEX jobs_in_line ON jobs (cluster_uid, priority DESC, uid, node_count) WHERE state = 'queued';
-- Jobs that hold nodes; as many as there are nodes, at most.
CREATE INDEX jobs_on_nodes ON jobs (cluster_uid, uid) WHERE state IN ('running', 'terminating');
CREATE INDEX jobs_to_stop ON jobs (cluster_uid, uid) WHERE stopping = 1;
CREATE INDEX jobs_to_delete ON jobs (experiment_uid, uid) WHERE provisioning <> 'deleting';

CREATE INDEX groups_to_delete ON resource_groups (uid) WHERE provisioning = 'deleting';
CREATE INDEX workspaces_to_delete ON workspaces (uid) WHERE provisioning = 'deleting';
CREATE INDEX experiments_to_delete ON experiments (uid) WHERE provisioning = 'deleting';

-- Jobs per experiment and state, kept in the transaction that changes a job.
CREATE TABLE job_counts (
    experiment_uid INTEGER NOT NULL,
    state          TEXT NOT NULL,
    jobs           INTEGER NOT NULL,
    PRIMARY KEY (experiment_uid, state)
) WITHOUT ROWID, STRICT;

CREATE TRIGGER jobs_counted AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts VALUES (NEW.experiment_uid, NEW.state, 1)
        ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER jobs_recounted AFTER UPDATE OF state ON jobs WHEN NEW.state <> OLD.state BEGIN
    UPDATE job_counts SET jobs = jobs - 1 WHERE experiment_uid = OLD.experiment_uid AND state = OLD.state;
    INSERT INTO job_counts VALUES (NEW.experiment_uid, NEW.state, 1)
        ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER jobs_uncounted AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET jobs = jobs - 1 WHERE experiment_uid = OLD.experiment_uid AND state = OLD.state;
END;

CREATE TABLE operations (
    id           TEXT PRIMARY KEY,
    subscription TEXT NOT NULL,
    region       TEXT NOT NULL,
    -- What it waits for: 'deleted' or 'ended', of the resource with this uid.
    goal         TEXT NOT NULL,
    target       INTEGER NOT NULL,
    resource     TEXT NOT NULL,
    status       TEXT NOT NULL,
    started      INTEGER NOT NULL,
    ended        INTEGER,
    deadline     INTEGER NOT NULL,
    error        TEXT
) WITHOUT ROWID, STRICT;
CREATE INDEX operations_open ON operations (target) WHERE status = 'InProgress';
CREATE INDEX operations_due ON operations (deadline) WHERE status = 'InProgress';
CREATE INDEX operations_over ON operations (ended) WHERE ended IS NOT NULL;

CREATE TABLE events (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    time    INTEGER NOT NULL,
    caller  TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    request TEXT,
    detail  TEXT
) STRICT;

CREATE TABLE tokens (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    hash    BLOB NOT NULL UNIQUE,
    role    TEXT NOT NULL,
    scope   TEXT NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
