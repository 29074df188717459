//! What is made of the facts: one line each, with the next step where one is due.

use serde::Serialize;
use trainyard_node::cgroup::{Controller, Held, Lack};

use super::facts::Facts;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It goes on with less.
    Degraded,
    /// It is not there.
    Missing,
}

impl State {
    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Degraded => "degraded",
            State::Missing => "missing",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub about: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found, a plain sentence.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether a server can run all the same.
    pub serves: bool,
}

fn ok(about: &'static str, found: impl Into<String>) -> Finding {
    Finding {
        about,
        state: State::Ok,
        found: found.into(),
        next: None,
        serves: true,
    }
}

fn less(about: &'static str, state: State, found: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding {
        state,
        next: Some(next.into()),
        ..ok(about, found)
    }
}

fn fatal(about: &'static str, found: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding {
        serves: false,
        ..less(about, State::Missing, found, next)
    }
}

/// All lines, the weightiest first.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![
        data(facts),
        disk(facts),
        listen(facts),
        clock(facts),
        level(facts),
        kill(facts),
    ];
    all.extend(limits(facts));
    all.extend([
        loopback(facts),
        network(facts),
        ports(facts),
        shell(facts),
        containers(facts),
    ]);
    all.extend([blobs(facts), shares(facts), nfs(facts), exports(facts)]);
    all.extend([mpi(facts), gpus(facts)]);
    all
}

fn data(facts: &Facts) -> Finding {
    let (folder, usable) = &facts.data;
    match usable {
        Ok(()) => ok("data folder", format!("{folder} can be written.")),
        Err(why) => fatal(
            "data folder",
            format!("It cannot be written. {why}."),
            "Give it to the user that runs the server, or name another one with --data.",
        ),
    }
}

fn disk(facts: &Facts) -> Finding {
    let (free, wanted) = facts.free;
    let mib = |bytes: u64| bytes >> 20;
    match free {
        Some(free) if free >= wanted => {
            ok("disk", format!("{} MiB are free for the data folder.", mib(free)))
        }
        Some(free) => less(
            "disk",
            State::Degraded,
            format!(
                "{} MiB are free, and no job starts below {} MiB.",
                mib(free),
                mib(wanted)
            ),
            "Make room, or set min_free lower.",
        ),
        None => less(
            "disk",
            State::Degraded,
            "The free space cannot be told.",
            "Look at the data folder's file system.",
        ),
    }
}

fn listen(facts: &Facts) -> Finding {
    match &facts.listen {
        _ if facts.running => ok("listen", "A server runs on this data folder already."),
        Ok(address) => ok("listen", format!("{address} is free.")),
        Err(why) => fatal(
            "listen",
            format!("The server could not listen. {why}."),
            "End what uses the address, or name another one with --listen.",
        ),
    }
}

/// 2025; a clock before that was never set.
const SENSIBLE: i64 = 1_735_689_600;
/// Seconds by which a clock may be behind the store's last change.
const SLACK: i64 = 60;

fn clock(facts: &Facts) -> Finding {
    let (now, changed) = facts.clock;
    let next = "Set the clock, and keep it by NTP.";
    if now < SENSIBLE {
        return less("clock", State::Degraded, "The clock stands before 2025.", next);
    }
    if changed.is_some_and(|changed| now + SLACK < changed) {
        return less(
            "clock",
            State::Degraded,
            "The clock is behind the last change of the store.",
            next,
        );
    }
    ok("clock", "The clock is plausible.")
}

fn level(facts: &Facts) -> Finding {
    match &facts.level {
        Ok(Ok(())) => ok(
            "nodes",
            "Nodes are isolated: namespaces of their own, the same paths on all.",
        ),
        Ok(Err(why)) => less(
            "nodes",
            State::Degraded,
            format!("Nodes are plain processes, not kept apart: {why}."),
            "Isolated nodes take root and namespaces; plain ones are fine where all users trust one another.",
        ),
        Err(why) => fatal("nodes", format!("{why}."), "Change local.level or local.run_as."),
    }
}

