//! What values must be together, and nothing else tells.

use trainyard_engine::BRIDGE_NODES;

use super::{Config, NetworkWish, Nfs, RemoteLogin};

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
    /// A member of a storage account that must be there, or must not.
    #[error("{key} {found}: {rule}")]
    Account {
        /// The key.
        key: String,
        /// Whether it is missing or too much.
        found: &'static str,
        /// What to do.
        rule: String,
    },
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
    remote_login(&config.remote_login)?;
    nfs(&config.nfs)?;
    for (name, account) in &config.storage_accounts {
        account.check(&format!("storage_accounts.{name}"))?;
    }
    let subnet = config.local.bridge_subnet;
    require(
        subnet.is_private() && subnet.octets()[2..] == [0, 0],
        "local.bridge_subnet",
        subnet,
        "a private address that ends with .0.0 is possible",
    )?;
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
    require(
        config.local.network != NetworkWish::Bridge || config.local.max_nodes <= BRIDGE_NODES,
        "local.max_nodes",
        config.local.max_nodes,
        "1 to 1023 is possible with local.network = \"bridge\", since a bridge holds no more; take fewer, or \"loopback\"",
    )?;
    let vaults = &config.key_vaults;
    for (key, value, most) in [
        ("key_vaults.timeout_seconds", vaults.timeout_seconds, 3600),
        ("key_vaults.parallel", vaults.parallel, 64),
    ] {
        let rule = "1 to 3600 seconds and 1 to 64 at once are possible";
        require((1..=most).contains(&value), key, value, rule)?;
    }
    let named = |argument: &String| ["{url}", "{name}"].iter().any(|part| argument.contains(part));
    require(
        vaults.command.is_empty() || vaults.command.iter().skip(1).any(named),
        "key_vaults.command",
        vaults.command.join(" "),
        "one of its arguments must have {url} or {name} in it, which stand for the secret that is asked for",
    )?;
    let body = config.limits.body_bytes;
    require(
        (1 << 10..=1 << 30).contains(&body.0),
        "limits.body_bytes",
        body,
        "1KiB to 1GiB is possible",
    )?;
    check_growth(config)?;
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

/// Where people are told to go must be somewhere.
fn remote_login(login: &RemoteLogin) -> Result<(), Unusable> {
    let shown = login.public_address.as_deref();
    require(
        !login.enabled || !login.listen.is_unspecified() || shown.is_some(),
        "remote_login.listen",
        login.listen,
        "set remote_login.public_address to the address or name at which people reach this machine",
    )?;
    let shown = shown.unwrap_or("localhost");
    let good = |b: u8| b.is_ascii_alphanumeric() || b".-:_".contains(&b);
    require(
        (1..=253).contains(&shown.len()) && shown.bytes().all(good),
        "remote_login.public_address",
        shown,
        "write an IP address or the name of a host",
    )
}

/// Nobody is let in by an oversight, and where clients are told to go must be somewhere.
fn nfs(nfs: &Nfs) -> Result<(), Unusable> {
    require(
        nfs.port > 0,
        "nfs.port",
        nfs.port,
        "clients must know it: 1 to 65535 is possible",
    )?;
    require(
        !nfs.enabled || nfs.listen.is_loopback() || !nfs.clients.is_empty(),
        "nfs.listen",
        nfs.listen,
        "other machines reach it: say in nfs.clients which of them may mount, such as [\"10.0.0.0/24\"]",
    )?;
    require(
        !nfs.enabled || !nfs.listen.is_unspecified() || nfs.public_address.is_some(),
        "nfs.listen",
        nfs.listen,
        "set nfs.public_address to the address at which clients reach this machine",
    )
}

/// Limits of what grows: none is so low that nothing could run.
fn check_growth(config: &Config) -> Result<(), Unusable> {
    let limits = &config.limits;
    for (key, value, least, rule) in [
        (
            "limits.stdout_bytes",
            limits.stdout_bytes,
            1 << 10,
            "0 or at least 1KiB is possible",
        ),
        (
            "limits.execution_log_bytes",
            limits.execution_log_bytes,
            1 << 10,
            "0 or at least 1KiB is possible",
        ),
        (
            "limits.job_temp_bytes",
            limits.job_temp_bytes,
            1 << 20,
            "0 or at least 1MiB is possible",
        ),
        (
            "log.file_bytes",
            config.log.file_bytes,
            1 << 10,
            "0 or at least 1KiB is possible",
        ),
    ] {
        require(value.0 == 0 || value.0 >= least, key, value, rule)?;
    }
    let floor = limits.disk_floor;
    require(
        (1 << 20..=1 << 40).contains(&floor.0),
        "limits.disk_floor",
        floor,
        "1MiB to 1TiB is possible",
    )?;
    let retention = &config.retention;
    for (key, value, least) in [
        ("retention.event_days", retention.event_days, 0),
        ("retention.operation_days", retention.operation_days, 1),
        ("retention.image_days", retention.image_days, 0),
        ("retention.job_temp_minutes", retention.job_temp_minutes, 1),
        ("retention.every_minutes", retention.every_minutes, 1),
    ] {
        let rule = match least {
            0 => "0 to 100000 is possible",
            _ => "1 to 100000 is possible",
        };
        require((least..=100_000).contains(&value), key, value, rule)?;
    }
    Ok(())
}

pub(super) fn require(
    good: bool,
    key: &str,
    found: impl ToString,
    rule: &'static str,
) -> Result<(), Unusable> {
    if good {
        return Ok(());
    }
    Err(Unusable::Value {
        key: key.to_owned(),
        found: found.to_string(),
        rule,
    })
}
