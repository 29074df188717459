//! `trainyard key`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::config::Config;
use crate::config::layers::{ConfigError, Flag, Surroundings, load};
use crate::serve::{Keys, keys};
use crate::{connect, out};

/// The key that seals secrets. It is never printed.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Show where the key comes from, its id, and how many secrets it seals.
    Show(Place),
    /// Seal all secrets by a new key, then destroy the old one; the server may be running. After a failure, or when it
    /// was killed, run it again: it goes on.
    Rotate(Place),
}

/// A data folder with its configuration.
#[derive(Debug, Args)]
pub struct Place {
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,
    /// TOML file [default: trainyard.toml in the data folder, if there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration of the folder.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(&self, surroundings: &Surroundings) -> Result<Config, ConfigError> {
        let data = self.data.iter().map(|text| Flag {
            flag: "--data",
            key: "data",
            text: text.clone(),
        });
        load(surroundings, self.config.as_deref(), &data.collect::<Vec<_>>())
    }
}

#[derive(Deserialize)]
struct Shown {
    origin: String,
    keys: Vec<Sealing>,
}

#[derive(Deserialize)]
struct Sealing {
    id: String,
    sealed: u64,
    here: bool,
}

#[derive(Deserialize)]
struct Step {
    key: String,
    moved: u64,
    done: bool,
}

impl Key {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        match self {
            Self::Show(place) => show(&place.load(surroundings)?, surroundings).await,
            Self::Rotate(place) => rotate(&place.load(surroundings)?, surroundings).await,
        }
    }
}

async fn show(config: &Config, surroundings: &Surroundings) -> anyhow::Result<()> {
    let shown = match keys(config, surroundings)? {
        Keys::Served => {
            let answer = connect::admin(config.data())?.get("/trainyard/key").await;
            connect::explain(config.data(), answer)?.json()?
        }
        Keys::Here(held) => {
            let (origin, ids, sealed) = held.show()?;
            of_store(origin, &ids, sealed)
        }
    };
    say!("from {}", shown.origin);
    for (i, key) in shown.keys.iter().enumerate() {
        let role = match (key.here, i) {
            (true, 0) => "seals",
            (true, _) => "opens",
            (false, _) => "missing",
        };
        out::print(format_args!("{}\t{role}\t{}\n", key.id, key.sealed))?;
    }
    Ok(())
}

fn of_store(origin: String, ids: &[String], mut sealed: BTreeMap<String, u64>) -> Shown {
    let here = ids
        .iter()
        .map(|id| (id.clone(), sealed.remove(id).unwrap_or_default(), true));
    let here: Vec<_> = here.collect();
    let missing = sealed.into_iter().map(|(id, count)| (id, count, false));
    let keys = here.into_iter().chain(missing);
    Shown {
        origin,
        keys: keys
            .map(|(id, sealed, here)| Sealing { id, sealed, here })
            .collect(),
    }
}

async fn rotate(config: &Config, surroundings: &Surroundings) -> anyhow::Result<()> {
    let end = match keys(config, surroundings)? {
        Keys::Served => rotate_served(config.data()).await?,
        Keys::Here(held) => loop {
            let (key, moved, done) = held.rotate()?;
            if done {
                break Step { key, moved, done };
            }
        },
    };
    say!("sealed {} secrets anew", end.moved);
    say!("backups made before need the key that was there when they were made");
    out::print(format_args!("{}\n", end.key))
}

/// The server takes bounded steps, each asked for.
async fn rotate_served(data: &Path) -> anyhow::Result<Step> {
    let client = connect::admin(data)?;
    loop {
        let step = client.post("/trainyard/key/rotate", None).await;
        let step: Step = connect::explain(data, step)?.json()?;
        if step.done {
            return Ok(step);
        }
    }
}
