//! The mount namespace of jobs: the machine's files without those that are not theirs.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};

use super::target::Target;
use crate::isolation::{HOSTS, Isolation};

/// Devices that a job may open: the harmless ones, and those of GPUs and fast networks.
const DEVICES: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "kfd"];
/// Beginnings of the names of devices of GPUs.
const DEVICES_OF_GPUS: [&str; 2] = ["nvidia", "dxg"];
/// Directories of devices of GPUs and fast networks.
const DEVICE_DIRECTORIES: [&str; 3] = ["dri", "infiniband", "nvidia-caps"];
/// Parts of /proc by which the machine is set, and which a job may only read.
const READ_ONLY: [&str; 6] = ["sys", "sysrq-trigger", "irq", "bus", "fs", "mtrr"];
/// Parts of /proc that show the machine's memory and keys, or give orders to its devices.
const UNREADABLE: [&str; 6] = ["acpi", "kcore", "keys", "kmsg", "scsi", "timer_list"];
/// What stays of /run: who answers for names of hosts.
const RUN: &str = "systemd/resolve";

/// Directories in memory that are the node's own and that jobs may write.
const IN_MEMORY: [&str; 4] = ["/dev", "/dev/shm", "/run", "/run/lock"];

/// The node's own /tmp, in its folder.
pub fn temporary(folder: &Path) -> PathBuf {
    folder.join("tmp")
}

/// Makes the namespace for this thread, and for whatever it starts. `folder` is the node's. Gives the directories in
/// memory.
pub fn make(isolation: &Isolation, folder: &Path) -> io::Result<Vec<Target>> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    // Mounts of the node come here, nothing of here goes back.
    mount_change(
        &isolation.root,
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )?;
    let own = named("the node's folder", Own::new(folder))?;
    named("/etc/hosts", own.hosts())?;
    // Opened before /run is covered, where it lies.
    let resolvers = isolation.network.is_some().then(resolvers).flatten();
    named("/run", run())?;
    if let Some(resolvers) = resolvers {
        let shown = mount_bind(resolvers.path(), "/etc/resolv.conf");
        named("/etc/resolv.conf", shown.map_err(io::Error::from))?;
    }
    named("/proc", processes())?;
    named("/dev", devices())?;
    // Without what is mounted beneath it, such as the tree of control groups.
    named("/sys", read_only(Path::new("/sys")))?;
    named("/tmp", own.temporary_files())?;
    // Last, since the node's folder lies there.
    let mut hidden = isolation.hidden.iter();
    hidden.try_for_each(|path| named(&path.to_string_lossy(), cover(path)))?;
    let mut in_memory = IN_MEMORY.iter();
    in_memory.try_fold(Vec::new(), |mut all, path| {
        all.push(named(path, Target::found(Path::new(path)))?);
        Ok(all)
    })
}

/// An error that names the part of the machine that it is about.
fn named<T>(part: &str, done: io::Result<T>) -> io::Result<T> {
    done.map_err(|error| io::Error::new(error.kind(), format!("{part}: {error}")))
}

const RESTRICTED: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// Puts nothing over a folder or file.
fn cover(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(());
    };
    if found.is_dir() {
        let empty = RESTRICTED | MountFlags::RDONLY;
        return Ok(mount("none", path, "tmpfs", empty, c"mode=0555,size=4k")?);
    }
    Ok(mount_bind("/dev/null", path)?)
}

/// A resolver at a loopback address is not there for who has a network of their own. Those that it asks are.
fn resolvers() -> Option<Target> {
    let named = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let local = named
        .lines()
        .any(|line| line.trim_start().starts_with("nameserver 127."));
    let asked = Path::new("/run/systemd/resolve/resolv.conf");
    local.then(|| Target::found(asked).ok()).flatten()
}

/// Shows a part of the machine as one that can only be read.
fn read_only(path: &Path) -> io::Result<()> {
    mount_bind(path, path)?;
    Ok(mount_remount(
        path,
        MountFlags::BIND | MountFlags::RDONLY | RESTRICTED,
        c"",
    )?)
}

/// What the node's folder holds for the sight of its jobs.
struct Own {
    /// It may be covered by the first of the places in which it is shown.
    temporary: Target,
    hosts: PathBuf,
}

