//! A whole service in a test, and the words to speak to it.
//!
//! A path that begins with `~` is beneath the test's workspace. Every answer is checked for what every
//! answer must be: never a 500, the headers of api.md section 1, no `null` and no planted secret anywhere.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_domain::name::SubscriptionId;
use trainyard_server::{App, Clock, Ports, Pump, Quotas, Random, Settings, SignInKey, VmSize};
use trainyard_storage::{Accounts, FileServers, LinkKey};
use trainyard_store::Store;
use trainyard_store::db::InlineHandle;
use trainyard_store::seal::SealKey;
use trainyard_vaults::Fetcher;

pub use crate::answer::Answer;
use crate::engine::Script;

pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
pub const TENANT: &str = "7e7a7e7a-0000-4000-8000-000000000000";
pub const ADMIN: &str = "the-admin-token";
/// Every secret of a test's bodies contains this; no answer may.
pub const SECRET: &str = "hush7391";
pub const VERSION: &str = "api-version=2018-05-01";

/// A clock that stands still until it is moved, and can be broken.
pub struct TestClock {
    now: Mutex<Timestamp>,
    pub broken: std::sync::atomic::AtomicBool,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        assert!(
            !self.broken.load(std::sync::atomic::Ordering::Relaxed),
            "the clock is broken"
        );
        *self.now.lock().unwrap()
    }
}

/// Randomness that repeats from test to test.
struct Seeded(Mutex<u64>);

impl Random for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in buffer {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    }
}

pub struct House {
    pub app: Arc<App>,
    pub clock: Arc<TestClock>,
    pub engine: Arc<Script>,
    pub disk: InlineHandle,
    pub ports: Ports,
    pub settings: Settings,
    pub folder: Arc<TempDir>,
    /// The token sent; none where empty.
    pub token: RefCell<String>,
    /// Where requests come from; the socket in the data folder where it is none.
    pub peer: Cell<Option<std::net::SocketAddr>>,
    /// Whether a 500 is what the test wants.
    pub may_fail: Cell<bool>,
    pump: RefCell<Pump>,
    runtime: tokio::runtime::Runtime,
}

pub fn settings() -> Settings {
    let size = |cores, gpus, family: &str| VmSize {
        cores,
        memory: 7 << 29,
        processes: 4096,
        gpus,
        family: format!("Standard {family} Family"),
        premium_storage: false,
    };
    Settings {
        subscriptions: vec![SubscriptionId::new(SUBSCRIPTION).unwrap()],
        public_url: None,
        vm_sizes: BTreeMap::from([
            ("STANDARD_D1".to_owned(), size(1, 0, "D")),
            ("STANDARD_D4".to_owned(), size(4, 0, "D")),
            ("STANDARD_NC6".to_owned(), size(6, 1, "NC")),
            (
                "PREMIUM".to_owned(),
                VmSize {
                    premium_storage: true,
                    ..size(1, 0, "D")
                },
            ),
        ]),
        families: ["D", "NC"]
            .map(|family| format!("Standard {family} Family"))
            .to_vec(),
        quotas: Quotas {
            clusters: 20,
            dedicated_cores: Some(600),
            low_priority_cores: Some(600),
            family_cores: BTreeMap::new(),
        },
        min_free_bytes: 1 << 30,
        max_node_losses: 3,
        idle_seconds: 60,
        grace_seconds: 30,
        caps: trainyard_domain::launch::Caps::default(),
        kept: trainyard_server::Kept::default(),
        ignore_missing_gpus: false,
        addresses: trainyard_engine::Addresses::Loopback,
        enforce_limits: true,
        tenant: TENANT.to_owned(),
        token_seconds: 3600,
        managed_identity: false,
        account_groups: BTreeMap::new(),
        body_bytes: 256 * 1024,
    }
}

/// What was logged in this test's thread. One subscriber serves all threads: one of a single thread would
/// be left out by the others' first use of a log line.
#[derive(Clone, Copy)]
struct ThreadLog;

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl std::io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let lines = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false);
        tracing::subscriber::set_global_default(lines.with_writer(|| ThreadLog).finish()).unwrap();
    });
}

/// What this test's thread has logged.
pub fn log() -> String {
    LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned())
}

impl House {
    /// An empty server with an admin.
    pub fn bare() -> House {
        House::with(settings(), InlineHandle::memory().unwrap())
    }

    pub fn with(settings: Settings, disk: InlineHandle) -> House {
        let clock = TestClock {
            now: Mutex::new("2026-03-04T05:06:07.89Z".parse().unwrap()),
            broken: std::sync::atomic::AtomicBool::new(false),
        };
        let folder = Arc::new(tempfile::tempdir().unwrap());
        House::over(
            settings,
            disk,
            Arc::new(clock),
            Arc::new(Script::new()),
            folder,
            None,
            1,
        )
    }

