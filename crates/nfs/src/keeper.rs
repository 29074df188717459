//! The thread that has what is wanted be so.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use tracing::{error, info, warn};

use crate::configuration::{Line, text};
use crate::export::{Export, Quoted};
use crate::exporter::{PID_FILE, Settings, Shared, end_left};
use crate::holder::{holder, timespec};
use crate::journal::{Journal, READ_ANEW, SERVES, complaint};
use crate::numbers::{Numbers, write};
use crate::process::{Files, Process};

/// How often folders are looked for that were missing.
const LOOK: Duration = Duration::from_secs(10);
/// How long the NFS server may take to serve, and to read its exports anew.
const ANSWER: Duration = Duration::from_secs(10);
/// How often its log is looked at meanwhile.
const BETWEEN: Duration = Duration::from_millis(10);
/// Pause before it is started again; it doubles up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// One that ran as long is started again after the shortest pause.
const RAN_WELL: Duration = Duration::from_secs(60);

pub(crate) struct Keeper {
    settings: Settings,
    shared: Arc<Shared>,
    journal: Journal,
    numbers: Numbers,
    running: Option<Running>,
    /// The exports that the NFS server knows.
    known: Vec<Line>,
    /// What cannot be exported and was told.
    told: BTreeSet<String>,
    /// When it may be started again, and after which pause.
    not_before: Duration,
    pause: Duration,
}

struct Running {
    process: Process,
    since: Duration,
}

impl Keeper {
    pub(crate) fn new(settings: Settings, shared: Arc<Shared>) -> Keeper {
        Keeper {
            journal: Journal::new(settings.folder.join("log")),
            numbers: Numbers::load(settings.folder.join("numbers.json")),
            settings,
            shared,
            running: None,
            known: Vec::new(),
            told: BTreeSet::new(),
            not_before: Duration::ZERO,
            pause: PAUSES.0,
        }
    }

    /// Works until it is told to end.
    pub(crate) fn run(mut self) {
        while let Some(wanted) = self.shared.wanted() {
            if let Some(wanted) = wanted {
                self.round(&wanted);
            }
            self.sleep();
        }
        // The NFS server ends with its process.
        self.running = None;
    }

    fn round(&mut self, wanted: &[Export]) {
        self.notice_death();
        let lines = self.lines(wanted);
        if self.running.is_some() {
            if lines != self.known {
                self.change(lines);
            }
        } else if self.now() >= self.not_before {
            self.start(lines);
        }
    }

    fn now(&self) -> Duration {
        (self.settings.clock)()
    }

    /// What is wanted as it is written, without what cannot be exported now.
    fn lines(&mut self, wanted: &[Export]) -> Vec<Line> {
        let names = wanted.iter().map(|export| export.name.as_str()).collect();
        if let Err(error) = self.numbers.keep(&names) {
            error!(%error, "the numbers of exports cannot be kept; new file servers are not exported");
        }
        let mut lines = Vec::new();
        let mut told = BTreeSet::new();
        for export in wanted {
            match self.line(export) {
                Ok(line) => lines.push(line),
                Err(why) => {
                    if !self.told.contains(&export.name) {
                        warn!(export = export.at.as_str(), why, "a file server is not exported");
                    }
                    told.insert(export.name.clone());
                }
            }
        }
        self.told = told;
        lines
    }

    fn line(&self, export: &Export) -> Result<Line, String> {
        let number = self.numbers.of(&export.name);
        let number = number.ok_or("it has no number")?;
        let real = export
            .folder
            .canonicalize()
            .map_err(|error| format!("its folder: {error}"))?;
        let text = real.to_str().ok_or("the path of its folder is not UTF-8")?;
        let folder = Quoted::new("the folder", text).map_err(|error| error.to_string())?;
        Ok(Line {
            number,
            folder,
            at: export.at.clone(),
        })
    }

    /// Starts the NFS server with these exports.
    fn start(&mut self, lines: Vec<Line>) {
        let from = self.journal.end();
        let mut started = self.try_start(&lines, from);
        if started.is_err() && self.is_another() {
            // A server that was killed just after it had started one left it before it had the lock.
            started = self.try_start(&lines, from);
        }
        if let Err(why) = &started {
            let seconds = self.pause.as_secs_f32();
            error!(
                why,
                again_after_seconds = seconds,
                "the NFS server does not run; no file server is exported"
            );
            self.running = None;
            self.wait_longer();
        } else {
            self.known = lines;
            let process = self.running.as_ref().map(|running| running.process.id());
            info!(process, listen = %self.settings.listen, exports = self.known.len(), "file servers are exported by NFS");
            self.tell_complaint(from);
        }
        self.shared.tell(started);
    }

