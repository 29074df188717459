//! `trainyard backup` and `trainyard restore`.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;

use crate::config::layers::{Surroundings, data_folder};
use crate::{folder, serve};

/// Copy the data into a new folder. The server may be running.
#[derive(Debug, Args)]
pub struct Backup {
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Folder to make; it must be absent or empty.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Bring a backup back into an absent or empty data folder.
#[derive(Debug, Args)]
pub struct Restore {
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Folder that `trainyard backup` made.
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
}

impl Backup {
    pub fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let data = data_folder(surroundings, self.data.as_deref())?;
        require_folder(&data)?;
        let to = surroundings.folder.join(&self.to);
        require_empty(&to)?;
        folder::make(&to)?;
        serve::backup(&data, &to)?;
        eprintln!("copied {} to {}", data.display(), to.display());
        Ok(())
    }
}

impl Restore {
    pub fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let data = data_folder(surroundings, self.data.as_deref())?;
        let from = surroundings.folder.join(&self.from);
        require_folder(&from)?;
        require_empty(&data)?;
        folder::make(&data)?;
        serve::restore(&from, &data)?;
        eprintln!(
            "restored {}: start the server with `trainyard serve --data {}`",
            data.display(),
            data.display()
        );
        Ok(())
    }
}

fn require_folder(folder: &Path) -> anyhow::Result<()> {
    ensure!(
        folder.is_dir(),
        "there is no folder {}: check the name",
        folder.display()
    );
    Ok(())
}

/// Nothing is ever written over.
fn require_empty(folder: &Path) -> anyhow::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let mut entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    ensure!(
        entries.next().is_none(),
        "{} is not empty: name a new folder, or move this one away first",
        folder.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_nothing_over() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path();
        assert!(require_empty(path).is_ok() && require_empty(&path.join("absent")).is_ok());
        std::fs::write(path.join("x"), "").unwrap();
        assert!(require_empty(path).unwrap_err().to_string().contains("not empty"));
        assert!(require_folder(&path.join("x")).is_err() && require_folder(path).is_ok());
    }
}
