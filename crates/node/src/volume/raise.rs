//! Mounting one volume by a program.

use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::launch::{Behind, Mount, RcloneRemote};

use super::keep::{Keep, is_root};
use super::keeper::Keeper;
use super::tool::Recipe;
use super::{command, kernel, rclone};
use crate::errand::{Errand, Running};
use crate::fence::Fence;
use crate::mountinfo;

/// Longest time for rclone to mount.
const APPEAR_WITHIN: Duration = Duration::from_secs(30);
/// Pause between looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Longest time for a store to answer for the first time.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// Longest time for a user's mount command.
const COMMAND_WITHIN: Duration = Duration::from_secs(120);
/// What rclone's mounts are called by the kernel.
const RCLONE: &str = "fuse.rclone";

/// A volume on its way up.
#[derive(Debug)]
pub struct Raise {
    id: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// rclone is started and has to mount.
    Appearing { until: Duration, look_at: Duration },
    /// It is mounted; whether its store answers is tried.
    Trying(Running),
    /// A program mounts it.
    Mounting(Running, &'static [&'static str]),
}

impl Raise {
    /// Begins to mount it. What a user is to know of its options goes to `notes`. An error leaves nothing behind.
    pub fn begin(
        mount: &Mount,
        now: Duration,
        keep: &mut Keep,
        fence: &Fence,
        notes: &mut Vec<String>,
    ) -> Result<Raise, String> {
        let id = keep
            .add(mount)
            .map_err(|error| format!("no directory can be made for it: {error}"))?;
        let begun = match &mount.behind {
            Behind::Rclone(remote) => start_rclone(id, remote, mount, now, keep, fence, notes),
            Behind::Source(_) | Behind::Cifs(_) | Behind::Nfs(_) | Behind::Command(_) => {
                recipe(id, mount, keep).and_then(|recipe| start_mount(id, mount, recipe, now, keep, fence))
            }
        };
        begun
            .map(|stage| Raise { id, stage })
            .inspect_err(|_| keep.remove(id))
    }

    /// Which volume it becomes.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// When to come again, if nothing ends before.
    pub fn wake_at(&self) -> Duration {
        match &self.stage {
            Stage::Appearing { look_at, .. } => *look_at,
            Stage::Trying(running) | Stage::Mounting(running, _) => running.wake_at(),
        }
    }

    /// Takes note of processes that have ended.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) {
        match &mut self.stage {
            Stage::Trying(running) | Stage::Mounting(running, _) => running.hear(ended),
            Stage::Appearing { .. } => {}
        }
    }

    /// Whether it is up, or why it cannot be. An error leaves nothing behind.
    pub fn step(&mut self, now: Duration, keep: &mut Keep, fence: &Fence) -> Option<Result<(), String>> {
        let over = self.go_on(now, keep, fence)?;
        Some(over.inspect_err(|_| keep.remove(self.id)))
    }

    fn go_on(&mut self, now: Duration, keep: &Keep, fence: &Fence) -> Option<Result<(), String>> {
        let kept = keep.get(self.id)?;
        let words = || kept.keeper.as_ref().map(Keeper::last_words).unwrap_or_default();
        match &mut self.stage {
            Stage::Appearing { until, look_at } => {
                let over = kept.keeper.as_ref().is_none_or(Keeper::is_over);
                if !over && mountinfo::at(&kept.at).is_some_and(|found| found.kind == RCLONE) {
                    let errand = Errand {
                        name: "the first look into it".to_owned(),
                        arguments: first_look(&kept.at),
                        environment: keep.environment.clone(),
                        within: ANSWER_WITHIN,
                    };
                    match errand.start(fence, now) {
                        Ok(running) => self.stage = Stage::Trying(running),
                        Err(failed) => return Some(Err(failed.to_string())),
                    }
                    None
                } else if over {
                    Some(Err(format!("rclone has ended: {}", words())))
                } else if now >= *until {
                    let why = format!(
                        "rclone did not mount it in {} s: {}",
                        APPEAR_WITHIN.as_secs(),
                        words()
                    );
                    Some(Err(why))
                } else {
                    *look_at = now + LOOK_EVERY;
                    None
                }
            }
            Stage::Trying(running) => {
                let over = running.step(now)?;
                Some(over.map_err(|failed| format!("{}: {}", failed.why, words())))
            }
            Stage::Mounting(running, kinds) => {
                let over = running.step(now)?;
                let _ = std::fs::remove_file(keep.key(self.id));
                Some(
                    over.map_err(|failed| failed.to_string())
                        .and_then(|()| is_up(&kept.at, kinds)),
                )
            }
        }
    }
}