fn kill(facts: &Facts) -> Finding {
    if facts.cgroups.kill {
        return ok(
            "job ends",
            "All of a job's processes are ended at once (cgroup v2).",
        );
    }
    less(
        "job ends",
        State::Degraded,
        "Processes of a job are found by descent and a mark in their environment; some could escape.",
        "Mount a cgroup v2 tree that the server may write, on Linux 5.14 or later.",
    )
}

fn limits(facts: &Facts) -> Vec<Finding> {
    let about = |one: Controller| match one {
        Controller::Cpu => "limit of cores",
        Controller::Memory => "limit of memory",
        Controller::Pids => "limit of processes",
    };
    let line = |(one, found): (&Controller, &Result<Held, Lack>)| match found {
        _ if !facts.limits => ok(about(*one), "It is switched off (local.limits)."),
        Ok(Held::Unified) => ok(about(*one), "It is enforced by cgroup v2."),
        Ok(Held::Separate) => ok(about(*one), "It is enforced by cgroup v1."),
        Err(why) => less(
            about(*one),
            State::Missing,
            format!("It is not enforced: {why}."),
            way_to(why),
        ),
    };
    facts.cgroups.controllers.iter().map(line).collect()
}

fn way_to(why: &Lack) -> &'static str {
    match why {
        Lack::NoController => "Start Linux with the controller, or mount the tree that has it.",
        Lack::NotAllowed => {
            "Run the server as root, or by `systemd-run --user --scope -p Delegate=yes trainyard serve`."
        }
        Lack::Occupied(_) => "Have the server be the first and only process there when it starts.",
    }
}

fn loopback(facts: &Facts) -> Finding {
    if facts.loopback {
        return ok(
            "addresses",
            "Each node has an address of its own in 127.16.0.0/12.",
        );
    }
    fatal(
        "addresses",
        "Addresses such as 127.16.0.5 cannot be taken.",
        "Bring the loopback interface up: ip link set lo up.",
    )
}

fn has(facts: &Facts, program: &str) -> bool {
    facts.programs.get(program).copied().unwrap_or(false)
}

fn network(facts: &Facts) -> Finding {
    let about = "bridge tools";
    if ["ip", "iptables", "nsenter"]
        .iter()
        .all(|program| has(facts, program))
    {
        return ok(
            about,
            "A bridge and NAT can be made (iproute2, iptables, nsenter).",
        );
    }
    less(
        about,
        State::Missing,
        "A bridge cannot be made; nodes use the loopback interface.",
        "For networks of their own install iproute2, iptables and util-linux (nsenter).",
    )
}

fn ports(facts: &Facts) -> Finding {
    let (taken, all) = facts.ports;
    if taken * 2 < all {
        return ok(
            "ports",
            format!("{} of {all} ports for jobs are free.", all - taken),
        );
    }
    less(
        "ports",
        State::Degraded,
        format!("{taken} of {all} ports for jobs are taken by others."),
        "End what listens between 20000 and 29999.",
    )
}

fn shell(facts: &Facts) -> Finding {
    if has(facts, "bash") {
        return ok("shell", "bash is there, which runs command lines.");
    }
    less(
        "shell",
        State::Missing,
        "bash is not in PATH: every job would fail.",
        "Install bash.",
    )
}

fn containers(facts: &Facts) -> Finding {
    let about = "containers";
    let works = facts
        .containers
        .iter()
        .find_map(|(name, found)| Some((name, found.as_ref().ok()?)));
    if let Some((name, version)) = works {
        return ok(about, format!("{name} {version} works."));
    }
    let broken = facts
        .containers
        .iter()
        .find_map(|(name, found)| Some((name, found.as_ref().err()?)));
    match broken {
        Some((name, why)) => less(
            about,
            State::Degraded,
            format!("{name} is there and does not work: {why}"),
            "Put it right, or install podman.",
        ),
        None => less(
            about,
            State::Missing,
            "Neither podman nor docker is there: jobs with containerSettings fail.",
            "Install podman, with runc.",
        ),
    }
}

