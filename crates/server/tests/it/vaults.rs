//! Secrets in key vaults: fetched by a real command or from real files, beside the rounds, and kept nowhere.

#![expect(clippy::disallowed_methods, reason = "a test measures its own patience")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_domain::state::Verdict;
use trainyard_store::db::InlineHandle;
use trainyard_vaults::{Fetcher, Settings, Vaults};

use crate::house::{House, SECRET, cluster, job, job_path, log};

const PATIENCE: Duration = Duration::from_secs(60);

fn poll_until(what: &str, probe: impl Fn() -> bool) {
    let start = Instant::now();
    while !probe() {
        assert!(start.elapsed() < PATIENCE, "never so: {what}");
        std::thread::yield_now();
    }
}

fn reference(name: &str) -> Value {
    json!({"sourceVault": {"id": "/subscriptions/s/vaults/keys"},
        "secretUrl": format!("https://keys.vault.azure.net/secrets/{name}")})
}

fn wanting(name: &str) -> Value {
    let mut wish = job("true");
    wish["properties"]["secrets"] = json!([{"name": "S", "valueSecretReference": reference(name)}]);
    wish
}

fn house(settings: Settings) -> House {
    house_on(settings, InlineHandle::memory().unwrap())
}

fn house_on(settings: Settings, disk: InlineHandle) -> House {
    let start = Instant::now();
    let settings = Settings {
        timeout: Duration::from_secs(30),
        parallel: 4,
        ..settings
    };
    let vaults = Vaults::new(settings).unwrap();
    House::with_vaults(Fetcher::new(vaults, Arc::new(move || start.elapsed())), disk)
}

/// A vault whose only secret is `there`.
fn filed(place: &Path) -> Settings {
    let file = place.join("keys/there");
    fs::create_dir_all(place.join("keys")).unwrap();
    fs::write(&file, format!("{SECRET}-of-a-vault\n")).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    Settings {
        folder: Some(place.to_owned()),
        ..Settings::default()
    }
}

/// A vault that answers when the test does, by a pipe of the secret's name.
struct Slow(TempDir);

impl Slow {
    fn new() -> Slow {
        Slow(tempfile::tempdir().unwrap())
    }

    fn pipe(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn settings(&self) -> Settings {
        let script = format!("cd {} && mkfifo $1 && cat $1 && rm $1", self.0.path().display());
        Settings {
            command: ["/bin/sh", "-c", &script, "sh", "{name}"]
                .map(str::to_owned)
                .into(),
            environment: [("PATH".into(), "/usr/bin:/bin".into())].into(),
            ..Settings::default()
        }
    }

    fn answer(&self, name: &str) {
        fs::write(self.pipe(name), format!("{SECRET}-of-a-vault\n")).unwrap();
    }

    fn poll_asked(&self, name: &str) {
        poll_until("the vault is asked", || self.pipe(name).exists());
    }
}

fn poll_launched(house: &House, expected: &[&str]) {
    poll_until("it is launched", || {
        house.pump();
        house.engine.launched() == expected
    });
}

fn poll_failed(house: &House, name: &str) -> Value {
    poll_until("it has failed", || {
        house.pump();
        house.state_of(name) == "failed"
    });
    house.job(name)["executionInfo"]["errors"][0].clone()
}

#[test]
fn a_job_gets_its_secret_and_nobody_else_does() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store.db");
    let house = house_on(filed(place.path()), InlineHandle::file(&store).unwrap()).furnish(1);
    house.put(&job_path("j"), wanting("there")).expect(200);
    poll_launched(&house, &["j"]);
    let plan = format!("{:?}", house.engine.state().launches);
    assert!(plan.contains("hush7391-of-a-vault"), "{plan}");
    let shown = &house.job("j")["secrets"][0];
    assert_eq!(
        shown,
        &json!({"name": "S", "valueSecretReference": reference("there")})
    );
    drop(house);
    let stored = String::from_utf8_lossy(&fs::read(store).unwrap()).into_owned();
    assert!(stored.contains("keys.vault.azure.net") && !stored.contains("of-a-vault"));
    assert!(log().contains("fetching from key vaults") && !log().contains("hush"));
}

