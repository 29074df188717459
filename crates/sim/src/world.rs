//! The simulated world: one server at a time, its disk, its engine, its clients.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::Value;
use trainyard_domain::ids::{Attempt, GpuId, Uid};
use trainyard_domain::name::SubscriptionId;
use trainyard_domain::state::JobStatus;
use trainyard_engine::fake::FakeEngine;
use trainyard_engine::{Capacity, Engine};
use trainyard_server::{App, Clock, Ports, Pump, Quotas, Settings, SignInKey, VmSize};
use trainyard_storage::{Account, AccountName, Accounts, FileServers, LinkKey};
use trainyard_store::Store;
use trainyard_store::db::InlineHandle;
use trainyard_store::seal::{SealKey, system_random};

use crate::client::{self, Answer, SUBSCRIPTION, TOKEN};
use crate::faults::{Rates, SeededScript, SharedRates, rates};
use crate::model::Model;
use crate::ports::{SimClock, SimRandom};
use crate::rng::Rng;
use crate::trace::Trace;
use crate::watch::Watch;
use crate::workload::BROKEN_ACCOUNT;
use crate::{Broken, Checked, Report, Work};

/// Nodes that the engine can hold. Fewer than all clusters together may ask for.
pub const MOST_NODES: u32 = 16;
/// GPUs that the machine has when all is well: enough for as many nodes of any size.
const ALL_GPUS: u64 = 2 * MOST_NODES as u64;
/// Most GPUs that it offers while things go wrong, so that clusters have to wait for them.
const FEW_GPUS: u64 = 6;
/// VM sizes by what is asked for, and how many GPUs each has.
const SIZES: [(&str, u32); 3] = [("STANDARD_D1", 0), ("STANDARD_NC6", 1), ("STANDARD_NC12", 2)];
/// Bytes without which no job starts.
const MIN_FREE: u64 = 1_000;
/// Most tries of one request, each cut off by a crash.
const TRIES: u32 = 50;
/// How many steps lie between two looks at everything that the client knows.
const LOOK_EVERY: u32 = 25;

/// The world.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) rates: SharedRates,
    pub(crate) engine: Arc<FakeEngine>,
    /// What checkers read.
    pub(crate) store: Store,
    pub(crate) model: Model,
    pub(crate) watch: Watch,
    pub(crate) settings: Settings,
    /// The last request was sent more than once.
    pub(crate) retried: bool,
    pub(crate) broken_share: PathBuf,
    ports: Ports,
    handle: InlineHandle,
    server: Server,
    pub(crate) weights: Weights,
    step: u32,
    crashes: u32,
    requests: u32,
    kills: u32,
    pub(crate) resizes: u32,
    pub(crate) pre_empted: (u32, u32),
    _folder: tempfile::TempDir,
}

struct Server {
    app: Arc<App>,
    pump: Pump,
}

/// How often each kind of step comes.
pub(crate) struct Weights {
    pub(crate) act: u64,
    round: u64,
    full: u64,
    wait: u64,
    kill: u64,
    crash: u64,
    jump: u64,
    share: u64,
    disk: u64,
    /// Highest number in the names of workspaces, experiments and clusters: few names, much contention.
    pub(crate) names: u64,
    /// Whether there are jobs that do not end by themselves.
    pub(crate) endless: bool,
}

impl Weights {
    fn draw(rng: &mut Rng) -> Weights {
        Weights {
            act: rng.between(20, 60),
            round: rng.between(15, 60),
            full: rng.between(1, 8),
            wait: rng.between(10, 50),
            kill: rng.between(0, 3),
            crash: rng.between(0, 3),
            jump: rng.between(0, 1),
            share: rng.between(0, 1),
            disk: rng.between(0, 1),
            names: rng.between(0, 1),
            endless: true,
        }
    }
}

fn seal_key() -> SealKey {
    SealKey::from_bytes(&[7; 32], system_random())
}

