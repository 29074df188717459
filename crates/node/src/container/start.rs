//! The container is started.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use trainyard_domain::launch::shell_quote;

use super::begun::Begun;
use super::call::{Call, World};
use super::docker;
use super::find::{Runtime, find};
use super::gpus;
use super::inside::SOCKET;
use super::loader::Loader;
use super::order::{self, INSIDE, Order};
use super::podman::Podman;
use super::pull::noted;
use crate::fence::MARK;
use crate::machine::since_boot;
use crate::mountinfo;

/// How long the program in the container may take until it takes orders.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks for that.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// After how many such looks the runtime is asked whether the container runs at all.
const ASK_AFTER: u32 = 100;
/// Directory, in the folder that is shared, of the programs that reach other nodes.
const TOOLS: &str = "tools";
/// Those programs: name, and the words that follow `contained`.
const PROGRAMS: [(&str, &str); 2] = [
    ("remote-shell", "remote \"$@\""),
    // It says where it is, so that the next ssh in PATH can be told from it.
    ("ssh", "ssh \"$0\" -- \"$@\""),
];

/// What the arguments depend on, beside the order.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Id of the image.
    pub image: String,
    /// This program's files.
    pub loader: Loader,
    /// Limits of the node's own processes: name, soft, hard; -1 is none.
    pub limits: Vec<(&'static str, i64, i64)>,
    /// Descriptions of devices.
    pub devices: String,
}

/// Starts the container of the order and waits until it takes orders.
pub fn start(order: &Order, world: &World) -> Result<String, String> {
    let runtime = find(&order.settings, world.path()).map_err(|none| none.to_string())?;
    let program = std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
    let facts = Facts {
        image: noted(&order.image())?,
        loader: Loader::of(&program, world)?,
        limits: limits(),
        devices: gpus::described(),
    };
    let failed = |error: io::Error| format!("the node's folder cannot be used: {error}");
    share(order, &facts.loader).map_err(failed)?;
    let engine = Engine::open(order, world, runtime).map_err(failed)?;
    if let (Runtime::Docker(_), Some(root)) = (&engine.runtime, &order.isolated) {
        let mounted = mountinfo::beneath(Path::new(root)).into_iter();
        let mounted: Vec<_> = mounted.map(|mount| mount.path).rev().collect();
        docker::unseen(order, root, &mounted).map_or(Ok(()), Err)?;
    }
    let arguments = arguments(order, &facts, &engine.runtime)?;
    Begun::note(&order.node, &order.name, &engine.runtime).map_err(failed)?;
    engine.call(&arguments)?;
    engine.poll_until_ready()?;
    Ok("started".to_owned())
}

/// What node and container share: the folder of what is to be run, and the programs that reach other nodes.
fn share(order: &Order, loader: &Loader) -> io::Result<()> {
    // A container before this one, which did not end well, may have laid links there.
    match fs::remove_dir_all(order.inside()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    order::make_private(&order.inside().join(super::inside::ORDERS))?;
    let words: Vec<String> = loader.words().iter().map(|word| shell_quote(word)).collect();
    let tools = order.inside().join(TOOLS);
    fs::create_dir_all(&tools)?;
    for (name, arguments) in PROGRAMS {
        let mut options = fs::OpenOptions::new();
        let mut program = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o755)
            .open(tools.join(name))?;
        // What the job wants loaded into its own programs is not for this one.
        writeln!(
            program,
            "#!/bin/sh\nunset LD_PRELOAD\nexec {} contained {arguments}",
            words.join(" ")
        )?;
    }
    Ok(())
}

/// Where jobs look for those programs, and where they are. The whole directory takes the place of the node's: a mount
/// on one of its files would be gone when a server that starts replaces the file.
fn tools(order: &Order) -> Option<(String, PathBuf)> {
    let (directory, _) = order.container.remote_shell.rsplit_once('/')?;
    (!directory.is_empty()).then(|| (directory.to_owned(), order.inside().join(TOOLS)))
}

struct Engine<'a> {
    order: &'a Order,
    world: &'a World,
    runtime: Runtime,
    podman: Option<Podman>,
}

