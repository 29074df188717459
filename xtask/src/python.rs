//! The tests that drive the built binary with the vendor's own Python SDK.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::counts::{Counts, junit};
use crate::suite::{Suite, print, shared_reference};

const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// The vendor's clients in other languages are installed by the tests themselves, in this time.
const TEST_LIMIT: Duration = Duration::from_secs(30 * 60);
const REQUIREMENTS: &str = "tests/python/requirements.txt";
const TESTS: &str = "tests/python";
/// pytest's exit code for "no test was selected".
const NOTHING_SELECTED: i32 = 5;

/// Runs `tests/python`; where that cannot be, says why under what was left out.
pub fn sdk_tests(suite: &mut Suite) -> Result<Counts> {
    if let Some(reason) = why_not(suite) {
        suite.left_out.add(&reason);
        return Ok(Counts::default());
    }
    let python = match environment(suite) {
        Ok(python) => python,
        Err(error) => {
            suite.left_out.add(&format!("the Python SDK tests ({error:#})"));
            return Ok(Counts::default());
        }
    };
    let binary = build(suite)?;
    let (counts, reasons) = pytest(suite, &python, &binary)?;
    for reason in reasons {
        suite.left_out.add(&reason);
    }
    Ok(counts)
}

fn why_not(suite: &Suite) -> Option<String> {
    let mut python = suite.world.program("python3");
    python.arg("--version");
    if suite.options.fast {
        Some("the Python SDK tests (--fast)".into())
    } else if !holds_tests(&suite.world.root.join(TESTS)) {
        Some(format!("the Python SDK tests ({TESTS} holds none)"))
    } else if !suite.world.works(python) {
        Some("the Python SDK tests (python3 is not here)".into())
    } else {
        None
    }
}

fn holds_tests(folder: &Path) -> bool {
    let mut names = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    names.any(|name| {
        name.to_str()
            .is_some_and(|name| name.starts_with("test_") && name.ends_with(".py"))
    })
}

/// The interpreter of a virtual environment that holds exactly the requirements, made now if it is not there. Its
/// folder is named after the Python and the requirements, so that a change of either makes a new one.
fn environment(suite: &Suite) -> Result<PathBuf> {
    let requirements = std::fs::read(suite.world.root.join(REQUIREMENTS)).context(REQUIREMENTS)?;
    let version = python_version(suite)?;
    let folder = suite
        .target
        .join(format!("venv-{version}-{:016x}", fingerprint(&requirements)));
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(python);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let mut venv = suite.world.program("python3");
    venv.args(["-m", "venv"]).arg(&folder);
    install(suite, venv).context("python3 -m venv failed")?;
    let mut pip = suite.world.program(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        REQUIREMENTS,
    ]);
    install(suite, pip).context("pip could not install the requirements")?;
    std::fs::write(complete, "")?;
    Ok(python)
}

fn install(suite: &Suite, command: Command) -> Result<()> {
    if !suite.world.stream(command, INSTALL_LIMIT, print)?.success() {
        bail!("see above");
    }
    Ok(())
}

fn python_version(suite: &Suite) -> Result<String> {
    let mut python = suite.world.program("python3");
    python.args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]);
    let mut version = String::new();
    suite
        .world
        .stream(python, INSTALL_LIMIT, |line| version = line.to_owned())?;
    if version.is_empty() || !version.chars().all(|c| c.is_ascii_digit() || c == '.') {
        bail!("python3 does not say its version: {version:?}");
    }
    Ok(version)
}

/// FNV-1a: the folder's name must stay the same under every compiler.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn build(suite: &Suite) -> Result<PathBuf> {
    let cargo = suite.world.cargo(&[
        "build",
        "--locked",
        "--package",
        "trainyard",
        "--bin",
        "trainyard",
    ]);
    if !suite.world.stream(cargo, BUILD_LIMIT, print)?.success() {
        bail!("the binary does not build");
    }
    Ok(suite.target.join("debug/trainyard"))
}

fn pytest(suite: &Suite, python: &Path, binary: &Path) -> Result<(Counts, Vec<String>)> {
    let report = suite.target.join("xtask/pytest.xml");
    if report.exists() {
        std::fs::remove_file(&report)?;
    }
    let mut pytest = suite.world.program(python);
    pytest.args(["-m", "pytest", TESTS, "--color=no", "-p", "no:cacheprovider"]);
    pytest.arg(format!("--junit-xml={}", report.display()));
    if let Some(name) = &suite.options.only {
        pytest.args(["-k", name]);
    }
    pytest
        .env("TRAINYARD_BIN", binary)
        .env("TRAINYARD_LEFT_OUT", &suite.left_out_file);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1");
    match shared_reference(&suite.world.root) {
        Some(folder) => pytest.env("TRAINYARD_SHARED", folder),
        None => pytest.env_remove("TRAINYARD_SHARED"),
    };
    let ended = suite.world.stream(pytest, TEST_LIMIT, print)?;
    let read = std::fs::read_to_string(&report)
        .ok()
        .and_then(|text| junit(&text));
    let (counts, reasons) = read.unwrap_or_default();
    let nothing_asked = suite.options.only.is_some() && ended.code == Some(NOTHING_SELECTED);
    Ok((counts.with_exit(ended.success() || nothing_asked), reasons))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_the_known_one() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
