//! `trainyard migrate undo`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use serde::Deserialize;

use crate::config::layers::{Surroundings, data_folder};
use crate::{connect, out};

/// Take away what an import made, and nothing else. What was changed or used since stays and is named.
#[derive(Debug, Args)]
pub struct Undo {
    /// The import's id, as `import` printed it.
    id: String,
    /// Data folder of the server [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Page {
    removed: Vec<String>,
    left: Vec<Left>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Left {
    id: String,
    reason: String,
}

impl Undo {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        ensure!(
            !self.id.is_empty() && self.id.chars().all(plain),
            "{:?} is no id of an import: `trainyard migrate import` prints it",
            self.id
        );
        let data = data_folder(surroundings, self.data.as_deref())?;
        let client = connect::admin(&data)?;
        let (mut removed, mut left, mut next) = (0, Vec::new(), None);
        loop {
            let page = client.undo_import(&self.id, next.as_deref()).await;
            let page: Page = connect::explain(&data, page)?.json()?;
            removed += page.removed.len();
            left.extend(page.left);
            next = page.next;
            if next.is_none() {
                break;
            }
            say!("{removed} removed");
        }
        for Left { id, reason } in &left {
            out::print(format_args!("left\t{id}\t{reason}\n"))?;
        }
        match (removed, left.len()) {
            (0, 0) => say!("there is nothing of the import {}", self.id),
            (_, 0) => say!("removed {removed}; nothing of the import {} is left", self.id),
            (_, left) => say!("removed {removed}, {left} left; run it again when these may go"),
        }
        Ok(())
    }
}
