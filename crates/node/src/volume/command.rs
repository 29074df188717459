//! Mount commands of users: which are run, and how.
//!
//! They run with the node's rights, beside the machine's own mounts. So no shell sees them, and those that could show
//! a job what is not its own (binds, moves, local devices, programs that do anything) are refused where the node is
//! root, unless the configuration allows their program.

use super::words::{self, WordsError};

/// Kinds of file systems that a mount command may mount: those of a network or of memory.
const KINDS: &[&str] = &[
    "9p",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "moosefs",
    "nfs",
    "nfs4",
    "orangefs",
    "smb3",
    "tmpfs",
    "virtiofs",
    "wekafs",
];
/// Options that change what is mounted already, mount something local, or let `mount` start something else.
const REFUSED_OPTIONS: &[&str] = &[
    "bind",
    "rbind",
    "move",
    "remount",
    "loop",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "unbindable",
    "runbindable",
    "suid",
    "dev",
    "helper",
    "fusermount",
    "ssh_command",
];
/// Letters of `mount` that take no value and do no harm.
const FLAGS: &[&str] = &[
    "-v",
    "--verbose",
    "-n",
    "--no-mtab",
    "-r",
    "--read-only",
    "-w",
    "--rw",
    "--read-write",
];

/// Why a mount command is not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no list of words.
    #[error("mountCommand cannot be read: {0}")]
    Words(#[from] WordsError),
    /// Nothing is there.
    #[error("mountCommand is empty")]
    Empty,
    /// A program that may do anything.
    #[error(
        "mountCommand runs '{0}'. Only mount -t TYPE [-o OPTIONS] SOURCE is run here, and programs that \
         local.mount_commands names"
    )]
    Program(String),
    /// A type that is no network's.
    #[error(
        "mountCommand mounts a file system of type '{0}'. Types of networks and of memory are mounted here ({kinds}); \
         local.mount_commands = [\"mount\"] allows all of them",
        kinds = KINDS.join(", ")
    )]
    Kind(String),
    /// An option that reaches beyond the mount.
    #[error(
        "mountCommand has the option '{0}', which is not used here; local.mount_commands = [\"mount\"] allows all of them"
    )]
    Option(String),
    /// No source, or more than one.
    #[error(
        "mountCommand names {0} sources. Write mount -t TYPE [-o OPTIONS] SOURCE; the mount path is put behind it"
    )]
    Sources(usize),
}

/// The words of the command, if it may be run: `root` says whether the node is root, `allowed` which programs the
/// configuration allows (`*` is all).
pub fn permitted(line: &str, root: bool, allowed: &[String]) -> Result<Vec<String>, Refused> {
    let words = words::split(line)?;
    let program = words.first().ok_or(Refused::Empty)?;
    // Without rights of root it can do nothing that the job could not do itself.
    let free = !root || allowed.iter().any(|name| name == "*" || name == program);
    if !free {
        if program != "mount" {
            return Err(Refused::Program(program.clone()));
        }
        check(&words[1..])?;
    }
    Ok(words)
}

/// Checks the arguments of `mount`.
fn check(words: &[String]) -> Result<(), Refused> {
    let (mut kind, mut sources) = (None, 0);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-t" | "--types" => kind = words.next().map(String::as_str),
            "-o" | "--options" => options(words.next().map_or("", String::as_str))?,
            flag if FLAGS.contains(&flag) => {}
            other => match other
                .strip_prefix("-o")
                .or_else(|| other.strip_prefix("--options="))
            {
                Some(list) => options(list)?,
                None => match other
                    .strip_prefix("-t")
                    .or_else(|| other.strip_prefix("--types="))
                {
                    Some(of) => kind = Some(of),
                    None if other.starts_with('-') => return Err(Refused::Option(other.to_owned())),
                    None => sources += 1,
                },
            },
        }
    }
    let kind = kind.unwrap_or("none given");
    if !KINDS.contains(&kind) {
        return Err(Refused::Kind(kind.to_owned()));
    }
    if sources == 1 {
        Ok(())
    } else {
        Err(Refused::Sources(sources))
    }
}

fn options(list: &str) -> Result<(), Refused> {
    let refused = list.split(',').find(|option| {
        let name = option.split('=').next().unwrap_or_default().trim();
        // `x-mount.mkdir` and its like are orders to mount itself.
        name.starts_with("x-") || name.starts_with("X-") || REFUSED_OPTIONS.contains(&name)
    });
    refused.map_or(Ok(()), |option| Err(Refused::Option(option.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_root(line: &str) -> Result<Vec<String>, Refused> {
        permitted(line, true, &[])
    }

    #[test]
    fn mounts_of_networks_and_memory_are_run() {
        for line in [
            "mount -t nfs 10.0.0.4:/mnt/data",
            "mount -t glusterfs 10.0.0.4:/gv0",
            "mount -t nfs4 -o rw,vers=4.1 h:/x",
            "mount -t tmpfs -osize=1m none",
            "mount --types=cifs -r -o 'username=a b,password=c' //h/s",
        ] {
            as_root(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn what_reaches_beyond_is_refused_and_says_what_to_configure() {
        for line in [
            "mount --bind /etc",
            "mount -B /etc",
            "mount -t tmpfs -o bind /etc",
            "mount -o remount,rw -t nfs h:/x",
            "mount -t nfs -o suid h:/x",
            "mount -t ext4 /dev/sda1",
            "mount -t proc proc",
            "mount -t overlay -o lowerdir=/ none",
            "mount /dev/sda1",
            "mount --move /a -t nfs",
            "mount -t tmpfs none /etc",
            "mount -t tmpfs",
            "mount -a",
            "mount -t nfs -o x-mount.mkdir h:/x",
            "bash -c reboot",
            "/bin/mount -t tmpfs none",
            "sshfs h:/x",
            "",
        ] {
            let error = as_root(line).expect_err(line).to_string();
            assert!(error.contains("mountCommand"), "{line}: {error}");
        }
        let error = as_root("sshfs h:/x").unwrap_err().to_string();
        assert!(error.contains("local.mount_commands"), "{error}");
    }

    #[test]
    fn the_configuration_allows_more_and_without_root_there_is_nothing_to_guard() {
        let allowed = ["sshfs".to_owned(), "mount".to_owned()];
        for line in ["sshfs -o ro h:/x", "mount --bind /data"] {
            permitted(line, true, &allowed).unwrap();
        }
        assert!(permitted("rclone mount a:b", true, &allowed).is_err());
        permitted("rclone mount a:b", true, &["*".to_owned()]).unwrap();
        permitted("sshfs h:/x", false, &[]).unwrap();
        assert_eq!(
            permitted("sshfs h:/x; reboot", true, &["*".to_owned()]),
            Err(Refused::Words(WordsError::Shell(';')))
        );
    }
}
