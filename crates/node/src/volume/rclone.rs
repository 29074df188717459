//! Remotes mounted by rclone, which stays in the foreground as long as they are mounted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use trainyard_domain::launch::RcloneRemote;

/// How long rclone keeps what it knows of a directory, where the volume's options do not say: other nodes see a new
/// file after that time at the latest.
const DIRECTORY_SECONDS: u32 = 30;
/// How long after a file is closed it goes to its store.
const WRITE_BACK: &str = "1s";
/// Name of the remote in the environment; secrets stand there alone.
const REMOTE: &str = "VOLUME";

/// What of a volume's mount options has a meaning for rclone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `-o entry_timeout`, `attr_timeout` or `negative_timeout`, the shortest.
    pub directory_seconds: Option<u32>,
    /// `-o ro`.
    pub read_only: bool,
    /// What has none.
    pub ignored: Vec<String>,
}

impl Options {
    /// Reads options as blobfuse takes them: `--name=value`, `-o name=value` or a list with commas between.
    pub fn read(text: &str) -> Options {
        let mut read = Options::default();
        let names = text.split_whitespace().filter(|word| *word != "-o");
        for word in names {
            match word.strip_prefix("--") {
                Some(_) => read.ignored.push(word.to_owned()),
                None => word
                    .trim_start_matches("-o")
                    .split(',')
                    .filter(|option| !option.is_empty())
                    .for_each(|option| read.one(option)),
            }
        }
        read
    }

    fn one(&mut self, option: &str) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, value.parse::<u32>()) {
            ("attr_timeout" | "entry_timeout" | "negative_timeout", Ok(seconds)) => {
                let shortest = self.directory_seconds.map_or(seconds, |known| known.min(seconds));
                self.directory_seconds = Some(shortest);
            }
            ("ro", _) => self.read_only = true,
            // These are so anyway.
            ("rw" | "allow_other", _) => {}
            _ => self.ignored.push(option.to_owned()),
        }
    }
}

/// Where things of a mount are.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// Where it is mounted.
    pub at: &'a Path,
    /// Where files are kept until they are stored.
    pub cache: &'a Path,
}

/// Program and arguments. Its files are `owner`'s, else this user's; `root` says whether other users are to see them too.
pub fn arguments(
    remote: &RcloneRemote,
    options: &Options,
    places: Places<'_>,
    owner: Option<(u32, u32)>,
    root: bool,
) -> Vec<String> {
    let seconds = options.directory_seconds.unwrap_or(DIRECTORY_SECONDS);
    let mut arguments: Vec<String> = [
        "rclone".to_owned(),
        "mount".to_owned(),
        format!("{REMOTE}:{}", remote.path.trim_matches('/')),
        places.at.display().to_string(),
        format!("--cache-dir={}", places.cache.display()),
        "--vfs-cache-mode=writes".to_owned(),
        format!("--vfs-write-back={WRITE_BACK}"),
        format!("--dir-cache-time={seconds}s"),
        "--umask=0".to_owned(),
        format!("--file-perms={}", remote.file_mode),
        format!("--dir-perms={}", remote.directory_mode),
        "--devname=trainyard".to_owned(),
        "--use-server-modtime".to_owned(),
        // A dead store gives errors. What talks to Azure tries four times by itself already.
        "--retries=1".to_owned(),
        format!("--low-level-retries={}", retries(remote)),
        "--contimeout=10s".to_owned(),
        "--timeout=30s".to_owned(),
        "--log-level=NOTICE".to_owned(),
    ]
    .into();
    let owned = owner.map(|(uid, gid)| [format!("--uid={uid}"), format!("--gid={gid}")]);
    arguments.extend(owned.into_iter().flatten());
    arguments.extend(options.read_only.then(|| "--read-only".to_owned()));
    arguments.extend(root.then(|| "--allow-other".to_owned()));
    arguments
}

fn retries(remote: &RcloneRemote) -> u32 {
    match remote.settings.get("type").map(String::as_str) {
        Some("azureblob" | "azurefiles") => 1,
        _ => 3,
    }
}

