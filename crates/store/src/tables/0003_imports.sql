-- What an import of an old deployment made, so that its undoing takes away exactly that. A row goes with what it is
-- about.
CREATE TABLE imported (
    uid       INTEGER PRIMARY KEY,
    import_id TEXT NOT NULL,
    -- The order of undoing: 0 jobs, 1 clusters, 2 file servers, 3 experiments, 4 workspaces, 5 resource groups.
    rank      INTEGER NOT NULL
) STRICT;
CREATE INDEX imported_in_order ON imported (import_id, rank, uid);

CREATE TRIGGER imported_jobs AFTER DELETE ON jobs BEGIN
    DELETE FROM imported WHERE uid = OLD.uid;
END;
CREATE TRIGGER imported_clusters AFTER DELETE ON clusters BEGIN
    DELETE FROM imported WHERE uid = OLD.uid;
END;
CREATE TRIGGER imported_file_servers AFTER DELETE ON file_servers BEGIN
    DELETE FROM imported WHERE uid = OLD.uid;
END;
CREATE TRIGGER imported_experiments AFTER DELETE ON experiments BEGIN
    DELETE FROM imported WHERE uid = OLD.uid;
END;
CREATE TRIGGER imported_workspaces AFTER DELETE ON workspaces BEGIN
    DELETE FROM imported WHERE uid = OLD.uid;
END;
CREATE TRIGGER imported_groups AFTER DELETE ON resource_groups BEGIN
    DELETE FROM imported WHERE uid = OLD.uid;
END;
