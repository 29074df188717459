//! `trainyard connect`: what a client of the old service needs to reach this one.

mod az;
mod programs;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use serde::Deserialize;
use trainyard_client::{Client, Endpoint};

use super::token::Folder;
use crate::config::layers::Surroundings;
use crate::{authority, clock, connect};

/// Prints what a client needs, and writes its files.
#[derive(Debug, Args)]
pub struct Connect {
    #[command(subcommand)]
    client: WhichClient,
}

#[derive(Debug, Subcommand)]
enum WhichClient {
    /// Azure CLI: writes its cloud, profile and token into a folder of its own, and prints the lines for a shell.
    Az(Az),
    /// The Python SDK: prints a beginning that works as it stands.
    Python(Common),
    /// The Node SDK: prints a beginning that works as it stands.
    Node(Common),
}

#[derive(Debug, Args)]
struct Az {
    /// The folder; never your own ~/.azure [default: connect/az in the data folder].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Write into a folder that has other files, over those of the same names.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Where the client finds the server [default: where the one on the data folder listens].
    #[arg(long)]
    url: Option<String>,
    /// Token to use; others on this machine can see it in the list of processes.
    #[arg(long, group = "who")]
    token: Option<String>,
    /// File with the token [default: admin-token in the data folder].
    #[arg(long, value_name = "FILE", group = "who")]
    token_file: Option<PathBuf>,
    /// Application id of a service principal to sign in as, with its secret in AZURE_CLIENT_SECRET; this needs TLS.
    #[arg(long, value_name = "ID", group = "who")]
    principal: Option<String>,
    /// By TLS with the locally made authority, which is made if it is missing.
    #[arg(long)]
    tls: bool,
    /// The subscription [default: the server's first].
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    #[command(flatten)]
    folder: Folder,
}

/// How the client is let in.
#[derive(Debug, PartialEq, Eq)]
enum Who {
    /// By a token that was typed.
    Token(String),
    /// By the token in a file.
    TokenFile(PathBuf),
    /// As a service principal.
    Principal(String),
}

/// All that a client must know.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    url: String,
    subscription: String,
    tenant: String,
    who: Who,
    /// The certificate to trust beside those of the machine.
    authority: Option<PathBuf>,
}

impl Connect {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        match self.client {
            WhichClient::Az(command) => {
                let (data, facts) = command.common.facts(surroundings).await?;
                let folder = match &command.folder {
                    Some(folder) => surroundings.folder.join(folder),
                    None => data.join("connect/az"),
                };
                az::write(&folder, &facts, surroundings, command.force)
            }
            WhichClient::Python(common) => programs::python(&common.facts(surroundings).await?.1),
            WhichClient::Node(common) => programs::node(&common.facts(surroundings).await?.1),
        }
    }
}

impl Common {
    async fn facts(&self, surroundings: &Surroundings) -> anyhow::Result<(PathBuf, Facts)> {
        let data = self.folder.find(surroundings)?;
        let made = match self.tls {
            true => Some(authority::ensure(&data, authority::own_names(), clock::now())?.authority),
            false => None,
        };
        let note = connect::note(&data);
        let (url, noted) = match &self.url {
            Some(url) => (url.trim_end_matches('/').to_owned(), None),
            None => {
                let note = note?;
                (connect::reachable(&note.url), note.authority)
            }
        };
        let is_safe = url.starts_with("https://");
        ensure!(
            is_safe || url.starts_with("http://"),
            "{url:?} is no address: write it as https://HOST:PORT"
        );
        ensure!(
            is_safe || !self.tls,
            "the server at {url} has no TLS, though the authority for it is there now: start it again with \
             `trainyard serve --tls-local`"
        );
        ensure!(
            is_safe || self.principal.is_none(),
            "clients sign in by TLS only, and the server at {url} has none: start it again with \
             `trainyard serve --tls-local`, or use a token"
        );
        let who = self.who(&data, surroundings);
        let client = self.client(&data, &url, &who)?;
        let facts = Facts {
            subscription: match &self.subscription {
                Some(id) => id.clone(),
                None => first(&client, &data, "/subscriptions").await?,
            },
            tenant: first(&client, &data, "/tenants").await?,
            url,
            who,
            authority: made.or(noted),
        };
        Ok((data, facts))
    }

    fn who(&self, data: &Path, surroundings: &Surroundings) -> Who {
        match (&self.token, &self.token_file, &self.principal) {
            (Some(token), ..) => Who::Token(token.clone()),
            (_, Some(file), _) => Who::TokenFile(surroundings.folder.join(file)),
            (.., Some(principal)) => Who::Principal(principal.clone()),
            (None, None, None) => Who::TokenFile(data.join(connect::TOKEN_FILE)),
        }
    }

    /// A way to ask the server: by the data folder, else by its address; as who will use it, where that is a token.
    fn client(&self, data: &Path, url: &str, who: &Who) -> anyhow::Result<Client> {
        let by_folder = connect::admin(data);
        let token = match who {
            Who::Principal(_) => return by_folder,
            Who::Token(_) | Who::TokenFile(_) => who.token()?,
        };
        let endpoint = match by_folder {
            Ok(client) => client.endpoint().clone(),
            Err(error) => Endpoint::from_url(url).map_err(|_| error)?,
        };
        Ok(Client::new(endpoint, &token)?)
    }
}

impl Who {
    /// The token, where it is one.
    fn token(&self) -> anyhow::Result<String> {
        match self {
            Who::Token(token) => Ok(token.trim().to_owned()),
            Who::TokenFile(file) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("the token file {} cannot be read", file.display()))?;
                Ok(text.trim().to_owned())
            }
            Who::Principal(id) => anyhow::bail!("{id} signs in for its tokens"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(default)]
    subscription_id: String,
    #[serde(default)]
    tenant_id: String,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Row>,
}

/// The first id of a list of the resource manager's.
async fn first(client: &Client, data: &Path, path: &str) -> anyhow::Result<String> {
    let page = client.get(&format!("{path}?api-version=2016-06-01")).await;
    let page: Page = connect::explain(data, page)?.json()?;
    let row = page.value.into_iter().next();
    let row = row.with_context(|| format!("the server's list {path} is empty"))?;
    Ok(if row.subscription_id.is_empty() {
        row.tenant_id
    } else {
        row.subscription_id
    })
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("/a b/it's $X"), r"'/a b/it'\''s $X'");
    }
}
