//! `trainyard backup` and `trainyard restore`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use super::key::Place;
use crate::config::layers::{Surroundings, data_folder};
use crate::{folder, serve};

/// Copy the store into a new file. The server may be running.
#[derive(Debug, Args)]
pub struct Backup {
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// New file to make. Secrets stay sealed; their key is not in it.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Bring a copy of the store back into a data folder whose server is stopped.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    place: Place,
    /// File that `trainyard backup` made; the key that sealed its secrets must be here. The present store is kept.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

impl Backup {
    pub fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let data = data_folder(surroundings, self.data.as_deref())?;
        ensure!(
            data.is_dir(),
            "there is no folder {}: check the name",
            data.display()
        );
        let to = surroundings.folder.join(&self.to);
        serve::backup(&data, &to)?;
        say!("copied the store of {} to {}", data.display(), to.display());
        Ok(())
    }
}

impl Restore {
    pub fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let config = self.place.load(surroundings)?;
        let from = surroundings.folder.join(&self.from);
        ensure!(
            from.is_file(),
            "there is no file {}: check the name",
            from.display()
        );
        folder::make(config.data())?;
        serve::restore(&from, &config, surroundings)?;
        say!(
            "restored: start the server with `trainyard serve --data {}`",
            config.data().display()
        );
        Ok(())
    }
}