    /// One that fetches from key vaults.
    pub fn with_vaults(vaults: Fetcher, disk: InlineHandle) -> House {
        let House {
            clock,
            engine,
            disk,
            settings,
            folder,
            ..
        } = House::with(settings(), disk);
        House::over(settings, disk, clock, engine, folder, Some(vaults), 5)
    }

    fn over(
        settings: Settings,
        disk: InlineHandle,
        clock: Arc<TestClock>,
        engine: Arc<Script>,
        folder: Arc<TempDir>,
        vaults: Option<Fetcher>,
        seed: u64,
    ) -> House {
        listen();
        let random = Mutex::new(seed);
        let key = SealKey::from_bytes(&[7; 32], {
            let seeded = Seeded(Mutex::new(seed));
            Arc::new(move |buffer| {
                seeded.fill(buffer);
                Ok(())
            })
        });
        let ports = Ports {
            clock: clock.clone(),
            random: Arc::new(Seeded(random)),
            store: Store::inline(disk.clone(), key).unwrap(),
            engine: engine.clone(),
            accounts: Arc::new(Accounts::new(folder.path(), BTreeMap::new())),
            file_servers: FileServers::new(folder.path().join("file-servers")),
            vaults,
            link_key: Arc::new(LinkKey::new([9; 32])),
            sign_in_key: Arc::new(SignInKey::new([11; 32])),
        };
        let app = App::new(settings.clone(), ports.clone(), Box::new(|_| {}));
        app.ensure_admin_token(ADMIN).unwrap();
        app.look_after_folders().unwrap();
        House {
            pump: RefCell::new(app.pump()),
            app,
            clock,
            engine,
            disk,
            ports,
            settings,
            folder,
            token: RefCell::new(ADMIN.to_owned()),
            peer: Cell::new(None),
            may_fail: Cell::new(false),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
        }
    }

    /// With group `rg`, workspace `ws`, experiment `e` and cluster `c` of `nodes` nodes.
    pub fn furnished(nodes: u32) -> House {
        House::bare().furnish(nodes)
    }

    pub fn furnish(self, nodes: u32) -> House {
        self.group("rg");
        self.put("~", json!({"location": "eastus"})).expect(200);
        self.put("~/experiments/e", Value::Null).expect(200);
        self.put("~/clusters/c", cluster(nodes)).expect(200);
        self.pump();
        self
    }

    pub fn group(&self, name: &str) {
        self.put(
            &format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"),
            json!({"location": "eastus"}),
        )
        .expect(201);
    }

    /// Another server process over the same store, engine and time.
    pub fn restart(self) -> House {
        let House {
            clock,
            engine,
            disk,
            settings,
            folder,
            app,
            ports,
            pump,
            ..
        } = self;
        let vaults = ports.vaults.clone();
        drop((app, ports, pump));
        House::over(settings, disk, clock, engine, folder, vaults, 77)
    }