fn settings(rng: &mut Rng) -> Checked<Settings> {
    let size = |gpus| VmSize {
        cores: 1,
        memory: 7 << 29,
        processes: 4096,
        gpus,
        family: "Standard D Family".to_owned(),
        premium_storage: false,
    };
    Ok(Settings {
        subscriptions: vec![SubscriptionId::new(SUBSCRIPTION).map_err(|e| Broken::new(e.to_string()))?],
        public_url: None,
        vm_sizes: SIZES.map(|(name, gpus)| (name.to_owned(), size(gpus))).into(),
        families: Vec::new(),
        quotas: Quotas {
            clusters: 1_000,
            dedicated_cores: Some(1_000),
            low_priority_cores: Some(1_000),
            family_cores: BTreeMap::new(),
        },
        min_free_bytes: MIN_FREE,
        max_node_losses: rng.small(0, 3),
        idle_seconds: rng.small(1, 60),
        grace_seconds: rng.small(0, 30),
        caps: trainyard_domain::launch::Caps::default(),
        kept: trainyard_server::Kept::default(),
        ignore_missing_gpus: rng.chance(300),
        addresses: trainyard_engine::Addresses::Loopback,
        enforce_limits: true,
        tenant: "00000000-0000-4000-8000-000000000001".to_owned(),
        token_seconds: 3600,
        managed_identity: false,
        account_groups: BTreeMap::new(),
        body_bytes: 1 << 20,
    })
}

/// GPUs by their numbers.
fn gpus(numbers: impl IntoIterator<Item = u64>) -> Vec<GpuId> {
    numbers.into_iter().map(|n| GpuId(format!("GPU-{n}"))).collect()
}

fn capacity(free_bytes: u64, gpus: Vec<GpuId>) -> Capacity {
    Capacity {
        max_nodes: MOST_NODES,
        gpus,
        free_ports: (20_000..20_050).collect(),
        free_bytes,
    }
}

fn wrong(what: &str, error: impl std::fmt::Display) -> Broken {
    Broken::new(format!("{what}: {error}"))
}

impl Server {
    /// Starts on what the disk holds.
    fn start(settings: &Settings, ports: &Ports, handle: &InlineHandle) -> Checked<Server> {
        let store = Store::inline(handle.clone(), seal_key()).map_err(|e| wrong("the store", e))?;
        let ports = Ports {
            store,
            ..ports.clone()
        };
        let app = App::new(settings.clone(), ports, Box::new(|_| {}));
        app.ensure_admin_token(TOKEN)
            .map_err(|e| wrong("the admin token", e))?;
        let pump = app.pump();
        Ok(Server { app, pump })
    }
}

impl World {
    pub(crate) fn new(seed: u64, show: Box<dyn FnMut(&str)>) -> Checked<World> {
        let mut rng = Rng::new(seed);
        let folder = tempfile::tempdir().map_err(|e| wrong("a folder", e))?;
        let broken_share = folder.path().join("flaky");
        let account = AccountName::new(BROKEN_ACCOUNT).map_err(|e| wrong("an account", e))?;
        let broken = Account::Directory(broken_share.clone());
        let accounts = Accounts::new(folder.path(), BTreeMap::from([(account, broken)]));
        let settings = settings(&mut rng)?;
        let rates: SharedRates = Arc::new(Mutex::new(Rates::draw(&mut rng)));
        let clock = Arc::new(SimClock::new());
        let script = SeededScript::new(rng.fork(), Arc::clone(&rates));
        let engine = Arc::new(FakeEngine::new(
            Box::new(script),
            capacity(MIN_FREE, gpus(0..FEW_GPUS)),
            clock.now(),
        ));
        let handle = InlineHandle::memory().map_err(|e| wrong("the database", e))?;
        let store = Store::inline(handle.clone(), seal_key()).map_err(|e| wrong("the store", e))?;
        let ports = Ports {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::new(SimRandom::new(rng.fork())),
            store: store.clone(),
            engine: Arc::clone(&engine) as Arc<dyn Engine>,
            accounts: Arc::new(accounts),
            file_servers: FileServers::new(folder.path().join("file-servers")),
            vaults: None,
            link_key: Arc::new(LinkKey::new([3; 32])),
            sign_in_key: Arc::new(SignInKey::new([4; 32])),
        };
        let server = Server::start(&settings, &ports, &handle)?;
        let mut trace = Trace::new(show);
        trace.note(format!(
            "seed {seed}: {settings:?} {:?}",
            crate::faults::rates(&rates)
        ));
        Ok(World {
            weights: Weights::draw(&mut rng),
            rng,
            trace,
            clock,
            rates,
            engine,
            store,
            model: Model::default(),
            watch: Watch::default(),
            settings,
            retried: false,
            broken_share,
            ports,
            handle,
            server,
            step: 0,
            crashes: 0,
            requests: 0,
            kills: 0,
            resizes: 0,
            pre_empted: (0, 0),
            _folder: folder,
        })
    }

