//! The container of an attempt, as its node sees it: image, start, end, each an errand that is awaited.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::Duration;

use rustix::process::{Pid, getuid};
use trainyard_domain::ids::GpuId;
use trainyard_domain::launch::{Behind, Container, FAILED_STARTING_CONTAINER, LaunchPlan, Mount, Process};
use trainyard_domain::state::BatchAiError;

use super::cgroups;
use super::inside::{self, Wanted};
use super::order::{self, Order};
use super::settings::Settings;
use super::usage::Usage;
use crate::cgroup::fnv;
use crate::errand::{Errand, Failed, Running};
use crate::fence::Fence;
use crate::files::Folder;
use crate::journal::Journal;
use crate::process::NotStarted;

/// Longest time for an image to come; the job's own time bounds it too.
const PULL_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// Longest time for a container to start, and to go.
const START_WITHIN: Duration = Duration::from_secs(120);
const REMOVE_WITHIN: Duration = Duration::from_secs(60);
/// Variables of the node that are the machine's; in a container the image's count.
const OF_MACHINE: [&str; 5] = ["PATH", "HOME", "USER", "LANG", "TZ"];

/// The node of a container.
#[derive(Debug, Clone)]
pub struct Site {
    /// The node's folder.
    pub folder: PathBuf,
    /// How containers are run.
    pub settings: Settings,
    /// The node's GPUs.
    pub gpus: Vec<GpuId>,
    /// Volumes of its cluster.
    pub mounts: Vec<Mount>,
    /// Where mounts and job directories are.
    pub root: PathBuf,
    /// Whether those are all there as they are, and not behind links.
    pub isolated: bool,
}

/// The container of an attempt.
#[derive(Debug)]
pub struct Contained {
    order: Order,
    environment: BTreeMap<String, String>,
    doing: Option<(Step, Running)>,
    next: Option<Step>,
    /// Its image is not removed as long as this is held.
    usage: Option<Usage>,
    orders: u64,
    /// Whether it runs.
    up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Pull,
    Start,
    Remove,
}

impl Step {
    fn word(self) -> &'static str {
        match self {
            Step::Pull => "pull",
            Step::Start => "start",
            Step::Remove => "remove",
        }
    }

    fn within(self) -> Duration {
        match self {
            Step::Pull => PULL_WITHIN,
            Step::Start => START_WITHIN,
            Step::Remove => REMOVE_WITHIN,
        }
    }
}

impl Contained {
    /// The container that a plan asks for. `environment` is what processes of the node get where they say nothing else.
    pub fn new(
        container: &Container,
        plan: &LaunchPlan,
        mark: &str,
        site: &Site,
        environment: &BTreeMap<String, String>,
    ) -> Contained {
        let cgroup = getuid()
            .is_root()
            .then(|| cgroups::parent(&site.folder))
            .flatten();
        let order = Order {
            settings: site.settings.clone(),
            container: container.clone(),
            name: name(site, plan),
            node: site.folder.clone(),
            mark: mark.to_owned(),
            directories: directories(plan, site),
            shown: shown(plan, site),
            isolated: site.isolated.then(|| site.root.display().to_string()),
            gpus: site.gpus.clone(),
            cgroup,
        };
        Contained {
            order,
            environment: environment.clone(),
            doing: None,
            next: Some(Step::Pull),
            usage: None,
            orders: 0,
            up: false,
        }
    }

    /// When to come again, if nothing ends before.
    pub fn wake_at(&self) -> Option<Duration> {
        self.doing.as_ref().map(|(_, running)| running.wake_at())
    }

