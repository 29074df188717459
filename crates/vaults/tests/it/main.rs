//! Secrets by real commands and from real files.

#![expect(clippy::disallowed_methods, reason = "a test measures its own patience")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use trainyard_domain::resource_id::ResourceId;
use trainyard_domain::spec::KeyVaultSecretReference;
use trainyard_vaults::{FetchError, Fetched, Fetcher, Settings, Vaults};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn reference(name: &str) -> KeyVaultSecretReference {
    KeyVaultSecretReference {
        source_vault: ResourceId::new("/subscriptions/s/vaults/keys", "").expect("an id"),
        secret_url: format!("https://keys.vault.azure.net/secrets/{name}"),
    }
}

fn shell(script: &str) -> Settings {
    Settings {
        command: ["/bin/sh", "-c", script, "sh", "{url}", "{vault}", "{name}"]
            .map(str::to_owned)
            .into(),
        environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        timeout: Duration::from_secs(30),
        parallel: 2,
        ..Settings::default()
    }
}

fn fetcher(settings: Settings) -> Fetcher {
    let start = Instant::now();
    Fetcher::new(
        Vaults::new(settings).expect("a command or a folder"),
        Arc::new(move || start.elapsed()),
    )
}

fn ask(fetcher: &Fetcher, names: &[&str]) -> Receiver<Fetched> {
    let (tell, told) = channel();
    let references = names.iter().map(|name| reference(name)).collect();
    fetcher.ask(references, Box::new(move |fetched| drop(tell.send(fetched))));
    told
}

/// The secrets in clear, or which failed and why.
fn fetch(settings: Settings, names: &[&str]) -> Result<Vec<String>, (usize, String)> {
    let told = ask(&fetcher(settings), names)
        .recv_timeout(PATIENCE)
        .expect("an end");
    match told {
        Ok(secrets) => Ok(secrets.iter().map(|secret| secret.reveal().to_owned()).collect()),
        Err((i, error)) => Err((i, error.to_string())),
    }
}

#[test]
fn a_command_prints_each_secret_and_is_asked_once_for_equal_ones() {
    let place = tempfile::tempdir().unwrap();
    let calls = place.path().join("calls");
    let script = format!(
        "echo \"$@\" >> {}; printf 'a %s of %s\\n' \"$3\" \"$2\"",
        calls.display()
    );
    let fetched = fetch(shell(&script), &["one", "two", "one"]);
    assert_eq!(
        fetched.unwrap(),
        ["a one of keys", "a two of keys", "a one of keys"]
    );
    let calls = fs::read_to_string(calls).unwrap();
    assert_eq!(calls.lines().count(), 2, "{calls}");
    assert!(
        calls.contains("https://keys.vault.azure.net/secrets/one keys one"),
        "{calls}"
    );
}

#[test]
fn it_gets_the_environment_that_was_given_and_no_other() {
    let mut settings = shell("env | sort | tr '\\n' ' '");
    settings.environment.insert("VAULT_ADDR".into(), "here".into());
    let printed = fetch(settings, &["x"]).unwrap().remove(0);
    let names: Vec<&str> = printed
        .split_whitespace()
        .filter_map(|line| line.split('=').next())
        .collect();
    assert_eq!(names, ["PATH", "PWD", "VAULT_ADDR"]);
}

#[test]
fn what_is_no_secret_is_refused_with_the_reason() {
    for (script, part) in [
        ("exit 0", "empty"),
        ("printf '\\377'", "UTF-8"),
        ("printf 'a\\0b'", "NUL"),
        ("yes", "longer than 65536"),
        ("echo; echo hush", ""),
    ] {
        let fetched = fetch(shell(script), &["x"]);
        match part {
            "" => assert_eq!(fetched.unwrap(), ["\nhush"]),
            part => assert!(
                fetched.as_ref().is_err_and(|(_, said)| said.contains(part)),
                "{script}: {fetched:?}"
            ),
        }
    }
    let settings = Settings {
        command: vec!["/no/such/program".to_owned(), "{url}".to_owned()],
        ..shell("")
    };
    let (_, said) = fetch(settings, &["x"]).unwrap_err();
    assert!(said.contains("cannot be started"), "{said}");
}