    /// The work, then until everything has settled.
    pub(crate) fn run(&mut self, work: Work) -> Checked {
        self.put_group()?;
        match work {
            Work::Steps(steps) => {
                for _ in 0..steps {
                    self.next_step();
                    self.one()?;
                    self.check_step()?;
                }
            }
            Work::Resizes(resizes) => self.resize_often(resizes)?,
        }
        self.settle()
    }

    /// What must hold after every step, and now and then everything.
    pub(crate) fn check_step(&mut self) -> Checked {
        self.check()?;
        self.check_clusters()?;
        if self.step.is_multiple_of(LOOK_EVERY) {
            self.check_model()?;
        }
        Ok(())
    }

    pub(crate) fn next_step(&mut self) {
        self.step += 1;
    }

    pub(crate) fn step(&self) -> u32 {
        self.step
    }

    pub(crate) fn tail(&self) -> Vec<String> {
        self.trace.tail()
    }

    pub(crate) fn report(&self) -> Report {
        Report {
            hash: self.trace.hash(),
            crashes: self.crashes,
            requests: self.requests,
            starts: self.watch.starts(),
            kills: self.kills,
            resizes: self.resizes,
            pre_empted: self.pre_empted,
            millis: self.clock.elapsed(),
        }
    }

    pub(crate) fn note(&mut self, line: String) {
        let line = format!("{:>4} {:>9} {line}", self.step, self.clock.elapsed());
        self.trace.note(line);
    }

