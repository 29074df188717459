//! Shares and exports mounted by the kernel's own clients.

use std::path::Path;

use trainyard_domain::launch::{CifsShare, NfsExport};

use super::tool::Recipe;

/// Longest time for a server to answer.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// How a share of an SMB server is mounted at `at`. Its password is in `key`, a file of its own: whatever stands on a
/// command line or in the table of mounts can be read by everybody. Its files are `owner`'s.
pub fn cifs(share: &CifsShare, at: &Path, key: &Path, owner: Option<(u32, u32)>) -> Recipe {
    let mut options = vec![
        format!("credentials={}", key.display()),
        format!("file_mode={}", share.file_mode),
        format!("dir_mode={}", share.directory_mode),
        // Modes are those asked for, whatever the server thinks of the user.
        "noperm".to_owned(),
        "nosuid".to_owned(),
        "nodev".to_owned(),
    ];
    options.extend(owner.map(|(uid, gid)| format!("uid={uid},gid={gid}")));
    options.extend(share.port.map(|port| format!("port={port}")));
    options.extend((!share.options.is_empty()).then(|| share.options.clone()));
    Recipe {
        arguments: mount("cifs", &options.join(","), &share.address(), at),
        key: Some(format!(
            "username={}\npassword={}\n",
            share.username, share.password
        )),
        kinds: &["cifs", "smb3"],
        within: WITHIN,
    }
}

/// How a directory of an NFS server is mounted at `at`.
pub fn nfs(export: &NfsExport, at: &Path) -> Recipe {
    let mut options = vec!["nosuid", "nodev"];
    options.extend((!export.options.is_empty()).then_some(export.options.as_str()));
    Recipe {
        arguments: mount("nfs", &options.join(","), &export.source, at),
        key: None,
        kinds: &["nfs", "nfs4"],
        within: WITHIN,
    }
}

fn mount(kind: &str, options: &str, source: &str, at: &Path) -> Vec<String> {
    let at = at.display().to_string();
    ["mount", "-t", kind, "-o", options, source, &at]
        .map(str::to_owned)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_mounted_with_its_modes_and_its_password_in_a_file() {
        let share = CifsShare {
            host: "acc.file.core.windows.net".to_owned(),
            port: Some(445),
            share: "logs".to_owned(),
            directory: "a/b".to_owned(),
            username: "acc".to_owned(),
            password: "hush7391==".to_owned(),
            file_mode: "0640".to_owned(),
            directory_mode: "0750".to_owned(),
            options: "vers=3.0".to_owned(),
        };
        let recipe = cifs(
            &share,
            Path::new("/n/volumes/1"),
            Path::new("/n/volumes/1.key"),
            Some((1000, 100)),
        );
        let line = recipe.arguments.join(" ");
        assert_eq!(
            line,
            "mount -t cifs -o credentials=/n/volumes/1.key,file_mode=0640,dir_mode=0750,noperm,nosuid,nodev,uid=1000,gid=100,port=445,\
             vers=3.0 //acc.file.core.windows.net/logs/a/b /n/volumes/1"
        );
        assert!(!line.contains("hush7391"));
        assert_eq!(recipe.key.as_deref(), Some("username=acc\npassword=hush7391==\n"));
    }

    #[test]
    fn an_export_is_mounted_with_its_options() {
        let export = NfsExport {
            source: "10.0.0.4:/data".to_owned(),
            options: "rw,vers=4.1".to_owned(),
        };
        let recipe = nfs(&export, Path::new("/n/volumes/2"));
        assert_eq!(
            recipe.arguments.join(" "),
            "mount -t nfs -o nosuid,nodev,rw,vers=4.1 10.0.0.4:/data /n/volumes/2"
        );
    }
}