#[test]
fn a_command_that_fails_is_tried_three_times() {
    let place = tempfile::tempdir().unwrap();
    let calls = place.path().join("calls");
    let often = |calls: &Path| fs::read_to_string(calls).unwrap_or_default().lines().count();
    let script = |most: u32| {
        format!(
            "echo x >> {0}; test $(wc -l < {0}) -ge {most} || exit 7; echo hush",
            calls.display()
        )
    };
    assert_eq!(fetch(shell(&script(2)), &["x"]).unwrap(), ["hush"]);
    assert_eq!(often(&calls), 2);
    fs::remove_file(&calls).unwrap();
    let (i, said) = fetch(shell(&script(9)), &["x"]).unwrap_err();
    assert!(i == 0 && said.contains("exit code 7"), "{said}");
    assert_eq!(often(&calls), 3);
}

/// Whether a process with this pid is still there.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn poll_until(what: &str, probe: impl Fn() -> bool) {
    let start = Instant::now();
    while !probe() {
        assert!(start.elapsed() < PATIENCE, "never so: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn one_that_hangs_is_killed_with_its_children_when_its_time_is_over() {
    let place = tempfile::tempdir().unwrap();
    let pids = place.path().join("pids");
    let settings = Settings {
        timeout: Duration::from_millis(500),
        ..shell(&format!(
            "sleep 300 & echo $! >> {0}; echo $$ >> {0}; wait",
            pids.display()
        ))
    };
    let (_, said) = fetch(settings, &["x"]).unwrap_err();
    assert!(said.contains("within 0 s"), "{said}");
    let pids = fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 2);
    poll_until("both are gone", || !pids.lines().any(runs));
}

#[test]
fn a_slow_vault_keeps_nobody_and_the_end_kills_it() {
    let place = tempfile::tempdir().unwrap();
    let pid = place.path().join("pid");
    let script = format!(
        "if test \"$3\" = slow; then echo $$ > {}; exec sleep 300; fi; echo quick",
        pid.display()
    );
    let fetcher = fetcher(shell(&script));
    let slow = ask(&fetcher, &["slow"]);
    poll_until("it runs", || {
        fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n'))
    });
    let quick = ask(&fetcher, &["quick"]).recv_timeout(PATIENCE).expect("an end");
    assert_eq!(quick.ok().unwrap()[0].reveal(), "quick");
    assert!(slow.try_recv().is_err());
    fetcher.end();
    assert!(slow.recv().is_err(), "nobody is told after the end");
    let pid = fs::read_to_string(&pid).unwrap();
    assert!(!runs(&pid), "the end has waited for it");
}

#[test]
fn a_folder_comes_first_and_then_the_command() {
    let place = tempfile::tempdir().unwrap();
    let vault = place.path().join("keys");
    fs::create_dir_all(&vault).unwrap();
    let file = vault.join("filed");
    fs::write(&file, "from a file\r\n").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let folder = Settings {
        folder: Some(place.path().to_owned()),
        ..shell("echo from a command")
    };
    let both = fetch(folder.clone(), &["filed", "other"]).unwrap();
    assert_eq!(both, ["from a file", "from a command"]);
    let alone = Settings {
        command: Vec::new(),
        ..folder
    };
    let (i, said) = fetch(alone, &["filed", "other"]).unwrap_err();
    assert!(i == 1 && said.contains("keys/other"), "{said}");
}

#[test]
fn a_reference_to_two_vaults_is_refused_and_none_is_no_vault() {
    let (tell, told) = channel();
    let mut two = reference("x");
    two.source_vault = ResourceId::new("/vaults/other", "").unwrap();
    let fetcher = fetcher(shell("echo x"));
    fetcher.ask(vec![two], Box::new(move |fetched| drop(tell.send(fetched))));
    let fetched = told.recv_timeout(PATIENCE).expect("an end");
    assert!(matches!(fetched, Err((0, FetchError::TwoVaults { .. }))));
    assert!(Vaults::new(Settings::default()).is_none());
}
