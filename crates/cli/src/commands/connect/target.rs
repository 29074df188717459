//! Which server a client is pointed at, and as whom.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use trainyard_client::{Client, Endpoint};

use super::place::Place;
use crate::config::layers::{Surroundings, data_folder};
use crate::serve::authority;
use crate::{connect, folder};

/// The server, by default the one on the data folder.
#[derive(Debug, Args)]
pub struct Server {
    /// Data folder of the server [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Address by which the client reaches it [default: where it listens].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Token that the client sends [default: one of its own, made now].
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Subscription [default: the server's first].
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// Where to keep what the client needs [default: connect/CLIENT in the data folder].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// All that a client has to know.
pub struct Target {
    /// Address of the server.
    pub url: String,
    /// Its subscription.
    pub subscription: String,
    /// The token it sends.
    pub token: String,
    /// The authority it has to trust, where the server has TLS of its own.
    pub authority: Option<PathBuf>,
    /// The folder of what it needs.
    pub place: Place,
}

#[derive(Deserialize)]
struct Made {
    token: String,
}

impl Server {
    /// Finds it, and makes a token for `client` where none was given or kept.
    ///
    /// # Errors
    /// When no server is found, or the folder is somebody else's.
    pub async fn find(&self, client: &str, surroundings: &Surroundings) -> anyhow::Result<Target> {
        let data = data_folder(surroundings, self.data.as_deref())?;
        let url = match &self.url {
            Some(url) => checked(url)?,
            None => reachable(&connect::note(&data)?.url),
        };
        let place = match &self.folder {
            Some(folder) => surroundings.folder.join(folder),
            None => {
                folder::make(&data)?;
                data.join("connect").join(client)
            }
        };
        let place = Place::open(&place)?;
        let (subscription, token) = match (&self.subscription, &self.token) {
            (Some(subscription), Some(token)) => (subscription.clone(), token.clone()),
            (None, Some(token)) => {
                let caller = self.caller(&data, &url, token)?;
                (first_subscription(&data, &caller).await?, token.clone())
            }
            (subscription, None) => {
                let admin = connect::admin(&data)?;
                let subscription = match subscription {
                    Some(subscription) => subscription.clone(),
                    None => first_subscription(&data, &admin).await?,
                };
                let token = token(&data, &admin, &place, client, &subscription).await?;
                (subscription, token)
            }
        };
        place.keep(&token)?;
        let is_tls = url.starts_with("https://");
        Ok(Target {
            authority: authority::found(&data).filter(|_| is_tls),
            url,
            subscription,
            token,
            place,
        })
    }

    /// Speaks with the token that was given: to the server of the data folder, else to the address.
    fn caller(&self, data: &Path, url: &str, token: &str) -> anyhow::Result<Client> {
        let endpoint = match connect::admin(data) {
            Ok(admin) => admin.endpoint().clone(),
            Err(_) => Endpoint::from_url(url).context(
                "the subscription cannot be asked for: name it with --subscription, or the server's folder with --data",
            )?,
        };
        Ok(Client::new(endpoint, token)?)
    }
}

async fn first_subscription(data: &Path, client: &Client) -> anyhow::Result<String> {
    let found = connect::explain(data, client.subscriptions().await)?;
    found
        .into_iter()
        .next()
        .context("the server has no subscription: name one with `subscriptions` in its configuration")
}

/// The token that was kept, while the server knows it; else a new one.
async fn token(
    data: &Path,
    admin: &Client,
    place: &Place,
    client: &str,
    subscription: &str,
) -> anyhow::Result<String> {
    if let Some(kept) = place.token()? {
        let caller = Client::new(admin.endpoint().clone(), &kept)?;
        match caller.subscriptions().await {
            Ok(_) => return Ok(kept),
            Err(error) if error.is_connect() => return connect::explain(data, Err(error)),
            Err(_) => say!(
                "the token kept in {} is known no more; a new one is made",
                place.token_file().display()
            ),
        }
    }
    let body = json!({
        "name": format!("connect {client}"),
        "role": "Contributor",
        "scope": format!("/subscriptions/{subscription}"),
    });
    let made = admin.post("/trainyard/tokens", Some(&body)).await;
    let made: Made = connect::explain(data, made)?.json()?;
    Ok(made.token)
}

/// An address as clients take it: with a scheme, without a slash at its end.
fn checked(url: &str) -> anyhow::Result<String> {
    let url = url.trim_end_matches('/');
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['"', '\'', '\\', '\n', ' ', '@']) => {
            Ok(url.to_owned())
        }
        Some(_) | None => {
            bail!("{url:?} is no address of a server: write http://HOST:PORT or https://HOST:PORT")
        }
    }
}

/// Where a server listens, as an address that this machine can call. Names fit certificates better than numbers.
fn reachable(url: &str) -> String {
    ["://0.0.0.0:", "://[::]:", "://127.0.0.1:"]
        .iter()
        .fold(url.to_owned(), |url, any| url.replacen(any, "://localhost:", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_clients_take() {
        assert_eq!(checked("https://host:1/").unwrap(), "https://host:1");
        for bad in ["host:1", "http://", "ftp://x", "http://a'b", "http://u@h"] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        assert_eq!(reachable("https://0.0.0.0:8443"), "https://localhost:8443");
        assert_eq!(reachable("http://10.0.0.1:80"), "http://10.0.0.1:80");
    }
}
