//! Defaults, file, environment, flags: each over the one before.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use trainyard_domain::secret::Secret;

use super::Config;
use super::accounts::StorageAccount;
use super::check::{Unusable, check};
use super::keys::{KEYS, Key, Kind};

/// The file looked for in the data folder when none is named.
pub const FILE: &str = "trainyard.toml";
/// Names the file; it is no key of the configuration.
const FILE_VARIABLE: &str = "TRAINYARD_CONFIG";

/// Holds the key that seals secrets; it is no key of the configuration.
pub const SECRET_KEY_VARIABLE: &str = "TRAINYARD_SECRET_KEY";

/// What of the process's surroundings counts, taken once in `main`.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The environment.
    pub variables: BTreeMap<OsString, OsString>,
    /// The key that seals secrets, taken out of the variables so that nobody is given it.
    pub secret_key: Option<Secret>,
    /// The folder that relative paths of flags and variables start from.
    pub folder: PathBuf,
}

impl Surroundings {
    /// Sorts out what the environment holds.
    pub fn new(mut variables: BTreeMap<OsString, OsString>, folder: PathBuf) -> Surroundings {
        let key = variables.remove(std::ffi::OsStr::new(SECRET_KEY_VARIABLE));
        Surroundings {
            secret_key: key.map(|text| Secret::new(text.to_string_lossy())),
            variables,
            folder,
        }
    }
}

/// A flag's value, by key.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As the user writes it.
    pub flag: &'static str,
    /// The key it sets.
    pub key: &'static str,
    /// Its text.
    pub text: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file says something that is not understood; the parser's text shows the line.
    #[error("the configuration file {} is wrong:\n{text}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Line, column and what is wrong.
        text: String,
    },
    /// A variable that means nothing.
    #[error(
        "the variable {0} means nothing here: remove it, or see docs/configuration.md for the names there are"
    )]
    Variable(String),
    /// A variable or flag whose value is not understood.
    #[error("{origin} is {text:?}: {reason}")]
    Value {
        /// The variable or flag.
        origin: String,
        /// What it says.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file in the data folder names another data folder.
    #[error(
        "{} says that the data folder is {}, but it lies in another: give that folder with --data, or the file \
         with --config",
        file.display(), data.display()
    )]
    OtherData {
        /// The file.
        file: PathBuf,
        /// What it names.
        data: PathBuf,
    },
    /// There is no folder to keep data in.
    #[error("there is no home folder to keep data in: give a folder with --data")]
    NoHome,
    /// The values do not go together.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// Lays the layers and checks the whole. `file` is that of `--config`.
///
/// # Errors
/// [`ConfigError`] with the first thing found.
pub fn load(surroundings: &Surroundings, file: Option<&Path>, flags: &[Flag]) -> Result<Config, ConfigError> {
    let over = overlay(surroundings, flags)?;
    let named = file
        .map(Path::to_owned)
        .or_else(|| variable(surroundings, FILE_VARIABLE).map(PathBuf::from));
    let mut config = match named {
        Some(file) => read(&surroundings.folder.join(file))?,
        None => from_data_folder(surroundings, &over)?,
    };
    for set in over {
        config = set.apply(config)?;
    }
    let data = match config.data.take() {
        Some(data) => data,
        None => default_data(surroundings)?,
    };
    config.data = Some(data);
    absolute(&mut config, &surroundings.folder);
    check(&config)?;
    Ok(config)
}

/// The data folder when nothing names one: where the system keeps a user's data.
///
/// # Errors
/// [`ConfigError::NoHome`].
pub fn default_data(surroundings: &Surroundings) -> Result<PathBuf, ConfigError> {
    let folder = |name: &str| {
        variable(surroundings, name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    base.map(|base| base.join("trainyard")).ok_or(ConfigError::NoHome)
}

/// The data folder that a command without a whole configuration means: its flag, else the variable, else the
/// default.
///
/// # Errors
/// [`ConfigError::NoHome`].
pub fn data_folder(surroundings: &Surroundings, flag: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let named = flag
        .map(Path::to_owned)
        .or_else(|| variable(surroundings, "TRAINYARD_DATA").map(PathBuf::from));
    match named {
        Some(data) => Ok(surroundings.folder.join(data)),
        None => default_data(surroundings),
    }
}

fn variable<'a>(surroundings: &'a Surroundings, name: &str) -> Option<&'a OsString> {
    surroundings
        .variables
        .get(std::ffi::OsStr::new(name))
        .filter(|value| !value.is_empty())
}