impl<'a> Engine<'a> {
    fn open(order: &'a Order, world: &'a World, runtime: Runtime) -> io::Result<Engine<'a>> {
        let podman = match runtime {
            Runtime::Podman(_) => Some(Podman::node(order, world)?),
            Runtime::Docker(_) => None,
        };
        Ok(Engine {
            order,
            world,
            runtime,
            podman,
        })
    }

    fn call<S: AsRef<str>>(&self, arguments: &[S]) -> Result<String, String> {
        let call: Call = match &self.podman {
            Some(podman) => podman.call(arguments),
            None => docker::call(None, arguments),
        };
        self.world.call(self.runtime.program(), &call)
    }

    /// Nobody says when the program in the container has made its socket.
    #[expect(
        clippy::disallowed_methods,
        reason = "a container tells nobody that it is ready; bounded by PATIENCE"
    )]
    fn poll_until_ready(&self) -> Result<(), String> {
        let socket = self.order.inside().join(SOCKET);
        let deadline = since_boot() + PATIENCE;
        let mut looks = 0;
        while !socket.exists() {
            looks += 1;
            if since_boot() >= deadline || (looks % ASK_AFTER == 0 && !self.runs()) {
                let said = self.call(&["logs", "--tail", "20", &self.order.name]);
                let said = said.unwrap_or_else(|error| error);
                return Err(format!(
                    "the container has started but takes no orders; it says: {said}"
                ));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn runs(&self) -> bool {
        let state = self.call(&["inspect", "--format", "{{.State.Running}}", &self.order.name]);
        state.is_ok_and(|state| state == "true")
    }
}

/// The arguments that start it.
pub fn arguments(order: &Order, facts: &Facts, runtime: &Runtime) -> Result<Vec<String>, String> {
    let podman = matches!(runtime, Runtime::Podman(_));
    let words = facts.loader.words();
    let (program, rest) = words.split_first().ok_or("this program has no name")?;
    let mut all: Vec<String> = [
        "run",
        "--detach",
        "--name",
        &order.name,
        "--label",
        &format!("{}={}", docker::LABEL, order.node.display()),
        "--network=host",
        "--user=0:0",
        "--workdir=/",
        "--security-opt=label=disable",
        // What it makes in a share, others find there.
        "--cap-drop=MKNOD",
        "--env",
        &format!("{MARK}={}", order.mark),
        "--entrypoint",
        program,
    ]
    .map(str::to_owned)
    .into();
    if podman {
        all.extend(
            [
                "--pull=never",
                "--systemd=false",
                "--no-healthcheck",
                "--log-driver=k8s-file",
            ]
            .map(str::to_owned),
        );
    } else {
        all.push("--no-healthcheck".to_owned());
    }
    if let Some(cgroup) = &order.cgroup {
        all.push(format!("--cgroup-parent={cgroup}"));
    }
    if let Some(bytes) = order.container.shm_bytes {
        all.push(format!("--shm-size={bytes}"));
    }
    for (name, soft, hard) in &facts.limits {
        all.push(format!("--ulimit={name}={soft}:{hard}"));
    }
    all.extend(if podman {
        gpus::podman(&order.gpus, &facts.devices)?
    } else {
        gpus::docker(&order.gpus)
    });
    if podman {
        let directories = order.directories.iter();
        all.extend(directories.flat_map(|directory| bind(directory, directory, false)));
    } else {
        let shown = order.shown.iter();
        all.extend(shown.flat_map(|(source, path)| bind(source, path, false)));
    }
    let inside = order.inside();
    all.extend(bind(&inside.display().to_string(), INSIDE, false));
    if let Some((path, source)) = tools(order) {
        all.extend(bind(&source.display().to_string(), &path, true));
    }
    for (source, path) in facts.loader.files() {
        all.extend(bind(&source, &path, true));
    }
    all.push(facts.image.clone());
    all.extend(rest.iter().cloned());
    all.extend(["contained", "init", INSIDE].map(str::to_owned));
    Ok(all)
}

/// Fields are read as those of a CSV file.
fn bind(source: &str, path: &str, read_only: bool) -> [String; 2] {
    let field = |name: &str, value: &str| {
        let text = format!("{name}={value}");
        if text.contains([',', '"']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let end = if read_only { ",readonly" } else { "" };
    [
        "--mount".to_owned(),
        format!(
            "type=bind,{},{}{end}",
            field("source", source),
            field("target", path)
        ),
    ]
}

/// The limits of this process, which are those of the node's other processes too: a runtime that may not raise limits
/// fails with its own.
fn limits() -> Vec<(&'static str, i64, i64)> {
    let of = |name, resource| {
        let found = getrlimit(resource);
        let number = |limit: Option<u64>| limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
        (name, number(found.current), number(found.maximum))
    };
    let (nproc, soft, hard) = of("nproc", Resource::Nproc);
    // podman lowers its own to the highest process number.
    let highest = fs::read_to_string("/proc/sys/kernel/pid_max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let within = |limit: i64| match highest {
        Some(highest) if limit < 0 || limit > highest => highest,
        _ => limit,
    };
    vec![
        of("nofile", Resource::Nofile),
        (nproc, within(soft), within(hard)),
        of("memlock", Resource::Memlock),
    ]
}