impl Own {
    fn new(folder: &Path) -> io::Result<Own> {
        let temporary = temporary(folder);
        fs::create_dir_all(&temporary)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777))?;
        Ok(Own {
            temporary: Target::found(&temporary)?,
            hosts: folder.join(HOSTS),
        })
    }

    /// The node's name is its address.
    fn hosts(&self) -> io::Result<()> {
        if self.hosts.exists() && Path::new("/etc/hosts").exists() {
            mount_bind(&self.hosts, "/etc/hosts")?;
        }
        Ok(())
    }

    fn temporary_files(&self) -> io::Result<()> {
        ["/tmp", "/var/tmp"]
            .into_iter()
            .filter(|path| Path::new(path).is_dir())
            .try_for_each(|path| Ok(mount_bind(self.temporary.path(), path)?))
    }
}

/// Sockets by which the machine's services take orders are not for jobs.
fn run() -> io::Result<()> {
    let old = Target::found(Path::new("/run"))?;
    let kept = old.path().join(RUN);
    mount(
        "none",
        "/run",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        c"mode=0755",
    )?;
    if kept.is_dir() {
        let shown = Path::new("/run").join(RUN);
        fs::create_dir_all(&shown)?;
        mount_bind(&kept, &shown)?;
    }
    fs::create_dir_all("/run/lock")?;
    fs::set_permissions("/run/lock", fs::Permissions::from_mode(0o1777))
}

fn processes() -> io::Result<()> {
    let proc = Path::new("/proc");
    for part in READ_ONLY.map(|name| proc.join(name)) {
        if part.exists() {
            read_only(&part)?;
        }
    }
    let unreadable = UNREADABLE.map(|name| proc.join(name));
    unreadable.iter().try_for_each(|part| cover(part))
}

/// A device file of the machine.
struct Device {
    path: PathBuf,
    number: u64,
    mode: u32,
}

impl Device {
    fn at(path: PathBuf) -> Option<Device> {
        let found = fs::metadata(&path).ok()?;
        let kind = FileType::from_raw_mode(found.mode());
        (kind == FileType::CharacterDevice).then(|| Device {
            number: found.rdev(),
            mode: found.mode() & 0o7777,
            path,
        })
    }

    fn make(&self) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mode = Mode::from_raw_mode(self.mode);
        mknodat(CWD, &self.path, FileType::CharacterDevice, mode, self.number)?;
        // Whatever the umask is.
        fs::set_permissions(&self.path, fs::Permissions::from_mode(self.mode))
    }
}

fn devices() -> io::Result<()> {
    let all = fs::read_dir("/dev")?.flatten();
    let wanted = all.filter(|entry| entry.file_name().to_str().is_some_and(is_for_jobs));
    let mut devices: Vec<Device> = wanted.filter_map(|entry| Device::at(entry.path())).collect();
    for directory in DEVICE_DIRECTORIES {
        let inside = fs::read_dir(Path::new("/dev").join(directory));
        let inside = inside.into_iter().flatten().flatten();
        devices.extend(inside.filter_map(|entry| Device::at(entry.path())));
    }
    mount(
        "none",
        "/dev",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        c"mode=0755",
    )?;
    devices.iter().try_for_each(Device::make)?;
    fs::create_dir("/dev/pts")?;
    let restricted = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(
        "devpts",
        "/dev/pts",
        "devpts",
        restricted,
        c"newinstance,ptmxmode=0666,mode=0620,gid=5",
    )?;
    symlink("pts/ptmx", "/dev/ptmx")?;
    fs::create_dir("/dev/shm")?;
    mount(
        "shm",
        "/dev/shm",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        c"mode=1777",
    )?;
    symlink("/proc/self/fd", "/dev/fd")?;
    for (number, name) in ["stdin", "stdout", "stderr"].into_iter().enumerate() {
        symlink(format!("/proc/self/fd/{number}"), Path::new("/dev").join(name))?;
    }
    Ok(())
}

fn is_for_jobs(name: &str) -> bool {
    DEVICES.contains(&name) || DEVICES_OF_GPUS.iter().any(|start| name.starts_with(start))
}
