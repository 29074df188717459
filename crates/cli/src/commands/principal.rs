//! `trainyard principal`.

use std::path::Path;

use anyhow::ensure;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::token::{Folder, Role};
use crate::config::layers::Surroundings;
use crate::{connect, out};

/// Service principals: who signs in with a secret for tokens that soon end.
#[derive(Debug, Subcommand)]
pub enum Principal {
    /// Make a principal; its secret is printed once and kept nowhere.
    Create(Create),
    /// List principals, without their secrets.
    List(List),
    /// Make a new secret; it is printed once and kept nowhere.
    Reset(Reset),
    /// Print the variable that gives a program of this machine the principal's rights without a secret.
    Identity(Identity),
    /// Revoke a principal with all its secrets and tokens, at once.
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
    /// After how many days the secret ends, 1 to 3650.
    #[arg(long, value_name = "NUMBER", default_value_t = 365)]
    days: u32,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub struct Reset {
    /// Its application id, as `principal list` shows it.
    id: String,
    /// After how many days the secret ends, 1 to 3650.
    #[arg(long, value_name = "NUMBER", default_value_t = 365)]
    days: u32,
    /// Keep the other secrets, so that clients can be changed one by one.
    #[arg(long)]
    append: bool,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub struct Identity {
    /// Its application id, as `principal list` shows it.
    id: String,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// Its application id, as `principal list` shows it.
    id: String,
    /// Only this secret or identity, with the tokens got by it; `principal list` shows their ids.
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    app_id: String,
    name: String,
    tenant: String,
    role: String,
    scope: String,
    created: String,
    credentials: Vec<Credential>,
    /// Only in the answer that made it.
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct Credential {
    id: String,
    kind: String,
    #[serde(default)]
    expires: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Shown>,
}

#[derive(Deserialize)]
struct Place {
    path: String,
}

impl Principal {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        match self {
            Self::Create(command) => create(&command.folder.find(surroundings)?, &command).await,
            Self::List(command) => list(&command.folder.find(surroundings)?).await,
            Self::Reset(command) => reset(&command.folder.find(surroundings)?, &command).await,
            Self::Identity(command) => identity(&command.folder.find(surroundings)?, &command.id).await,
            Self::Revoke(command) => revoke(&command.folder.find(surroundings)?, &command).await,
        }
    }
}

/// An id as it can stand in a path.
fn id(text: &str) -> anyhow::Result<&str> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    ensure!(
        good,
        "{text:?} is no id of a principal: `trainyard principal list` shows them"
    );
    Ok(text)
}

async fn post(data: &Path, path: &str, body: Option<&Value>) -> anyhow::Result<trainyard_client::Answer> {
    let answer = connect::admin(data)?.post(path, body).await;
    connect::explain(data, answer)
}

/// As `az ad sp create-for-rbac` prints it, so that scripts which read that go on.
fn print(made: &Shown) -> anyhow::Result<()> {
    say!(
        "{} {} on {}: keep the password, it is not shown again",
        made.app_id,
        made.role,
        made.scope
    );
    let shown = json!({
        "appId": made.app_id,
        "displayName": made.name,
        "password": made.password,
        "tenant": made.tenant,
    });
    out::print(format_args!("{shown:#}\n"))
}

async fn create(data: &Path, command: &Create) -> anyhow::Result<()> {
    let body = json!({
        "name": command.name,
        "role": format!("{:?}", command.role),
        "scope": command.scope,
        "days": command.days,
    });
    print(&post(data, "/trainyard/principals", Some(&body)).await?.json()?)
}

async fn reset(data: &Path, command: &Reset) -> anyhow::Result<()> {
    let body = json!({ "days": command.days, "append": command.append });
    let path = format!("/trainyard/principals/{}/secrets", id(&command.id)?);
    print(&post(data, &path, Some(&body)).await?.json()?)
}

async fn list(data: &Path) -> anyhow::Result<()> {
    let page = connect::admin(data)?.get("/trainyard/principals").await;
    let page: Page = connect::explain(data, page)?.json()?;
    for one in page.value {
        let credentials = one.credentials.iter().map(|credential| {
            let until = credential.expires.as_deref().unwrap_or("revoked");
            format!("{} {} until {until}", credential.kind, credential.id)
        });
        out::print(format_args!(
            "{}\t{}\t{}\t{}\t{}\t{}\n",
            one.app_id,
            one.name,
            one.role,
            one.scope,
            one.created,
            credentials.collect::<Vec<_>>().join(", ")
        ))?;
    }
    Ok(())
}

async fn identity(data: &Path, app_id: &str) -> anyhow::Result<()> {
    let path = format!("/trainyard/principals/{}/identity", id(app_id)?);
    let made: Place = post(data, &path, None).await?.json()?;
    say!(
        "keep it like a password: every program of this machine that knows it has the principal's rights; an \
         earlier one is worth nothing now"
    );
    let url = connect::reachable(&connect::note(data)?.url);
    out::print(format_args!("export MSI_ENDPOINT='{url}{}'\n", made.path))
}

async fn revoke(data: &Path, command: &Revoke) -> anyhow::Result<()> {
    let mut path = format!("/trainyard/principals/{}", id(&command.id)?);
    if let Some(credential) = &command.credential {
        path += &format!("/credentials/{}", id(credential)?);
    }
    let gone = connect::admin(data)?.delete(&path).await;
    connect::explain(data, gone)?;
    say!("revoked {}", command.credential.as_ref().unwrap_or(&command.id));
    Ok(())
}