    /// Takes note of processes that have ended, with their exit codes.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) {
        if let Some((_, running)) = &mut self.doing {
            running.hear(ended);
        }
    }

    /// Goes on with the start. Call it again when something has ended.
    pub fn start(
        &mut self,
        now: Duration,
        fence: &Fence,
        journal: &Journal,
    ) -> Poll<Result<(), BatchAiError>> {
        loop {
            if let Some((step, running)) = &mut self.doing {
                let Some(over) = running.step(now) else {
                    return Poll::Pending;
                };
                let (step, said) = (*step, running.said());
                self.doing = None;
                if let Err(failed) = over {
                    return Poll::Ready(Err(self.failure(&failed)));
                }
                self.done(step, said.trim(), journal);
            }
            let Some(step) = self.next.take() else {
                return Poll::Ready(Ok(()));
            };
            if step == Step::Pull {
                journal.say(format_args!("image {} is wanted", self.order.container.image));
            }
            if let Err(failed) = self.begin(step, now, fence) {
                return Poll::Ready(Err(self.failure(&failed)));
            }
        }
    }

    fn done(&mut self, step: Step, said: &str, journal: &Journal) {
        match step {
            Step::Pull => {
                journal.say(format_args!("image {}: {said}", self.order.container.image));
                let id = fs::read_to_string(self.order.image()).unwrap_or_default();
                self.usage = Usage::hold(&self.order.settings.store, &id).ok();
                self.next = Some(Step::Start);
            }
            Step::Start => {
                self.up = true;
                journal.say(format_args!("container {} {said}", self.order.name));
                let shell = inside::shell(&self.order.inside()).unwrap_or_default();
                if shell == "sh" {
                    journal.say("the image has no bash: command lines are read by its sh");
                }
            }
            Step::Remove => {}
        }
    }

    /// A process of the attempt as one that the container runs: a client that waits for it, with the same streams and
    /// the same exit code. It finds the programs of the directory `tools` before others of their names.
    pub fn wrap(&mut self, process: &Process, tools: Option<&str>) -> Result<Process, NotStarted> {
        let refused = |error: std::io::Error| NotStarted::because(126, &process.name, &error.to_string());
        self.orders += 1;
        let name = self.orders.to_string();
        let mut wanted = process.clone();
        for (variable, value) in &self.environment {
            if !OF_MACHINE.contains(&variable.as_str()) {
                wanted
                    .environment
                    .entry(variable.clone())
                    .or_insert_with(|| value.clone());
            }
        }
        let wanted = Wanted {
            process: wanted,
            tools: tools.map(str::to_owned),
        };
        inside::put(&self.order.inside(), &name, &wanted).map_err(refused)?;
        let program = std::env::current_exe().map_err(refused)?;
        let folder = self.order.inside().display().to_string();
        Ok(Process {
            arguments: vec![
                program.display().to_string(),
                "contained".to_owned(),
                "run".to_owned(),
                folder,
                name,
            ],
            environment: BTreeMap::new(),
            directory: "/".to_owned(),
            ..process.clone()
        })
    }

    /// Asks all that runs in it to end; it ends with the last of them.
    pub fn stop(&self) {
        if self.up {
            let _ = inside::stop(&self.order.inside());
        }
    }

    /// Gives up the start: its time is over or nobody wants it any more.
    pub fn give_up(&mut self, now: Duration) {
        self.next = None;
        if let Some((_, running)) = &mut self.doing {
            running.kill(now);
        }
    }

    /// Goes on removing it. What cannot be removed is said, and goes with the node.
    pub fn remove(&mut self, now: Duration, fence: &Fence) -> Poll<()> {
        loop {
            match &mut self.doing {
                None => {}
                Some((step, running)) => {
                    let Some(over) = running.step(now) else {
                        return Poll::Pending;
                    };
                    let removed = *step == Step::Remove;
                    self.doing = None;
                    if removed {
                        if let Err(failed) = over {
                            crate::say(format_args!(
                                "the container {} could not be removed: {failed}",
                                self.order.name
                            ));
                        }
                        self.clean();
                        return Poll::Ready(());
                    }
                }
            }
            if let Err(failed) = self.begin(Step::Remove, now, fence) {
                crate::say(failed);
                self.clean();
                return Poll::Ready(());
            }
        }
    }

    /// Nothing secret stays.
    fn clean(&mut self) {
        self.usage = None;
        let folder = self.order.folder();
        let _ = fs::remove_file(order_file(&folder));
        let _ = fs::remove_dir_all(folder.join("login"));
        let _ = fs::remove_dir_all(self.order.inside());
    }

    fn begin(&mut self, step: Step, now: Duration, fence: &Fence) -> Result<(), Failed> {
        let failed = |error: std::io::Error| Failed {
            why: format!("the node's folder cannot be used, {error}"),
            said: String::new(),
        };
        if step == Step::Pull {
            self.clean();
        }
        let folder = self.order.folder();
        order::make_private(&folder)
            .and_then(|()| write(&order_file(&folder), &self.order))
            .map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        let errand = Errand {
            name: format!("{} of the container", step.word()),
            arguments: vec![
                program.display().to_string(),
                "contained".to_owned(),
                step.word().to_owned(),
                order_file(&folder).display().to_string(),
            ],
            environment: self.environment.clone(),
            within: step.within(),
        };
        self.doing = Some((step, errand.start(fence, now)?));
        Ok(())
    }

    fn failure(&self, failed: &Failed) -> BatchAiError {
        let mut error = BatchAiError::new(FAILED_STARTING_CONTAINER, "unable to start docker container");
        let why = match failed.said.trim() {
            "" => failed.why.as_str(),
            said => said,
        };
        error
            .details
            .push(("imageName".to_owned(), self.order.container.image.clone()));
        error.details.push(("Info".to_owned(), why.to_owned()));
        error
    }
}

