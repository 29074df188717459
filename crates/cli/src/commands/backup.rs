//! `trainyard backup` and `trainyard restore`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::config::layers::{Surroundings, data_folder};
use crate::{folder, serve};

/// Copy the store into a new file. The server may be running.
#[derive(Debug, Args)]
pub struct Backup {
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// New file to make. Secrets stay sealed; their key, secret-key in the data folder, is not in it.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Bring a copy of the store back into a data folder whose server is stopped.
#[derive(Debug, Args)]
pub struct Restore {
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// File that `trainyard backup` made; its folder's secret-key must be here. The present store is kept.
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
        let data = data_folder(surroundings, self.data.as_deref())?;
        let from = surroundings.folder.join(&self.from);
        ensure!(
            from.is_file(),
            "there is no file {}: check the name",
            from.display()
        );
        folder::make(&data)?;
        serve::restore(&from, &data)?;
        say!(
            "restored: start the server with `trainyard serve --data {}`",
            data.display()
        );
        Ok(())
    }
}
