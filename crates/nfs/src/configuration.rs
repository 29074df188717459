//! The NFS server's configuration, as text.
//!
//! All of it is made of fixed words, numbers, addresses and [`Quoted`] text.

use std::fmt::Write;

use crate::export::{BadText, ExportPath, Quoted};
use crate::exporter::Settings;

/// Seconds for which a client that is silent keeps what it has open; as long a restarted server lets clients that it knew
/// take up again what they had before others may open anything.
const LEASE: u32 = 20;

/// One export as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub number: u16,
    /// Its folder, a real path.
    pub folder: Quoted,
    /// Where clients find it.
    pub at: ExportPath,
}

/// The whole file.
///
/// # Errors
/// For a folder of the program's own that cannot be written down.
pub fn text(settings: &Settings, lines: &[Line]) -> Result<String, BadText> {
    let own = |name: &str| {
        let path = settings.folder.join(name);
        Quoted::new("the data folder", &path.to_string_lossy())
    };
    let (recovery, credentials) = (own(RECOVERY)?, own(CREDENTIALS)?);
    let mut text = format!(
        "# Written by Trainyard whenever exports change.\n\
         LOG {{ Default_Log_Level = WARN; COMPONENTS {{ CONFIG = EVENT; INIT = EVENT; }} }}\n\
         NFS_CORE_PARAM {{ NFS_Protocols = 4; Bind_addr = {}; NFS_Port = {}; Enable_NLM = false; Enable_RQUOTA = false; }}\n\
         NFS_KRB5 {{ Active_krb5 = false; CCacheDir = {credentials}; }}\n\
         NFSV4 {{ Grace_Period = {LEASE}; Lease_Lifetime = {LEASE}; Only_Numeric_Owners = true; RecoveryBackend = fs; \
         RecoveryRoot = {recovery}; }}\n",
        settings.listen.ip(),
        settings.listen.port(),
    );
    let clients: Vec<String> = settings.clients.iter().map(ToString::to_string).collect();
    let (clients, (user, group)) = (clients.join(", "), settings.owner);
    // Nobody is let in but the clients; each of them is the same user, whatever user it calls itself.
    let mut export = |number: u16, path: &Quoted, at: &Quoted, access: &str, backend: &str| {
        let _ = writeln!(
            text,
            "EXPORT {{ Export_Id = {number}; Filesystem_Id = {FAMILY}.{number}; Path = {path}; Pseudo = {at};\n  \
             Protocols = 4; Transports = TCP; SecType = sys; PrivilegedPort = true;\n  \
             Access_Type = None; Squash = All_Squash; Anonymous_uid = {user}; Anonymous_gid = {group};\n  \
             CLIENT {{ Clients = {clients}; Protocols = 4; Access_Type = {access}; }}\n  \
             FSAL {{ Name = {backend}; }} }}"
        );
    };
    // What leads to the exports: names of groups and workspaces, which are nobody else's business either.
    let root = Quoted::new("the path", "/")?;
    export(0, &root, &root, "MDONLY_RO", "PSEUDO");
    for Line { number, folder, at } in lines {
        export(
            *number,
            folder,
            &Quoted::new("the path", at.as_str())?,
            "RW",
            "VFS",
        );
    }
    Ok(text)
}

/// Each export is a file system of its own to clients: the first number of what they know it by.
const FAMILY: u32 = 7247;
/// Where it notes its clients, to know them after a restart.
pub const RECOVERY: &str = "recovery";
/// Where it would keep tickets; it has none.
pub const CREDENTIALS: &str = "credentials";

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::client::Client;

    fn settings(folder: &str) -> Settings {
        Settings {
            program: PathBuf::from("ganesha.nfsd"),
            folder: PathBuf::from(folder),
            listen: "127.0.0.1:2049".parse().unwrap(),
            clients: Client::of_this_machine(),
            owner: (1000, 100),
            clock: Arc::new(|| std::time::Duration::ZERO),
        }
    }

    #[test]
    fn everybody_is_nobody_but_the_clients() {
        let line = Line {
            number: 7,
            folder: Quoted::new("the folder", "/srv/it's; }").unwrap(),
            at: ExportPath::new(["g.(1)", "ws", "data"]).unwrap(),
        };
        let text = text(&settings("/d/nfs"), &[line]).unwrap();
        for part in [
            "Bind_addr = 127.0.0.1; NFS_Port = 2049;",
            "RecoveryRoot = \"/d/nfs/recovery\";",
            "Export_Id = 7; Filesystem_Id = 7247.7; Path = \"/srv/it's; }\"; Pseudo = \"/g.(1)/ws/data\";",
            "Access_Type = None; Squash = All_Squash; Anonymous_uid = 1000; Anonymous_gid = 100;",
            "CLIENT { Clients = 127.0.0.0/8, ::1; Protocols = 4; Access_Type = RW; }",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_data_folder_that_cannot_be_written_down_is_refused() {
        let error = text(&settings("/d\"; }"), &[]).unwrap_err();
        assert!(error.to_string().contains("the data folder"), "{error}");
    }
}
