//! Mount commands of users: which are run, and how.
//!
//! They run with the node's rights, beside the machine's own mounts. So no shell sees them, and those that could show
//! a job what is not its own (binds, moves, local devices, programs that do anything) are refused where the node is
//! root, unless the configuration allows their program.

use super::words::{self, WordsError};

/// A kind of file system that a mount command may mount: one of a network or of memory, which the kernel serves alone.
struct Kind {
    name: &'static str,
    /// What may be said to it beside [`COMMON`]. Only what is listed is: others read files of the machine or start
    /// programs, as root.
    options: &'static str,
}

const fn kind(name: &'static str, options: &'static str) -> Kind {
    Kind { name, options }
}

const KINDS: [Kind; 6] = [
    kind("ceph", "fs mds_namespace name rasize rsize secret wsize"),
    kind("cifs", CIFS),
    kind("nfs", NFS),
    kind("nfs4", NFS),
    kind("smb3", CIFS),
    kind("tmpfs", "gid huge mode nr_blocks nr_inodes size uid"),
];
const CIFS: &str = "actimeo cache dir_mode dom domain file_mode forcegid forceuid gid guest hard iocharset mfsymlinks \
    nobrl nocase noperm noserverino pass password port rsize seal sec serverino soft uid user username vers workgroup \
    wsize";
const NFS: &str = "ac acdirmax acdirmin acregmax acregmin actimeo cto hard intr local_lock lock lookupcache minorversion \
    mountport mountproto mountvers nconnect nfsvers noac nocto nointr nolock noresvport port proto resvport retrans retry \
    rsize sec soft tcp timeo udp vers wsize";
/// What may be said to every kind.
const COMMON: &str =
    "_netdev async defaults exec noatime nodev nodiratime noexec nofail nosuid relatime ro rw sync";
/// Comes last and so wins: a server of the user's own may hold any file.
const LAST: [&str; 2] = ["-o", "nosuid,nodev"];
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
    /// A type that is not served by the kernel alone.
    #[error(
        "mountCommand mounts a file system of type '{0}'. These are mounted here: {kinds}; \
         local.mount_commands = [\"mount\"] allows all of them",
        kinds = names()
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

fn names() -> String {
    KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

/// The words of the command, if it may be run: `root` says whether the node is root, `allowed` which programs the
/// configuration allows (`*` is all).
pub fn permitted(line: &str, root: bool, allowed: &[String]) -> Result<Vec<String>, Refused> {
    let mut words = words::split(line)?;
    let program = words.first().ok_or(Refused::Empty)?;
    // Without rights of root it can do nothing that the job could not do itself.
    let free = !root || allowed.iter().any(|name| name == "*" || name == program);
    if !free {
        if program != "mount" {
            return Err(Refused::Program(program.clone()));
        }
        Mount::read(&words[1..])?.check()?;
        words.extend(LAST.map(str::to_owned));
    }
    Ok(words)
}

/// The arguments of `mount`.
#[derive(Default)]
struct Mount<'a> {
    kind: &'a str,
    options: Vec<&'a str>,
    sources: usize,
}

impl<'a> Mount<'a> {
    fn read(words: &'a [String]) -> Result<Mount<'a>, Refused> {
        let mut mount = Mount::default();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let split =
                |short: &str, long: &str| word.strip_prefix(long).or_else(|| word.strip_prefix(short));
            match word {
                "-t" | "--types" => mount.kind = words.next().unwrap_or_default(),
                "-o" | "--options" => mount.options.extend(words.next().unwrap_or_default().split(',')),
                flag if FLAGS.contains(&flag) => {}
                _ => match (split("-o", "--options="), split("-t", "--types=")) {
                    (Some(list), _) => mount.options.extend(list.split(',')),
                    (None, Some(kind)) => mount.kind = kind,
                    (None, None) if word.starts_with('-') => return Err(Refused::Option(word.to_owned())),
                    (None, None) => mount.sources += 1,
                },
            }
        }
        Ok(mount)
    }

    fn check(&self) -> Result<(), Refused> {
        let kind = KINDS.iter().find(|kind| kind.name == self.kind);
        let kind = kind.ok_or_else(|| Refused::Kind(self.kind.to_owned()))?;
        let known = |option: &str| {
            let name = option.split('=').next().unwrap_or_default().trim();
            let mut all = COMMON.split(' ').chain(kind.options.split(' '));
            all.any(|one| one == name)
        };
        if let Some(other) = self.options.iter().find(|option| !known(option)) {
            return Err(Refused::Option((*other).to_owned()));
        }
        if self.sources == 1 {
            Ok(())
        } else {
            Err(Refused::Sources(self.sources))
        }
    }
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
            "mount -t nfs4 -o rw,vers=4.1 h:/x",
            "mount -t tmpfs -osize=1m none",
            "mount --types=cifs -r -o 'username=a b,password=c' //h/s",
        ] {
            let words = as_root(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(words.ends_with(&LAST.map(str::to_owned)), "{words:?}");
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
            "mount -t fuse.sshfs -o ProxyCommand=x u@h:/x",
            "mount -t glusterfs h:/gv0",
            "mount -t cifs -o credentials=/etc/shadow //h/s",
            "mount -t ceph -o secretfile=/etc/shadow h:/",
            "mount -t nfs -o dev h:/x",
            "mount -t nfs -o bg h:/x",
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
