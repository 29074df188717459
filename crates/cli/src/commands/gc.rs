//! `trainyard gc`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use serde_json::json;
use trainyard_client::Limits;
use trainyard_store::lock::holder;

use crate::config::layers::{Flag, Surroundings, load};
use crate::rooms::{How, Report, Waste};
use crate::{connect, out, serve};

/// How long a server may take to delete what it showed.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Show what nobody needs any more, and delete it with --delete. A server may be running.
#[derive(Debug, Args)]
pub struct Gc {
    /// Delete what is shown.
    #[arg(long, visible_alias = "yes")]
    delete: bool,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    /// TOML file [default: trainyard.toml in the data folder, if there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,
}

impl Gc {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let data = self.data.clone().map(|text| Flag {
            flag: "--data",
            key: "data",
            text,
        });
        let flags: Vec<Flag> = data.into_iter().collect();
        let config = load(surroundings, self.config.as_deref(), &flags)?;
        let data = config.data();
        ensure!(
            data.is_dir(),
            "there is no folder {}: check the name",
            data.display()
        );
        let report = if holder(data)?.is_some() {
            let limits = Limits {
                request: PATIENCE,
                ..Limits::default()
            };
            let client = connect::admin(data)?.with_limits(limits);
            let wish = json!({ "delete": self.delete });
            let asked = client.post("/trainyard/gc", Some(&wish)).await;
            connect::explain(data, asked)?.json()?
        } else {
            serve::gc(
                &config,
                surroundings,
                if self.delete { How::Free } else { How::Look },
            )?
        };
        out::print(if self.json {
            serde_json::to_string_pretty(&report)? + "\n"
        } else {
            table(&report)
        })?;
        if !report.is_whole() {
            bail!("not everything could be looked at or deleted: see above");
        }
        let (items, bytes) = report.sum();
        match (report.freed, items) {
            (_, 0) => say!("there is nothing to delete"),
            (true, _) => say!("deleted {items} things, {}", words(Some(bytes))),
            (false, _) => say!(
                "{items} things, {}, may go; delete them with `trainyard gc --delete`",
                words(Some(bytes))
            ),
        }
        Ok(())
    }
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    for room in &report.rooms {
        if let Some(error) = &room.error {
            text += &format!("{}: {error}\n", room.room);
        }
        for waste in &room.waste {
            text += &line(&room.room, waste);
        }
    }
    text
}

/// What, how many, how much, where, why.
fn line(room: &str, waste: &Waste) -> String {
    let left = waste.left.iter().map(|why| format!("; it stays: {why}"));
    format!(
        "{room:<20} {:>8} {:>12}  {}  ({}{})\n",
        waste.items,
        words(waste.bytes),
        waste.place,
        waste.why,
        left.collect::<String>()
    )
}

/// A number of bytes in words.
fn words(bytes: Option<u64>) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some(bytes) = bytes else { return "-".to_owned() };
    let unit = UNITS.iter().find(|(_, shift)| bytes >> shift >= 10);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(unit, shift)| format!("{} {unit}", bytes >> shift),
    )
}
