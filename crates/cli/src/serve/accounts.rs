//! Storage accounts: from the configuration to what stands behind them, with their secrets.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use trainyard_storage::{
    Account, AccountName, Accounts, Azure, Credentials, Endpoint, FilesBy, Remote, S3, SharedKey, Store,
    Unkeyed,
};

use crate::config::Config;
use crate::config::accounts::{AccountKind, Files, StorageAccount};
use crate::config::layers::Surroundings;

/// The longest secret that is read.
const LONGEST_SECRET: u64 = 4096;
/// What a store that speaks S3 calls its region where it has none.
const USUAL_REGION: &str = "us-east-1";

/// Storage accounts: those of the configuration, all others beneath the data folder.
pub fn accounts(config: &Config, surroundings: &Surroundings) -> anyhow::Result<Accounts> {
    let mut own = BTreeMap::new();
    for (text, given) in &config.storage_accounts {
        let key = format!("storage_accounts.{text}");
        let name = AccountName::new(text).with_context(|| format!("{key} is not a good name"))?;
        let account = account(&key, &name, given, surroundings)?;
        if own.insert(name, account).is_some() {
            bail!("{key} is there twice: names of storage accounts are the same in any case; remove one");
        }
    }
    Ok(Accounts::new(config.data(), own))
}

/// The same names, each a directory: for services that never reach a store elsewhere, and read no secret.
pub fn directories(config: &Config) -> anyhow::Result<Accounts> {
    let mut own = BTreeMap::new();
    for (text, given) in &config.storage_accounts {
        let name =
            AccountName::new(text).with_context(|| format!("storage_accounts.{text} is not a good name"))?;
        let beneath = || config.data().join("storage").join(name.as_str());
        let directory = given.directory.clone().unwrap_or_else(beneath);
        own.insert(name, Account::Directory(directory));
    }
    Ok(Accounts::new(config.data(), own))
}

fn account(
    key: &str,
    name: &AccountName,
    given: &StorageAccount,
    surroundings: &Surroundings,
) -> anyhow::Result<Account> {
    let store = match given.kind {
        AccountKind::Directory => {
            let directory = given.directory.clone();
            let directory = directory.with_context(|| format!("{key}.directory is missing"))?;
            return Ok(Account::Directory(directory));
        }
        AccountKind::Azure => {
            let unkeyed = unkeyed(key, name, given)?;
            if given.key_of_requests == Some(true) {
                return Ok(Account::KeyOfRequest(unkeyed));
            }
            Store::Azure(azure(key, name, given, unkeyed, surroundings)?)
        }
        AccountKind::S3 => Store::S3(s3(key, given, surroundings)?),
    };
    Ok(Account::Remote(Arc::new(Remote::new(name.clone(), store))))
}

fn azure(
    key: &str,
    name: &AccountName,
    given: &StorageAccount,
    unkeyed: Unkeyed,
    surroundings: &Surroundings,
) -> anyhow::Result<Azure> {
    let secret = Secret {
        key: format!("{key}.key"),
        file: given.key_file.as_deref(),
        variable: given.key_variable.as_deref(),
    };
    let text = secret.read(surroundings)?;
    let shared = SharedKey::new(name.as_str(), &text).with_context(|| {
        format!(
            "{} is no account key: write it in base64, as Azure shows it",
            secret.origin()
        )
    })?;
    Ok(Azure {
        key: shared,
        blob: unkeyed.blob,
        file: unkeyed.file,
        files_by: unkeyed.files_by,
    })
}

fn unkeyed(key: &str, name: &AccountName, given: &StorageAccount) -> anyhow::Result<Unkeyed> {
    let endpoint = |member: &str, own: &Option<String>, service: &str| {
        let public = format!("https://{name}.{service}.core.windows.net");
        Endpoint::parse(own.as_deref().unwrap_or(&public))
            .with_context(|| format!("{key}.{member} is no address"))
    };
    Ok(Unkeyed {
        blob: endpoint("blob_endpoint", &given.blob_endpoint, "blob")?,
        file: endpoint("file_endpoint", &given.file_endpoint, "file")?,
        files_by: match given.files.unwrap_or_default() {
            Files::Cifs => FilesBy::Cifs,
            Files::Rclone => FilesBy::Rclone,
        },
    })
}

fn s3(key: &str, given: &StorageAccount, surroundings: &Surroundings) -> anyhow::Result<S3> {
    let needed = |member: &str, value: &Option<String>| {
        value
            .clone()
            .with_context(|| format!("{key}.{member} is missing"))
    };
    let secret = Secret {
        key: format!("{key}.secret_access_key"),
        file: given.secret_access_key_file.as_deref(),
        variable: given.secret_access_key_variable.as_deref(),
    };
    let endpoint = needed("endpoint", &given.endpoint)?;
    Ok(S3 {
        endpoint: Endpoint::parse(&endpoint).with_context(|| format!("{key}.endpoint is no address"))?,
        credentials: Credentials {
            region: given.region.clone().unwrap_or_else(|| USUAL_REGION.to_owned()),
            access_key_id: needed("access_key_id", &given.access_key_id)?,
            secret_access_key: secret.read(surroundings)?,
        },
        bucket: given.bucket.clone(),
    })
}

