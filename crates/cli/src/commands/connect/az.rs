//! The folder of the Azure CLI (clients.md, "Three ways to sign in"): with a token by a hand-made profile, which needs
//! no sign-in at all; with a service principal by the cloud alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Facts, Who, quoted};
use crate::config::layers::Surroundings;
use crate::{folder, out};

/// What the cloud is called there.
const CLOUD: &str = "trainyard";
/// The client id of the CLI itself, by which it finds its tokens.
const CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
/// A token of ours has no end of its own; this one is never too old to be used.
const FOREVER: &str = "2099-01-01 00:00:00.000000";
/// Says that a folder is of our making.
const MARK: &str = "trainyard.json";

/// Writes the folder and prints the lines for a shell.
pub fn write(folder: &Path, facts: &Facts, surroundings: &Surroundings, force: bool) -> anyhow::Result<()> {
    refuse_the_users_own(folder, surroundings)?;
    let mut files = vec![("clouds.config", clouds(facts)), ("config", config())];
    if !matches!(facts.who, Who::Principal(_)) {
        files.push(("azureProfile.json", profile(facts).to_string()));
        files.push((
            "accessTokens.json",
            tokens(facts, &facts.who.token()?).to_string(),
        ));
    }
    refuse_that_of_others(folder, force)?;
    folder::make_private(folder)?;
    folder::write_private(
        &folder.join(MARK),
        json!({ "url": facts.url }).to_string().as_bytes(),
    )?;
    for (name, text) in files {
        folder::write_private(&folder.join(name), text.as_bytes())?;
    }
    say!("az is connected to {}: give your shell these lines", facts.url);
    out::print(lines(folder, facts))
}

fn lines(folder: &Path, facts: &Facts) -> String {
    let path = |path: &Path| quoted(&path.display().to_string());
    let mut lines = format!("export AZURE_CONFIG_DIR={}\n", path(folder));
    if let Some(authority) = &facts.authority {
        lines += &format!("export REQUESTS_CA_BUNDLE={}\n", path(authority));
    }
    if let Who::Principal(id) = &facts.who {
        lines += &format!(
            "az login --service-principal -u {} -p \"$AZURE_CLIENT_SECRET\" --tenant {}\n",
            quoted(id),
            quoted(&facts.tenant)
        );
    }
    lines
}

/// The folder that `az` has by itself is the user's, whatever is asked.
fn refuse_the_users_own(folder: &Path, surroundings: &Surroundings) -> anyhow::Result<()> {
    let Some(home) = surroundings.variables.get(std::ffi::OsStr::new("HOME")) else {
        return Ok(());
    };
    let (own, folder) = (real(&Path::new(home).join(".azure")), real(folder));
    ensure!(
        !folder.starts_with(&own) && !own.starts_with(&folder),
        "{} is, or holds, or lies in your own {}, which is never touched: name another by --folder",
        folder.display(),
        own.display()
    );
    Ok(())
}

/// A path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let found = path
        .ancestors()
        .find_map(|part| Some((part, fs::canonicalize(part).ok()?)));
    match found {
        Some((part, real)) => path
            .strip_prefix(part)
            .map_or(real.clone(), |rest| real.join(rest)),
        None => path.to_owned(),
    }
}

fn refuse_that_of_others(folder: &Path, force: bool) -> anyhow::Result<()> {
    let unreadable = || format!("{} cannot be read", folder.display());
    if force || !folder.exists() || folder.join(MARK).is_file() {
        return Ok(());
    }
    let is_empty = fs::read_dir(folder).with_context(unreadable)?.next().is_none();
    ensure!(
        is_empty,
        "{} has files that `trainyard connect` did not write: name another folder, or give --force to write over \
         those of the same names",
        folder.display()
    );
    Ok(())
}

/// The authority. By plain http nothing is asked there, since the token is in its file.
fn authority(url: &str) -> String {
    let host = if url.starts_with("https://") {
        url
    } else {
        "https://login.invalid"
    };
    format!("{host}/adfs")
}