/// No other container of the machine has it.
fn name(site: &Site, plan: &LaunchPlan) -> String {
    let folder = fnv(site.folder.as_os_str().as_encoded_bytes());
    format!("trainyard-{folder:016x}-{}", plan.placement)
}

/// Directories that appear in the container where they are on the node: those of mounts and jobs, and, where links lead
/// out of them, what is behind those.
fn directories(plan: &LaunchPlan, site: &Site) -> BTreeSet<String> {
    let root = site.root.display().to_string();
    if site.isolated {
        return BTreeSet::from([root]);
    }
    let mounts = site.mounts.iter().chain(&plan.mounts);
    let behind = mounts.filter_map(|mount| match &mount.behind {
        Behind::Source(source) => Some(source.clone()),
        // Mounted beneath the root itself.
        Behind::Rclone(_) | Behind::Cifs(_) | Behind::Nfs(_) | Behind::Command(_) => None,
    });
    behind
        .chain([root, plan.shared_directory.source.clone()])
        .filter(|directory| Path::new(directory).is_dir())
        .collect()
}

/// The same for who sees only the mounts of the machine, where those of an isolated node are not.
fn shown(plan: &LaunchPlan, site: &Site) -> Vec<(String, String)> {
    if !site.isolated {
        let directories = directories(plan, site).into_iter();
        return directories.map(|path| (path.clone(), path)).collect();
    }
    let view = Folder::new(&site.folder).view().display().to_string();
    let mounts = site.mounts.iter().chain(&plan.mounts);
    let behind = mounts.filter_map(|mount| match &mount.behind {
        Behind::Source(source) => Some((source.clone(), mount.path.clone())),
        // The daemon does not see those, and the start says so.
        Behind::Rclone(_) | Behind::Cifs(_) | Behind::Nfs(_) | Behind::Command(_) => None,
    });
    let shared = &plan.shared_directory;
    [(view, site.root.display().to_string())]
        .into_iter()
        .chain(behind)
        .chain([(shared.source.clone(), shared.path.clone())])
        .collect()
}

fn order_file(folder: &Path) -> PathBuf {
    folder.join("order.json")
}

fn write(path: &Path, order: &Order) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    serde_json::to_writer(file, order).map_err(std::io::Error::from)
}