/// Where a secret is: in a file that its owner alone reads, or in a variable of the server's environment.
struct Secret<'a> {
    key: String,
    file: Option<&'a Path>,
    variable: Option<&'a str>,
}

impl Secret<'_> {
    /// The key that says where.
    fn origin(&self) -> String {
        let way = if self.file.is_some() { "file" } else { "variable" };
        format!("{}_{way}", self.key)
    }

    fn read(&self, surroundings: &Surroundings) -> anyhow::Result<String> {
        let text = match (self.file, self.variable) {
            (Some(file), _) => {
                read_private(file).with_context(|| format!("{} cannot be used", self.origin()))?
            }
            (None, Some(name)) => {
                let value = surroundings
                    .variables
                    .get(OsStr::new(name))
                    .and_then(|value| value.to_str());
                let unset = || {
                    format!(
                        "{} names {name}, and there is no such variable: set it",
                        self.origin()
                    )
                };
                value.with_context(unset)?.to_owned()
            }
            (None, None) => bail!("{}_file is missing", self.key),
        };
        let text = text.trim();
        if text.is_empty() {
            bail!("{} leads to an empty text: write the secret there", self.origin());
        }
        Ok(text.to_owned())
    }
}

fn read_private(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    let about = file
        .metadata()
        .with_context(|| format!("{shown} cannot be looked at"))?;
    if !about.is_file() {
        bail!("{shown} is no file");
    }
    if about.permissions().mode() & 0o077 != 0 {
        bail!("{shown} can be read by others than its owner: say chmod 600 {shown}");
    }
    let mut text = String::new();
    file.take(LONGEST_SECRET)
        .read_to_string(&mut text)
        .with_context(|| format!("{shown} holds no text"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use trainyard_storage::At;

    use super::*;

    const KEY: &str = "c2VjcmV0LWh1c2g3Mzkx";

    fn made(text: &str, variables: &[(&str, &str)]) -> anyhow::Result<Accounts> {
        let config: Config = toml::from_str(text)?;
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let surroundings = Surroundings {
            variables: variables.collect(),
            ..Surroundings::default()
        };
        accounts(&config, &surroundings)
    }

    fn name(text: &str) -> AccountName {
        AccountName::new(text).unwrap()
    }

    #[test]
    fn accounts_are_what_their_kind_says() {
        let azure = "[storage_accounts.Prod]\nkind = \"azure\"\nkey_variable = \"PROD_KEY\"\n";
        let made = made(azure, &[("PROD_KEY", KEY)]).unwrap();
        let At::Elsewhere(remote) = made.at(&name("prod")) else {
            panic!("it is a store");
        };
        let shown = format!("{remote:?}");
        assert!(shown.contains("https://prod.blob.core.windows.net"), "{shown}");
        assert!(!shown.contains("hush7391") && !shown.contains(KEY), "{shown}");
        assert!(made.root(&name("prod")).is_none() && made.root(&name("other")).is_some());
        assert!(made.known().unwrap().contains(&name("prod")));
    }

    #[test]
    fn an_account_may_have_its_key_from_requests() {
        let azure = "[storage_accounts.Prod]\nkind = \"azure\"\nkey_of_requests = true\n";
        let made = made(azure, &[]).unwrap();
        assert!(matches!(made.at(&name("prod")), At::ElsewhereByKey));
        assert!(made.root(&name("prod")).is_none() && made.known().unwrap().contains(&name("prod")));
        assert!(made.by_key(&name("prod"), "no base64!").is_none());
        let shown = format!("{:?}", made.by_key(&name("prod"), KEY).unwrap());
        assert!(shown.contains("https://prod.blob.core.windows.net"), "{shown}");
        assert!(!shown.contains("hush7391") && !shown.contains(KEY), "{shown}");
        assert!(made.by_key(&name("other"), KEY).is_none());
    }

    #[test]
    fn a_secret_in_a_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, format!("{KEY}\n")).unwrap();
        let text = format!("[storage_accounts.a]\nkind = \"azure\"\nkey_file = {file:?}\n");
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = || format!("{:#}", made(&text, &[]).unwrap_err());
        mode(0o640);
        let said = refused();
        assert!(
            said.starts_with("storage_accounts.a.key_file") && said.contains("chmod 600"),
            "{said}"
        );
        mode(0o600);
        made(&text, &[]).unwrap();
        std::fs::write(&file, "no base64!").unwrap();
        assert!(refused().contains("no account key"));
        std::fs::write(&file, "\n").unwrap();
        assert!(refused().contains("empty"));
        std::fs::remove_file(&file).unwrap();
        assert!(refused().contains("cannot be read"));
    }

    #[test]
    fn a_variable_that_is_not_there_and_a_name_given_twice_are_refused() {
        let s3 = "kind = \"s3\"\nendpoint = \"http://127.0.0.1:1\"\naccess_key_id = \"k\"\n\
                  secret_access_key_variable = \"S3_SECRET\"\n";
        let one = format!("[storage_accounts.a]\n{s3}");
        let said = format!("{:#}", made(&one, &[]).unwrap_err());
        assert!(
            said.contains("secret_access_key_variable names S3_SECRET"),
            "{said}"
        );
        let two = format!("{one}[storage_accounts.A]\n{s3}");
        let said = format!("{:#}", made(&two, &[("S3_SECRET", "x")]).unwrap_err());
        assert!(said.contains("twice"), "{said}");
    }
}