    fn try_start(&mut self, lines: &[Line], from: u64) -> Result<(), String> {
        end_left(&self.settings.folder).map_err(|error| error.to_string())?;
        self.write(lines)?;
        let (configuration, pid) = (self.configuration(), self.settings.folder.join(PID_FILE));
        let files = Files {
            configuration: &configuration,
            log: self.journal.path(),
            pid: &pid,
        };
        let program = &self.settings.program;
        let process =
            Process::start(program, files).map_err(|error| format!("{}: {error}", program.display()))?;
        let since = self.now();
        self.running = Some(Running { process, since });
        if self.says(SERVES, from) {
            return Ok(());
        }
        let words = complaint(&self.journal.since(from));
        Err(words.unwrap_or_else(|| format!("it said no reason; see {}", self.journal.path().display())))
    }

    /// Whether one runs that is not of this start.
    fn is_another(&mut self) -> bool {
        self.running = None;
        holder(&self.settings.folder.join(PID_FILE)).is_ok_and(|found| found.is_some())
    }

    /// Has it know these exports. Where a path goes from one folder to another, it must forget the first one before.
    fn change(&mut self, lines: Vec<Line>) {
        let stay: Vec<Line> = self
            .known
            .iter()
            .filter(|line| lines.contains(line))
            .cloned()
            .collect();
        let steps = if stay.len() < self.known.len() && stay.len() < lines.len() {
            vec![stay, lines]
        } else {
            vec![lines]
        };
        for lines in steps {
            let from = self.journal.end();
            if let Err(why) = self.write(&lines) {
                return error!(why, "the exports of the NFS server cannot be written");
            }
            if let Some(running) = &self.running {
                running.process.read_anew();
            }
            if !self.says(READ_ANEW, from) {
                warn!("the NFS server does not read its exports anew; it is started again");
                self.running = None;
                return;
            }
            self.known = lines;
            self.tell_complaint(from);
        }
        info!(
            exports = self.known.len(),
            "the exports of file servers have changed"
        );
    }

    fn write(&self, lines: &[Line]) -> Result<(), String> {
        let text = text(&self.settings, lines).map_err(|error| error.to_string())?;
        let file = self.configuration();
        write(&file, text.as_bytes()).map_err(|error| format!("{}: {error}", file.display()))
    }

    fn configuration(&self) -> PathBuf {
        self.settings.folder.join("ganesha.conf")
    }

    /// Whether the NFS server says so in time, and does not end before.
    fn says(&self, words: &str, from: u64) -> bool {
        let until = self.now() + ANSWER;
        let Some(running) = &self.running else {
            return false;
        };
        loop {
            let over = running.process.ends_within(BETWEEN) || self.now() >= until;
            if self.journal.since(from).contains(words) {
                return true;
            }
            if over {
                return false;
            }
        }
    }

    fn tell_complaint(&self, from: u64) {
        if let Some(says) = complaint(&self.journal.since(from)) {
            warn!(
                says,
                "the NFS server has a complaint; some file servers may not be exported"
            );
        }
    }

    /// Takes note of its end, which nobody has asked for.
    fn notice_death(&mut self) {
        let Some(running) = &mut self.running else { return };
        let Some(how) = running.process.ended() else {
            return;
        };
        let since = running.since;
        if self.now().saturating_sub(since) >= RAN_WELL {
            self.pause = PAUSES.0;
        }
        warn!(%how, again_after_seconds = self.pause.as_secs_f32(), "the NFS server has ended");
        self.running = None;
        self.wait_longer();
    }

    fn wait_longer(&mut self) {
        self.not_before = self.now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSES.1);
    }

    /// Until there is something to do: a wish, its end, or the time for another look.
    fn sleep(&self) {
        let mut descriptors = vec![PollFd::new(&self.shared.wake, PollFlags::IN)];
        let time = match &self.running {
            Some(running) => {
                descriptors.push(PollFd::new(running.process.handle(), PollFlags::IN));
                LOOK
            }
            None => self.not_before.saturating_sub(self.now()).max(BETWEEN).min(LOOK),
        };
        let _ = poll(&mut descriptors, Some(&timespec(time)));
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.shared.wake, &mut count);
    }
}
