//! The way in: from the process that was started to process 1 of the node's namespaces.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat2};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
use rustix::stdio::dup2_stdin;
use rustix::system::sethostname;

use trainyard_domain::launch::NodePlan;

use super::restrict::restrict;
use super::{Account, HOSTS, Isolation, PROGRAM};
use crate::files::Folder;
use crate::machine::{Identity, own_stat};

/// Says to a process that it is the inner one.
const INNER: &str = "TRAINYARD_NODE_INNER";

const APART: CloneFlags = CloneFlags::CLONE_NEWPID
    .union(CloneFlags::CLONE_NEWNS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWUTS);

/// On which side of the threshold this process is.
#[derive(Debug)]
pub enum Entered {
    /// Inside: it is process 1, and this is who it is outside.
    Inner(Identity),
    /// Outside: the inner process has ended so, and everything in its namespaces with it.
    Outer(ExitStatus),
}

/// Makes the namespaces and starts this program in them, or goes on inside. `folder` is the node's; its name becomes the
/// host name, as far as that can be. It must be called before any thread.
pub fn enter(isolation: &Isolation, folder: &Folder, plan: &NodePlan) -> io::Result<Entered> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a mark for ourselves, across our own second start"
    )]
    let inner = std::env::var_os(INNER).is_some();
    if inner {
        arrive(isolation, folder, plan).map(Entered::Inner)
    } else {
        if let Some(network) = &isolation.network {
            network.join(plan.uid, plan.address)?;
        }
        hold().map(Entered::Outer)
    }
}

/// Whether the namespaces can be made here. A thread tries, and takes them with it when it ends.
pub fn probe() -> io::Result<()> {
    let tried = std::thread::spawn(|| -> io::Result<()> {
        unshare(APART)?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        mount("none", "/tmp", "tmpfs", MountFlags::empty(), c"size=4k")?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        openat2(CWD, "/tmp", flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
        Ok(())
    });
    tried
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the try ended early")))
}

/// Starts the inner process and waits for its end. It holds the other end of its stdin: when this process is gone, that
/// shows there.
fn hold() -> io::Result<ExitStatus> {
    unshare(APART)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the node becomes process 1 of its namespaces"
    )]
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command
        .args(std::env::args_os().skip(1))
        .env(INNER, "1")
        .stdin(Stdio::piped())
        .spawn()?;
    // Taken out of the child, since waiting for it would close it.
    let _held = child.stdin.take();
    child.wait()
}

fn arrive(isolation: &Isolation, folder: &Folder, plan: &NodePlan) -> io::Result<Identity> {
    follow_parent()?;
    // Processes of jobs have this one's user but fewer rights. They must not read its memory and open files through
    // those threads of it that have as few.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // The machine's /proc is still there and counts as the machine does.
    let stat = own_stat()?;
    let host = host_name(&plan.name);
    sethostname(host.as_bytes())?;
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let own = format!("{} {host} {}", plan.address, plan.name);
    fs::write(
        folder.root().join(HOSTS),
        format!("{}\n{own}\n", hosts.trim_end()),
    )?;
    if let Some(account) = &isolation.account {
        give(folder, account)?;
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, c"")?;
    mount_bind(folder.view(), &isolation.root)?;
    restrict(&isolation.root, MountFlags::empty())?;
    if let Some(tools) = &isolation.tools {
        let shown = isolation.root.join("tools");
        fs::create_dir_all(&shown)?;
        mount_bind(tools, &shown)?;
        // All nodes have the same ones, first in the PATH of every job.
        restrict(&shown, MountFlags::RDONLY)?;
        let program = shown.join(PROGRAM);
        // One that was replaced meanwhile cannot be shown; then its place is tried.
        if mount_bind("/proc/self/exe", &program).is_ok() {
            restrict(&program, MountFlags::RDONLY)?;
        }
    }
    // What the node mounts there shows up for jobs, and in containers.
    mount_change(
        &isolation.root,
        MountPropagationFlags::SHARED | MountPropagationFlags::REC,
    )?;
    Ok(stat)
}

/// The node's name as a host can have it: MPI launchers end at an underscore.
fn host_name(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    name.chars().map(letter).take(63).collect()
}

/// Jobs of this account make their directories there.
fn give(folder: &Folder, account: &Account) -> io::Result<()> {
    let mut directories = [folder.view(), folder.mounts(), folder.jobs()].into_iter();
    directories.try_for_each(|directory| account.give(&directory))
}

/// Ends with the outer process, also when that has ended already.
fn follow_parent() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let stdin = rustix::stdio::stdin();
    let mut descriptors = [PollFd::new(&stdin, PollFlags::empty())];
    let gone = poll(&mut descriptors, Some(&Timespec::default()))? > 0
        && descriptors[0].revents().contains(PollFlags::HUP);
    if gone {
        return Err(io::Error::other("the process that started this node is gone"));
    }
    let null = open("/dev/null", OFlags::RDONLY, Mode::empty())?;
    Ok(dup2_stdin(null)?)
}

/// The exit status in words.
pub fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}