fn fuse(facts: &Facts) -> bool {
    facts.fuse && has(facts, "fusermount3") && facts.file_systems.iter().any(|name| name == "fuse")
}

fn blobs(facts: &Facts) -> Finding {
    if has(facts, "rclone") && fuse(facts) {
        return ok(
            "blob containers",
            "Those of real accounts can be mounted by rclone.",
        );
    }
    less(
        "blob containers",
        State::Missing,
        "Those of real accounts cannot be mounted; those of the built-in storage can.",
        "Install rclone and fuse3, and let the server use /dev/fuse.",
    )
}

fn shares(facts: &Facts) -> Finding {
    let kernel = facts.file_systems.iter().any(|name| name == "cifs") && has(facts, "mount.cifs");
    match (kernel, has(facts, "rclone") && fuse(facts)) {
        (true, _) => ok(
            "file shares",
            "Those of real accounts can be mounted by the kernel (cifs).",
        ),
        (false, true) => ok("file shares", "Those of real accounts can be mounted by rclone."),
        (false, false) => less(
            "file shares",
            State::Missing,
            "Those of real accounts cannot be mounted; those of the built-in storage can.",
            "Install cifs-utils, or rclone and fuse3; `modprobe cifs` where it is a module.",
        ),
    }
}

fn nfs(facts: &Facts) -> Finding {
    let kernel = facts
        .file_systems
        .iter()
        .any(|name| name == "nfs4" || name == "nfs");
    if kernel && has(facts, "mount.nfs4") {
        return ok("NFS", "Servers of others can be mounted.");
    }
    less(
        "NFS",
        State::Missing,
        "Servers of others cannot be mounted; Trainyard's own file servers can.",
        "Install nfs-common; `modprobe nfs` where it is a module.",
    )
}

fn exports(facts: &Facts) -> Finding {
    const ABOUT: &str = "NFS exports";
    let exports = &facts.exports;
    match (&exports.lack, &exports.listen) {
        (Some(lack), _) if exports.wanted => fatal(
            ABOUT,
            format!("nfs.enabled asks for them: {}.", lack.found()),
            sentence(lack.next()),
        ),
        (Some(lack), _) => less(
            ABOUT,
            State::Missing,
            format!("File servers cannot be exported: {}.", lack.found()),
            format!("Nodes here need no export. For others: {}.", lack.next()),
        ),
        (None, _) if !exports.wanted => ok(ABOUT, "File servers can be exported; nfs.enabled is not set."),
        (None, _) if facts.running => ok(ABOUT, "The server that runs exports file servers."),
        (None, Ok(address)) => ok(ABOUT, format!("File servers can be exported at {address}.")),
        (None, Err(why)) => fatal(
            ABOUT,
            format!("The NFS server could not listen. {why}."),
            "End what uses the address, or change nfs.listen or nfs.port.",
        ),
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

fn mpi(facts: &Facts) -> Finding {
    if has(facts, "mpirun") || has(facts, "mpiexec.hydra") {
        return ok("MPI", "A launcher is in PATH.");
    }
    less(
        "MPI",
        State::Missing,
        "No launcher is in PATH; MPI jobs need one on the machine or in their container.",
        "Install openmpi-bin or mpich.",
    )
}

fn gpus(facts: &Facts) -> Finding {
    match facts.gpus {
        0 => less(
            "GPUs",
            State::Missing,
            "NVML finds none: clusters of GPU sizes get no nodes.",
            "See whether nvidia-smi works, or set local.missing_gpus = \"ignore\".",
        ),
        1 => ok("GPUs", "NVML finds 1."),
        more => ok("GPUs", format!("NVML finds {more}.")),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
