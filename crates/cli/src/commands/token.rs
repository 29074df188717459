//! `trainyard token`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::json;

use crate::config::layers::{Surroundings, data_folder};
use crate::{connect, out};

/// Tokens of the server on a data folder.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; it is printed once and kept nowhere.
    Create(Create),
    /// List tokens, without their values.
    List(List),
    /// Revoke a token at once.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Create {
    /// What it is for.
    #[arg(long)]
    name: String,
    /// What it may do.
    #[arg(long, value_enum, ignore_case = true)]
    role: Role,
    /// Where: /subscriptions/ID, that and /resourceGroups/NAME, or a workspace's id.
    #[arg(long, value_name = "PATH")]
    scope: String,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// Its id, as `token list` shows it.
    id: String,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub struct Folder {
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    /// Everything, rights included.
    #[value(name = "Owner")]
    Owner,
    /// Everything but rights.
    #[value(name = "Contributor")]
    Contributor,
    /// Reading.
    #[value(name = "Reader")]
    Reader,
}

#[derive(Deserialize)]
struct Shown {
    id: String,
    name: String,
    role: String,
    scope: String,
    #[serde(default)]
    created: String,
    /// Only in the answer that made it.
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Shown>,
}

impl Token {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        match self {
            Self::Create(command) => {
                let data = command.folder.find(surroundings)?;
                create(&data, &command).await
            }
            Self::List(command) => list(&command.folder.find(surroundings)?).await,
            Self::Revoke(command) => revoke(&command.folder.find(surroundings)?, &command.id).await,
        }
    }
}

impl Folder {
    /// The data folder that is meant.
    pub fn find(&self, surroundings: &Surroundings) -> anyhow::Result<PathBuf> {
        Ok(data_folder(surroundings, self.data.as_deref())?)
    }
}

async fn create(data: &Path, command: &Create) -> anyhow::Result<()> {
    let body = json!({
        "name": command.name,
        "role": format!("{:?}", command.role),
        "scope": command.scope,
    });
    let made = connect::admin(data)?.post("/trainyard/tokens", Some(&body)).await;
    let made: Shown = connect::explain(data, made)?.json()?;
    say!(
        "{} {} on {}: keep the token, it is not shown again",
        made.id,
        made.role,
        made.scope
    );
    out::print(made.token + "\n")
}

async fn list(data: &Path) -> anyhow::Result<()> {
    let page = connect::admin(data)?.get("/trainyard/tokens").await;
    let page: Page = connect::explain(data, page)?.json()?;
    for token in page.value {
        out::print(format_args!(
            "{}\t{}\t{}\t{}\t{}\n",
            token.id, token.name, token.role, token.scope, token.created
        ))?;
    }
    Ok(())
}

async fn revoke(data: &Path, id: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
        "{id:?} is no id of a token: `trainyard token list` shows them"
    );
    let gone = connect::admin(data)?
        .delete(&format!("/trainyard/tokens/{id}"))
        .await;
    connect::explain(data, gone)?;
    say!("revoked {id}");
    Ok(())
}