/// The environment: what the node's processes get, and the remote's settings.
pub fn environment(remote: &RcloneRemote, base: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut environment = base.clone();
    // Nothing of a configuration of the user's own.
    environment.insert("RCLONE_CONFIG".to_owned(), "/dev/null".to_owned());
    for (name, value) in &remote.settings {
        let name = format!("RCLONE_CONFIG_{REMOTE}_{}", name.to_ascii_uppercase());
        environment.insert(name, value.clone());
    }
    environment
}

/// What makes two remotes the same one, without secrets: two users of it share one mount.
pub fn identity(remote: &RcloneRemote, options: &Options) -> String {
    const SECRET: &[&str] = &[
        "account_key",
        "key",
        "pass",
        "password",
        "secret",
        "secret_access_key",
        "session_token",
    ];
    let mut identity = format!(
        "rclone {} {} {}",
        remote.path, remote.file_mode, remote.directory_mode
    );
    for (name, value) in remote
        .settings
        .iter()
        .filter(|(name, _)| !SECRET.contains(&name.as_str()))
    {
        // A signature is another one each time it is made.
        let value = value.split('?').next().unwrap_or_default();
        let _ = write!(identity, " {name}={value}");
    }
    let _ = write!(identity, " {:?} {}", options.directory_seconds, options.read_only);
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(signature: &str) -> RcloneRemote {
        let url = format!("https://acc.blob.core.windows.net/c?sig={signature}");
        RcloneRemote {
            settings: [("type", "azureblob"), ("sas_url", url.as_str())]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            path: "c".to_owned(),
            file_mode: "0640".to_owned(),
            directory_mode: "0750".to_owned(),
        }
    }

    #[test]
    fn secrets_are_in_the_environment_alone() {
        let remote = remote("hush7391");
        let places = Places {
            at: Path::new("/n/volumes/1"),
            cache: Path::new("/n/volumes/1.cache"),
        };
        let arguments = arguments(&remote, &Options::read("-o ro"), places, Some((1000, 100)), true);
        assert_eq!(arguments[..4], ["rclone", "mount", "VOLUME:c", "/n/volumes/1"]);
        let line = arguments.join(" ");
        for part in [
            "--file-perms=0640",
            "--dir-perms=0750",
            "--cache-dir=/n/volumes/1.cache",
            "--read-only",
            "--uid=1000",
            "--gid=100",
            "--allow-other",
            "--low-level-retries=1",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains("hush7391"));
        let environment = environment(&remote, &BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]));
        assert_eq!(environment["RCLONE_CONFIG_VOLUME_TYPE"], "azureblob");
        assert!(environment["RCLONE_CONFIG_VOLUME_SAS_URL"].ends_with("hush7391"));
        assert_eq!(environment["PATH"], "/bin");
    }

    #[test]
    fn options_of_blobfuse_are_read_and_the_rest_is_named() {
        let recorded = "--use-https=true -o big_writes -o attr_timeout=240 -o entry_timeout=240 -o negative_timeout=120 \
                        -o allow_other";
        let read = Options::read(recorded);
        assert_eq!(read.directory_seconds, Some(120));
        assert!(!read.read_only);
        assert_eq!(read.ignored, ["--use-https=true", "big_writes"]);
        let read = Options::read("-oro,max_read=5");
        assert!(read.read_only);
        assert_eq!(read.ignored, ["max_read=5"]);
        assert_eq!(Options::read(""), Options::default());
    }

    #[test]
    fn a_remote_is_the_same_whatever_its_signature() {
        let options = Options::default();
        let (a, b) = (identity(&remote("a"), &options), identity(&remote("b"), &options));
        assert_eq!(a, b);
        assert!(!a.contains("sig"));
        let mut other = remote("a");
        other.file_mode = "0777".to_owned();
        assert_ne!(identity(&other, &options), a);
        assert_ne!(identity(&remote("a"), &Options::read("-o ro")), a);
    }
}
