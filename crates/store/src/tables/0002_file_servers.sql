-- A file server is a folder of this machine, under a name that is never used again. NULL: it has failed, or an older
-- version made it and the next start gives it one.
ALTER TABLE file_servers ADD COLUMN folder TEXT;
-- The subnet that was made for it, as clients see it.
ALTER TABLE file_servers ADD COLUMN made_subnet TEXT;
CREATE UNIQUE INDEX file_server_folders ON file_servers (folder) WHERE folder IS NOT NULL;

-- Which file server each entry of the fileServers of a cluster, or of a job that is not over, means. By uid: a name used
-- again is a new thing. A file server may be gone with its workspace while a cluster elsewhere still names it.
CREATE TABLE file_server_mounts (
    user_uid        INTEGER NOT NULL,
    entry           INTEGER NOT NULL,
    file_server_uid INTEGER NOT NULL,
    PRIMARY KEY (user_uid, entry)
) WITHOUT ROWID, STRICT;
CREATE INDEX file_server_users ON file_server_mounts (file_server_uid, user_uid);

CREATE TRIGGER mounts_of_clusters AFTER DELETE ON clusters BEGIN
    DELETE FROM file_server_mounts WHERE user_uid = OLD.uid;
END;
CREATE TRIGGER mounts_of_jobs AFTER DELETE ON jobs BEGIN
    DELETE FROM file_server_mounts WHERE user_uid = OLD.uid;
END;
CREATE TRIGGER mounts_of_jobs_over AFTER UPDATE OF state ON jobs WHEN NEW.state IN ('succeeded', 'failed') BEGIN
    DELETE FROM file_server_mounts WHERE user_uid = OLD.uid;
END;

-- Folders whose file server is gone, until they were taken away.
CREATE TABLE folders_to_remove (
    name TEXT PRIMARY KEY
) WITHOUT ROWID, STRICT;
CREATE TRIGGER folders_of_file_servers AFTER DELETE ON file_servers WHEN OLD.folder IS NOT NULL BEGIN
    INSERT OR IGNORE INTO folders_to_remove VALUES (OLD.folder);
END;