#[test]
fn a_slow_vault_keeps_no_other_job_and_the_reason_is_written_down() {
    let slow = Slow::new();
    let house = house(slow.settings()).furnish(2);
    house.put(&job_path("slow"), wanting("s")).expect(200);
    house.pump();
    slow.poll_asked("s");
    house.submit("quick");
    house.full_pump();
    assert_eq!(house.engine.launched(), ["quick"]);
    assert_eq!(house.state_of("slow"), "running");
    let reason = house.reason_of("slow").unwrap();
    assert!(
        reason.contains("properties.secrets[0]") && reason.contains("key vault keys"),
        "{reason}"
    );
    slow.answer("s");
    poll_launched(&house, &["quick", "slow"]);
    house.full_pump();
    assert_eq!(house.reason_of("slow"), None);
    house.engine.end("slow", &Verdict::Exited(0));
    house.pump();
    assert_eq!(house.state_of("slow"), "succeeded");
}

#[test]
fn a_job_that_is_terminated_meanwhile_never_starts() {
    let slow = Slow::new();
    let house = house(slow.settings()).furnish(1);
    house.put(&job_path("j"), wanting("s")).expect(200);
    house.pump();
    slow.poll_asked("s");
    house.post(&format!("{}/terminate", job_path("j"))).expect(202);
    assert_eq!(poll_failed(&house, "j")["code"], "JobTerminated");
    slow.answer("s");
    poll_until("the vault has answered", || !slow.pipe("s").exists());
    house.submit("next");
    poll_launched(&house, &["next"]);
}

#[test]
fn after_a_restart_it_is_fetched_again_and_started_once() {
    let slow = Slow::new();
    let house = house(slow.settings()).furnish(1);
    house.put(&job_path("j"), wanting("s")).expect(200);
    house.pump();
    slow.poll_asked("s");
    let house = house.restart();
    slow.answer("s");
    poll_until("the vault has answered", || !slow.pipe("s").exists());
    house.full_pump();
    slow.poll_asked("s");
    slow.answer("s");
    poll_launched(&house, &["j"]);
    house.full_pump();
    assert_eq!(house.engine.state().launches.len(), 1);
}

#[test]
fn what_cannot_be_had_fails_the_job_with_member_vault_and_reason() {
    let place = tempfile::tempdir().unwrap();
    let house = house(filed(place.path())).furnish(1);
    house.put(&job_path("j"), wanting("absent")).expect(200);
    let error = poll_failed(&house, "j");
    assert_eq!(error["code"], "KeyVaultSecretFailed");
    let details = &error["details"];
    assert_eq!(details[0]["value"], "properties.secrets[0].valueSecretReference");
    assert_eq!(details[1]["value"], "keys");
    assert!(
        details[2]["value"].as_str().unwrap().contains("keys/absent"),
        "{details}"
    );
    house.put(&job_path("k"), wanting("there")).expect(200);
    poll_launched(&house, &["k"]);
}

#[test]
fn setup_tasks_get_theirs_once_and_a_node_without_is_unusable() {
    let place = tempfile::tempdir().unwrap();
    let house = house(filed(place.path())).furnish(0);
    house.engine.state().slow_nodes = true;
    let with = |name: &str| {
        let mut wish = cluster(1);
        wish["properties"]["nodeSetup"]["setupTask"] = json!({
            "commandLine": "true",
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
            "secrets": [{"name": "S", "valueSecretReference": reference(name)}],
        });
        wish
    };
    house.put("~/clusters/good", with("there")).expect(200);
    poll_until("the node is told", || {
        house.pump();
        !house.engine.state().plans.is_empty()
    });
    let plan = format!("{:?}", house.engine.state().plans);
    assert!(plan.contains("hush7391-of-a-vault"), "{plan}");
    house.full_pump();
    house.full_pump();
    assert_eq!(
        house.engine.state().plans.len(),
        1,
        "a setup under way fetches nothing again"
    );
    house.put("~/clusters/bad", with("absent")).expect(200);
    poll_until("the node is unusable", || {
        house.pump();
        let shown = house.get("~/clusters/bad").json();
        shown["properties"]["nodeStateCounts"]["unusableNodeCount"] == 1
    });
    let shown = house.get("~/clusters/bad").json()["properties"]["errors"].to_string();
    assert!(
        shown.contains("KeyVaultSecretFailed") && shown.contains("setupTask.secrets[0]"),
        "{shown}"
    );
}