    pub(crate) fn one(&mut self) -> Checked {
        let w = &self.weights;
        let kinds = [
            w.act, w.round, w.full, w.wait, w.kill, w.crash, w.jump, w.share, w.disk,
        ];
        let mut drawn = self.rng.between(0, kinds.iter().sum::<u64>().saturating_sub(1));
        let kind = kinds.iter().position(|weight| {
            let here = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            here
        });
        match kind {
            Some(0) => self.act(),
            Some(1) => self.round(false).map(|_| ()),
            Some(2) => self.round(true).map(|_| ()),
            Some(3) => {
                let most = *self.rng.pick(&[500, 3_000, 15_000]).unwrap_or(&500);
                let millis = self.rng.between(1, most);
                self.wait(millis)
            }
            Some(4) => self.kill(),
            Some(5) => self.crash("between two steps"),
            Some(6) => {
                let millis = self.rng.between(60_000, 40 * 3_600_000);
                self.wait(millis)
            }
            Some(7) => self.toggle_share(),
            _ => {
                let free = self.rng.between(MIN_FREE / 2, MIN_FREE * 2);
                let there = gpus((0..FEW_GPUS).filter(|_| self.rng.chance(700)));
                self.note(format!(
                    "{free} bytes are free, and {} GPUs are there",
                    there.len()
                ));
                self.engine.set_capacity(capacity(free, there));
                Ok(())
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, millis: u64) -> Checked {
        self.clock.pass(i64::try_from(millis).unwrap_or(i64::MAX));
        self.note(format!("{millis} ms pass"));
        self.engine.advance(self.clock.now());
        self.absorb()
    }

    fn absorb(&mut self) -> Checked {
        for words in self.watch.absorb(&self.engine)? {
            self.note(words);
        }
        Ok(())
    }

    fn kill(&mut self) -> Checked {
        let nodes = self.engine.nodes();
        let Some(node) = self.rng.pick(&nodes) else {
            return Ok(());
        };
        if self.engine.kill_node(*node) {
            self.kills += 1;
            self.note(format!("node {node} dies"));
        }
        Ok(())
    }

    /// The server ends here and starts again; what it had in memory is lost.
    pub(crate) fn crash(&mut self, when: &str) -> Checked {
        self.note(format!("the server crashes {when}"));
        self.crashes += 1;
        self.server = Server::start(&self.settings, &self.ports, &self.handle)?;
        Ok(())
    }

    /// The share that breaks now and then breaks, or is mended.
    fn toggle_share(&mut self) -> Checked {
        let broken = self.broken_share.is_file();
        self.set_share(!broken)
    }

    /// A share is broken when a file is where its account's directory must be.
    pub(crate) fn set_share(&mut self, broken: bool) -> Checked {
        let path = &self.broken_share;
        let cleared = match (path.is_file(), path.is_dir()) {
            (true, _) => fs::remove_file(path),
            (_, true) => fs::remove_dir_all(path),
            _ => Ok(()),
        };
        let done = cleared.and_then(|()| if broken { fs::write(path, "broken") } else { Ok(()) });
        done.map_err(|e| wrong("the share", e))?;
        self.note(format!(
            "the share is {}",
            if broken { "broken" } else { "mended" }
        ));
        Ok(())
    }

    /// The disk is as free as it must be, and there are GPUs enough.
    pub(crate) fn mend_machine(&mut self) {
        self.engine.set_capacity(capacity(MIN_FREE, gpus(0..ALL_GPUS)));
    }

    /// A round of the reconcilers, perhaps cut off by a crash; whether it was not and there is more to do.
    pub(crate) fn round(&mut self, full: bool) -> Checked<bool> {
        let rates = rates(&self.rates);
        if self.rng.chance(rates.crash_at_effect) {
            // What was observed is lost with the round.
            let _ = self.engine.observe();
            self.crash("while it decides")?;
            return Ok(false);
        }
        let before = self.before_round()?;
        let decided = self
            .server
            .pump
            .decide(full)
            .map_err(|e| wrong("a round failed", e))?;
        self.note(format!(
            "{} round: {} effects{}",
            if full { "full" } else { "a" },
            decided.effects.len(),
            if decided.again { ", and again" } else { "" }
        ));
        self.check_round(&before, full)?;
        self.check_running()?;
        for effect in decided.effects {
            if self.rng.chance(rates.crash_at_effect) {
                self.crash("before it tells an effect")?;
                return Ok(false);
            }
            self.server.pump.perform(effect);
            self.check_running()?;
        }
        self.absorb()?;
        Ok(decided.again)
    }

    /// Sends a request until it is answered: the server may crash before it, or after it and before its
    /// answer, which the client then does not know.
    pub(crate) fn ask(&mut self, method: &Method, target: &str, body: Option<&Value>) -> Checked<Answer> {
        self.retried = false;
        for _ in 0..TRIES {
            let rate = rates(&self.rates).crash_at_request;
            if self.rng.chance(rate / 2) {
                self.crash("before a request")?;
                self.interlude()?;
                self.retried = true;
            }
            let answer = client::send(&self.server.app, method, target, body)?;
            self.requests += 1;
            let short = target.rsplit("Microsoft.BatchAI/").next().unwrap_or(target);
            let code = answer.word("/error/code");
            self.note(format!("{method} {short}: {} {code}", answer.status));
            if self.rng.chance(rate / 2) {
                self.crash("before it answers")?;
                self.interlude()?;
                self.retried = true;
                continue;
            }
            return Ok(answer);
        }
        Err(Broken::new("a request was never answered"))
    }

    /// Reads without faults, as checkers do.
    pub(crate) fn read(&mut self, target: &str) -> Checked<Answer> {
        self.requests += 1;
        client::send(&self.server.app, &Method::GET, target, None)
    }

    /// What happens before a client tries again.
    fn interlude(&mut self) -> Checked {
        if self.rng.chance(500) {
            self.round(false)?;
        }
        if self.rng.chance(300) {
            let millis = self.rng.between(1, 3_000);
            self.wait(millis)?;
        }
        Ok(())
    }
}

/// What is remembered of the store before a round, to see what the round changed.
pub(crate) struct Before {
    /// Nodes there were.
    pub nodes: Vec<Uid>,
    /// Those of them that nobody had told to leave.
    pub staying: BTreeSet<Uid>,
    /// Attempts of jobs on nodes.
    pub attempts: BTreeMap<Uid, Attempt>,
    /// Jobs that are being stopped since a node of theirs was pre-empted.
    pub pre_empted: BTreeMap<Uid, JobStatus>,
}