/// Reads the directory and prints next to nothing. rclone remembers what it read, so this costs nothing twice.
fn first_look(at: &Path) -> Vec<String> {
    let at = at.display().to_string();
    ["find", &at, "-maxdepth", "0", "-empty"]
        .map(str::to_owned)
        .to_vec()
}

fn is_up(at: &Path, kinds: &[&str]) -> Result<(), String> {
    match mountinfo::at(at) {
        Some(found) if kinds.is_empty() || kinds.contains(&found.kind.as_str()) => Ok(()),
        Some(found) => Err(format!("it is mounted with type {}", found.kind)),
        None => Err("the program ended with 0 and nothing is mounted there".to_owned()),
    }
}

fn start_rclone(
    id: u32,
    remote: &RcloneRemote,
    mount: &Mount,
    now: Duration,
    keep: &mut Keep,
    fence: &Fence,
    notes: &mut Vec<String>,
) -> Result<Stage, String> {
    let options = rclone::Options::read(mount.options.as_deref().unwrap_or_default());
    if !options.ignored.is_empty() {
        notes.push(format!(
            "mountOptions of {} that have no meaning here: {}",
            mount.path,
            options.ignored.join(" ")
        ));
    }
    let files = keep.files(id, &remote.path);
    let at = keep.get(id).map(|kept| kept.at.clone()).unwrap_or_default();
    let places = rclone::Places {
        at: &at,
        cache: &files.cache,
    };
    let arguments = rclone::arguments(remote, &options, places, keep.owner, is_root());
    let environment = rclone::environment(remote, &keep.environment);
    let keeper =
        Keeper::start(&arguments, &environment, files, fence).map_err(|error| missing("rclone", &error))?;
    keep.set_keeper(id, keeper);
    Ok(Stage::Appearing {
        until: now + APPEAR_WITHIN,
        look_at: now,
    })
}

fn missing(program: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("the program {program} is not on this machine; its administrator can install it")
        }
        _ => format!("{program} could not be started: {error}"),
    }
}

fn recipe(id: u32, mount: &Mount, keep: &Keep) -> Result<Recipe, String> {
    let at = keep.get(id).map(|kept| kept.at.clone()).unwrap_or_default();
    match &mount.behind {
        Behind::Cifs(share) => Ok(kernel::cifs(share, &at, &keep.key(id), keep.owner)),
        Behind::Nfs(export) => Ok(kernel::nfs(export, &at)),
        Behind::Command(line) => {
            let words = command::permitted(line, is_root(), &keep.allowed);
            let mut arguments = words.map_err(|refused| refused.to_string())?;
            arguments.push(at.display().to_string());
            Ok(Recipe {
                arguments,
                key: None,
                kinds: &[],
                within: COMMAND_WITHIN,
            })
        }
        Behind::Source(_) | Behind::Rclone(_) => Err("it is not mounted by a command".to_owned()),
    }
}

fn start_mount(
    id: u32,
    mount: &Mount,
    recipe: Recipe,
    now: Duration,
    keep: &Keep,
    fence: &Fence,
) -> Result<Stage, String> {
    if let Some(key) = &recipe.key {
        let unwritten = |error| format!("its credentials cannot be written: {error}");
        keep.write_key(id, key).map_err(unwritten)?;
    }
    let errand = Errand {
        name: format!("mount of {}", mount.path),
        arguments: recipe.arguments,
        environment: keep.environment.clone(),
        within: recipe.within,
    };
    let running = errand.start(fence, now).map_err(|failed| failed.to_string())?;
    Ok(Stage::Mounting(running, recipe.kinds))
}