    pub fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, &[], body)
    }

    pub fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, &[], body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Value::Null)
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], Value::Null)
    }

    pub fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], Value::Null)
    }

    /// A request with more headers; no body where it is `null`.
    pub fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let body = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(&body).unwrap()
        };
        self.raw(method, &full(path), headers, body)
    }

    /// A request as it is.
    pub fn raw(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let what = format!("{method} {uri}");
        let described = crate::schema::operation(&method, uri);
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/json");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", "yard.example:8080");
        }
        let token = self.token.borrow();
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(peer) = self.peer.get() {
            request = request.extension(axum::extract::ConnectInfo(peer));
        }
        let request = request.body(Body::from(body)).unwrap();
        let (parts, body) = self
            .runtime
            .block_on(async { self.app.answer(request).await.into_parts() });
        let body = self
            .runtime
            .block_on(body.collect())
            .map(|b| b.to_bytes().to_vec())
            .unwrap();
        let answer = Answer {
            what,
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        answer.check(self.may_fail.get());
        if let Some(operation) = described {
            let wrong = crate::schema::wrong_answer(operation, answer.status, &answer.body);
            assert!(wrong.is_empty(), "{}: {wrong:#?}", answer.what);
        }
        answer
    }

    /// Rounds of the reconcilers until nothing moves.
    pub fn pump(&self) {
        self.pump_from(false);
    }

    /// The same, with a first round that looks at everything.
    pub fn full_pump(&self) {
        self.pump_from(true);
    }

    /// One round of the reconcilers; whether there is more to do at once.
    pub fn round(&self) -> bool {
        self.pump.borrow_mut().round(false).unwrap().again
    }

    fn pump_from(&self, full: bool) {
        let mut pump = self.pump.borrow_mut();
        let mut full = full;
        for _ in 0..200 {
            let progress = pump.round(full).unwrap();
            full = false;
            if !progress.again && !self.engine.has_news() {
                return;
            }
        }
        panic!("the reconcilers do not come to rest");
    }

    /// Moves the clock.
    pub fn pass(&self, time: SignedDuration) {
        let mut now = self.clock.now.lock().unwrap();
        *now += time;
    }

    pub fn seconds(&self, seconds: i64) {
        self.pass(SignedDuration::from_secs(seconds));
    }

    /// A job that runs `true`.
    pub fn submit(&self, name: &str) {
        self.put(&job_path(name), job("true")).expect(200);
        // So that each job is of its own millisecond, and of its own place in the line.
        self.pass(SignedDuration::from_millis(1));
    }

    pub fn job(&self, name: &str) -> Value {
        self.get(&job_path(name)).expect(200).json()["properties"].clone()
    }

    pub fn state_of(&self, job: &str) -> String {
        self.job(job)["executionState"].as_str().unwrap().to_owned()
    }

    pub fn cluster(&self) -> Value {
        self.get("~/clusters/c").expect(200).json()["properties"].clone()
    }

    /// Why a job waits, as stored.
    pub fn reason_of(&self, name: &str) -> Option<String> {
        let found = self
            .ports
            .store
            .read(|s| -> Result<_, trainyard_store::StoreError> {
                let subscription = SubscriptionId::new(SUBSCRIPTION).unwrap();
                let name_of = |text: &str| trainyard_domain::name::Name::new(text, "name").unwrap();
                let group = trainyard_domain::name::GroupName::new("rg").unwrap();
                let group = s.group(&subscription, &group)?.unwrap();
                let workspace = s.workspace(group.uid, &name_of("ws"))?.unwrap();
                let experiment = s.experiment(workspace.meta.uid, &name_of("e"))?.unwrap();
                Ok(s.job(experiment.meta.uid, &name_of(name))?
                    .unwrap()
                    .status
                    .waiting)
            });
        found.unwrap()
    }

    pub fn storage(&self) -> std::path::PathBuf {
        self.folder.path().join("storage")
    }
}

/// The whole URI of a path in a test.
pub fn full(path: &str) -> String {
    let base =
        format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.BatchAI/workspaces/ws");
    let path = path
        .strip_prefix('~')
        .map_or_else(|| path.to_owned(), |rest| format!("{base}{rest}"));
    if path.contains("api-version") || path.starts_with("/files/") {
        return path;
    }
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}{VERSION}")
}

/// The path of an absolute link.
pub fn local(link: &str) -> &str {
    let rest = link
        .split_once("://")
        .unwrap_or_else(|| panic!("not absolute: {link}"))
        .1;
    &rest[rest.find('/').unwrap()..]
}

pub fn job_path(name: &str) -> String {
    format!("~/experiments/e/jobs/{name}")
}

pub fn cluster_id(name: &str) -> String {
    full(&format!("~/clusters/{name}"))
        .split('?')
        .next()
        .unwrap()
        .to_owned()
}

pub fn share() -> Value {
    json!({
        "accountName": "acct",
        "azureFileUrl": "https://acct.file.core.windows.net/share",
        "credentials": {"accountKey": format!("{SECRET}-key")},
        "relativeMountPath": "afs"
    })
}

pub fn cluster(nodes: u32) -> Value {
    json!({"properties": {
        "vmSize": "STANDARD_D1",
        "userAccountSettings": {"adminUserName": "u", "adminUserPassword": format!("{SECRET}-password")},
        "scaleSettings": {"manual": {"targetNodeCount": nodes}},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [share()]}}
    }})
}

pub fn autoscaled(least: u32, most: u32) -> Value {
    let mut body = cluster(0);
    body["properties"]["scaleSettings"] =
        json!({"autoScale": {"minimumNodeCount": least, "maximumNodeCount": most}});
    body
}

pub fn job(command: &str) -> Value {
    json!({"properties": {
        "cluster": {"id": cluster_id("c")},
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
        "customToolkitSettings": {"commandLine": command},
        "secrets": [{"name": "S", "value": format!("{SECRET}-value")}]
    }})
}

/// The reference material beside the repository, if it is here.
pub fn reference(below: &str) -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/reference")
        .join(below);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("left out: ../shared is not here (reference/{below})");
    None
}