fn from_data_folder(surroundings: &Surroundings, over: &[Setting]) -> Result<Config, ConfigError> {
    let named = over.iter().rev().find(|set| set.key.name == "data");
    let data = match named {
        Some(set) => surroundings.folder.join(&set.text),
        None => default_data(surroundings)?,
    };
    let file = data.join(FILE);
    let config = match read(&file) {
        Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Config::default()
        }
        other => other?,
    };
    match config.data {
        Some(other) if other != data => Err(ConfigError::OtherData { file, data: other }),
        _ => Ok(Config {
            data: Some(data),
            ..config
        }),
    }
}

fn read(file: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read {
        file: file.to_owned(),
        source,
    })?;
    let mut config: Config = toml::from_str(&text).map_err(|error| ConfigError::File {
        file: file.to_owned(),
        text: error.to_string(),
    })?;
    if let Some(folder) = file.parent() {
        absolute(&mut config, folder);
    }
    Ok(config)
}

/// A relative path starts from where it was written: the file's folder, or the current one.
fn absolute(config: &mut Config, folder: &Path) {
    let accounts = config
        .storage_accounts
        .values_mut()
        .flat_map(StorageAccount::paths);
    let single = [
        &mut config.data,
        &mut config.tls.certificate,
        &mut config.tls.key,
        &mut config.log.file,
        &mut config.file_servers.directory,
        &mut config.nfs.program,
        &mut config.containers.program,
        &mut config.containers.images,
        &mut config.secrets.key_file,
        &mut config.key_vaults.folder,
    ];
    for path in single.into_iter().flatten().chain(accounts) {
        *path = folder.join(&path);
    }
}

/// One value from a variable or flag.
struct Setting {
    origin: String,
    key: &'static Key,
    text: String,
}

/// Variables, then flags.
fn overlay(surroundings: &Surroundings, flags: &[Flag]) -> Result<Vec<Setting>, ConfigError> {
    let mut settings = Vec::new();
    for (name, text) in &surroundings.variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("TRAINYARD_")) else {
            continue;
        };
        if name == FILE_VARIABLE {
            continue;
        }
        let key = KEYS.iter().find(|key| key.variable().as_deref() == Some(name));
        let key = key.ok_or_else(|| ConfigError::Variable(name.to_owned()))?;
        let text = text.to_str().ok_or_else(|| ConfigError::Value {
            origin: name.to_owned(),
            text: text.to_string_lossy().into_owned(),
            reason: "it is not UTF-8".to_owned(),
        })?;
        settings.push(Setting {
            origin: name.to_owned(),
            key,
            text: text.to_owned(),
        });
    }
    for flag in flags {
        let key = KEYS.iter().find(|key| key.name == flag.key);
        let key = key.ok_or_else(|| ConfigError::Variable(flag.key.to_owned()))?;
        settings.push(Setting {
            origin: flag.flag.to_owned(),
            key,
            text: flag.text.clone(),
        });
    }
    Ok(settings)
}

impl Setting {
    /// Lays this one value over a configuration, by way of its TOML form.
    fn apply(&self, config: Config) -> Result<Config, ConfigError> {
        let refuse = |reason: String| ConfigError::Value {
            origin: self.origin.clone(),
            text: self.text.clone(),
            reason,
        };
        let mut root = Table::try_from(config).map_err(|error| refuse(error.to_string()))?;
        let mut names: Vec<&str> = self.key.name.split('.').collect();
        let last = names.pop().unwrap_or_default();
        let mut table = &mut root;
        for name in names {
            let entry = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
            table = entry
                .as_table_mut()
                .ok_or_else(|| refuse(format!("{name} is no table")))?;
        }
        table.insert(last.to_owned(), self.value().map_err(refuse)?);
        Config::deserialize_table(root).map_err(|error| refuse(error.message().to_owned()))
    }

    fn value(&self) -> Result<Value, String> {
        let text = self.text.trim();
        match self.key.kind {
            Kind::Text => Ok(Value::String(text.to_owned())),
            Kind::Number => text
                .parse()
                .map(Value::Integer)
                .map_err(|_| "a whole number is wanted".to_owned()),
            Kind::Flag => text
                .parse()
                .map(Value::Boolean)
                .map_err(|_| "write true or false".to_owned()),
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Value::Array(
                    items.map(|item| Value::String(item.to_owned())).collect(),
                ))
            }
        }
    }
}

impl Config {
    fn deserialize_table(table: Table) -> Result<Self, toml::de::Error> {
        table.try_into()
    }
}