fn clouds(facts: &Facts) -> String {
    let (url, authority) = (&facts.url, authority(&facts.url));
    format!(
        "[{CLOUD}]\n\
         endpoint_resource_manager = {url}\n\
         endpoint_management = {url}\n\
         endpoint_active_directory = {authority}\n\
         endpoint_active_directory_resource_id = {url}\n\
         endpoint_active_directory_graph_resource_id = {url}\n\
         suffix_storage_endpoint = core.windows.net\n"
    )
}

fn config() -> String {
    format!("[cloud]\nname = {CLOUD}\n\n[core]\ncollect_telemetry = no\n")
}

fn profile(facts: &Facts) -> Value {
    json!({ "subscriptions": [{
        "id": facts.subscription,
        "name": CLOUD,
        "state": "Enabled",
        "isDefault": true,
        "tenantId": facts.tenant,
        "environmentName": CLOUD,
        "user": { "name": CLOUD, "type": "user" },
    }]})
}

fn tokens(facts: &Facts, token: &str) -> Value {
    json!([{
        "tokenType": "Bearer",
        "accessToken": token,
        "expiresOn": FOREVER,
        "expiresIn": 3600,
        "resource": facts.url,
        "refreshToken": "none",
        "isMRRT": true,
        "userId": CLOUD,
        "_clientId": CLI,
        "_authority": authority(&facts.url),
    }])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn facts(who: Who) -> Facts {
        Facts {
            url: "https://yard:8443".to_owned(),
            subscription: "s".to_owned(),
            tenant: "t".to_owned(),
            who,
            authority: Some("/a b/authority.pem".into()),
        }
    }

    fn at_home(home: &Path) -> Surroundings {
        Surroundings {
            variables: [("HOME".into(), home.as_os_str().to_owned())].into(),
            folder: home.to_owned(),
            ..Surroundings::default()
        }
    }

    #[test]
    fn the_users_own_folder_is_never_touched() {
        let place = tempfile::tempdir().unwrap();
        let (home, elsewhere) = (place.path().join("home"), place.path().join("elsewhere"));
        fs::create_dir_all(&elsewhere).unwrap();
        fs::create_dir_all(home.join(".azure")).unwrap();
        symlink(home.join(".azure"), elsewhere.join("link")).unwrap();
        let token = facts(Who::Token("x".to_owned()));
        for bad in [
            home.join(".azure"),
            home.join(".azure/deep/er"),
            home.join("x/../.azure"),
            elsewhere.join("link"),
            home.clone(),
        ] {
            fs::create_dir_all(home.join("x")).unwrap();
            let said = write(&bad, &token, &at_home(&home), true)
                .unwrap_err()
                .to_string();
            assert!(said.contains("never touched"), "{said}");
        }
        assert!(fs::read_dir(home.join(".azure")).unwrap().next().is_none());
    }

    #[test]
    fn files_are_private_written_again_and_not_over_others() {
        let place = tempfile::tempdir().unwrap();
        let (home, folder) = (place.path().join("home"), place.path().join("az"));
        let write = |facts: &Facts, force| write(&folder, facts, &at_home(&home), force);
        let token = facts(Who::Token(" x\n".to_owned()));
        write(&token, false).unwrap();
        write(&token, false).unwrap();
        let kept: Value =
            serde_json::from_slice(&fs::read(folder.join("accessTokens.json")).unwrap()).unwrap();
        assert_eq!(kept[0]["accessToken"], "x");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&folder), mode(&folder.join("accessTokens.json"))),
            (0o700, 0o600)
        );
        fs::remove_file(folder.join(MARK)).unwrap();
        let said = write(&token, false).unwrap_err().to_string();
        assert!(said.contains("--force"), "{said}");
        write(&token, true).unwrap();
    }

    #[test]
    fn a_principal_is_told_to_sign_in_and_leaves_no_secret() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("az");
        let principal = facts(Who::Principal("id".to_owned()));
        write(
            &folder,
            &principal,
            &at_home(place.path().join("home").as_path()),
            false,
        )
        .unwrap();
        assert!(!folder.join("accessTokens.json").exists());
        let lines = lines(&folder, &principal);
        assert!(
            lines.contains("-u 'id' -p \"$AZURE_CLIENT_SECRET\" --tenant 't'"),
            "{lines}"
        );
        assert!(
            lines.contains("export REQUESTS_CA_BUNDLE='/a b/authority.pem'"),
            "{lines}"
        );
    }
}
