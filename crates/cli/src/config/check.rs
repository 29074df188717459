//! What values must be together, and nothing else tells.

use super::Config;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Anyone on the network could read tokens and secrets.
    #[error(
        "listen is {0}, which other machines reach, and there is no TLS: set tls.certificate and tls.key, or \
         listen on 127.0.0.1, or set allow_insecure_listen = true if the network is yours alone"
    )]
    InsecureListen(std::net::SocketAddr),
    /// One of two.
    #[error("tls.certificate and tls.key go together, and {0} is missing: set it, or neither")]
    HalfTls(&'static str),
    /// Two certificates.
    #[error("tls.local makes a certificate by itself: leave tls.certificate and tls.key out, or tls.local")]
    TwoTls,
    /// A quota that counts nothing.
    #[error(
        "quotas.families.{0:?} is the quota of no VM size: write a family as docs/configuration.md names it, or one \
         of your own vm_sizes"
    )]
    NoSuchFamily(String),
    /// A value out of its range.
    #[error("{key} is {found}: {rule}")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What it must be.
        rule: &'static str,
    },
}

/// Checks a whole configuration.
///
/// # Errors
/// [`Unusable`] with the first thing found.
pub fn check(config: &Config) -> Result<(), Unusable> {
    match (&config.tls.certificate, &config.tls.key) {
        (Some(_), None) => return Err(Unusable::HalfTls("tls.key")),
        (None, Some(_)) => return Err(Unusable::HalfTls("tls.certificate")),
        (Some(_), Some(_)) if config.tls.local => return Err(Unusable::TwoTls),
        (None, None) if config.tls.local => {}
        (None, None) if !config.listen.ip().is_loopback() && !config.allow_insecure_listen => {
            return Err(Unusable::InsecureListen(config.listen));
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
    if let Some(url) = &config.public_url {
        let good = ["http://", "https://"]
            .iter()
            .any(|scheme| url.len() > scheme.len() && url.starts_with(scheme));
        require(
            good && !url.ends_with('/'),
            "public_url",
            url,
            "write it as https://HOST, without a slash at its end",
        )?;
    }
    for id in &config.subscriptions {
        let good = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        require(
            good,
            "subscriptions",
            id,
            "an id is 1 to 64 letters, digits and '-'",
        )?;
    }
    let minutes = config.sign_in.token_minutes;
    require(
        (5..=1440).contains(&minutes),
        "sign_in.token_minutes",
        minutes,
        "5 to 1440 is possible",
    )?;
    for (name, account) in &config.storage_accounts {
        let Some(group) = &account.resource_group else {
            continue;
        };
        let key = format!("storage_accounts.{name}.resource_group");
        let rule = "a group is 1 to 90 letters, digits, '-', '_', '.' and brackets, with no '.' at its end";
        require(
            trainyard_domain::name::GroupName::new(group).is_ok(),
            &key,
            group,
            rule,
        )?;
    }
    for (key, value) in [
        ("local.max_nodes", config.local.max_nodes),
        ("log.keep", config.log.keep),
    ] {
        require(
            (1..=100_000).contains(&value),
            key,
            value,
            "1 to 100000 is possible",
        )?;
    }
    let body = config.limits.body_bytes;
    require(
        (1 << 10..=1 << 30).contains(&body.0),
        "limits.body_bytes",
        body,
        "1KiB to 1GiB is possible",
    )?;
    let sizes = config.sizes();
    let known = |family: &str| sizes.values().any(|size| size.family == family);
    if let Some(family) = config.quotas.families.keys().find(|family| !known(family)) {
        return Err(Unusable::NoSuchFamily(family.clone()));
    }
    for (name, size) in &config.vm_sizes {
        let (cores, memory) = (
            format!("vm_sizes.{name}.cores"),
            format!("vm_sizes.{name}.memory"),
        );
        require(size.cores > 0, &cores, size.cores, "a node has at least one core")?;
        require(size.memory > 0, &memory, size.memory, "a node has at least 1 MiB")?;
        let processes = format!("vm_sizes.{name}.processes");
        let given = size.processes();
        require(given >= 16, &processes, given, "a job needs some, at least 16")?;
    }
    Ok(())
}

fn require(good: bool, key: &str, found: impl ToString, rule: &'static str) -> Result<(), Unusable> {
    if good {
        return Ok(());
    }
    Err(Unusable::Value {
        key: key.to_owned(),
        found: found.to_string(),
        rule,
    })
}
