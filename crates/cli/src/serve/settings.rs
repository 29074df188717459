//! From the configuration to what each room wants to know.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;
use trainyard_domain::launch::Caps;
use trainyard_domain::name::SubscriptionId;
use trainyard_engine::Addresses;
use trainyard_engine_local::{Account, IsolationSettings, isolation_here};
use trainyard_node::container;
use trainyard_server::{Kept, Quotas, Settings, VmSize};
use trainyard_storage::{AccountName, FileServers, Owner};
use trainyard_vaults::{Fetcher, Vaults};

use super::hidden;
use super::ports::monotonic;
use crate::config::catalogue::{FAMILIES, has_premium_storage};
use crate::config::layers::Surroundings;
use crate::config::{Config, LevelWish, MissingGpus, NetworkWish, NodeLimits};

/// Settings of the service. `subscription` and `tenant` were made at the first start; the former is used where the
/// configuration names none.
pub fn service(config: &Config, subscription: String, tenant: String) -> anyhow::Result<Settings> {
    let given = &config.subscriptions;
    let ids = if given.is_empty() {
        vec![subscription]
    } else {
        given.clone()
    };
    let sizes: BTreeMap<String, VmSize> = config
        .sizes()
        .into_iter()
        .map(|(name, size)| {
            let size = VmSize {
                cores: size.cores,
                memory: size.memory.saturating_mul(1 << 20),
                processes: size.processes(),
                gpus: size.gpus,
                family: size.family,
                premium_storage: has_premium_storage(&name),
            };
            (name, size)
        })
        .collect();
    Ok(Settings {
        subscriptions: ids
            .iter()
            .map(|id| SubscriptionId::new(id))
            .collect::<Result<_, _>>()?,
        public_url: config.public_url.clone(),
        families: families(&sizes),
        vm_sizes: sizes,
        quotas: quotas(config),
        min_free_bytes: config.min_free.0,
        max_node_losses: config.max_node_losses,
        idle_seconds: config.autoscale.idle_time,
        grace_seconds: config.local.grace_seconds,
        caps: caps(config),
        kept: kept(config),
        addresses: match config.local.network {
            NetworkWish::Loopback => Addresses::Loopback,
            NetworkWish::Bridge => Addresses::Bridge(config.local.bridge_subnet),
        },
        ignore_missing_gpus: config.local.missing_gpus == MissingGpus::Ignore,
        enforce_limits: config.local.limits == NodeLimits::Enforce,
        tenant,
        token_seconds: 60 * config.sign_in.token_minutes,
        managed_identity: config.sign_in.managed_identity,
        account_groups: account_groups(config),
        body_bytes: usize::try_from(config.limits.body_bytes.0).context("limits.body_bytes is too large")?,
    })
}

/// How much a job may write.
fn caps(config: &Config) -> Caps {
    let limits = &config.limits;
    Caps {
        stdout: limits.stdout_bytes.0,
        execution_log: limits.execution_log_bytes.0,
        job_temp: limits.job_temp_bytes.0,
        disk_floor: limits.disk_floor.0,
    }
}

/// How long rows are kept that only tell what was.
pub fn kept(config: &Config) -> Kept {
    let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
    let retention = &config.retention;
    Kept {
        events: (retention.event_days > 0).then(|| days(retention.event_days)),
        most_events: retention.events,
        operations: days(retention.operation_days),
    }
}

/// Resource groups that the configuration gives to accounts, by the names that the storage knows them by.
fn account_groups(config: &Config) -> BTreeMap<String, String> {
    let given = config.storage_accounts.iter();
    given
        .filter_map(|(name, account)| {
            let name = AccountName::new(name).ok()?;
            Some((name.as_str().to_owned(), account.resource_group.clone()?))
        })
        .collect()
}

/// Those of the service first, in its order; then the operator's own.
fn families(sizes: &BTreeMap<String, VmSize>) -> Vec<String> {
    let mut families: Vec<String> = FAMILIES.map(str::to_owned).to_vec();
    for size in sizes.values() {
        if !families.contains(&size.family) {
            families.push(size.family.clone());
        }
    }
    families
}

fn quotas(config: &Config) -> Quotas {
    let own = config.quotas.families.iter();
    Quotas {
        clusters: config.quotas.clusters,
        dedicated_cores: config.quotas.dedicated_cores,
        low_priority_cores: config.quotas.lowpriority_cores,
        family_cores: own
            .map(|(name, f)| (name.clone(), (f.dedicated_cores, f.lowpriority_cores)))
            .collect(),
    }
}

/// How secrets of key vaults are had, if at all. The command is the operator's own and gets this process's environment,
/// which the key is not in.
pub fn vaults(config: &Config, surroundings: &Surroundings) -> Option<Fetcher> {
    let own = &config.key_vaults;
    let vaults = Vaults::new(trainyard_vaults::Settings {
        folder: own.folder.clone(),
        command: own.command.clone(),
        environment: surroundings.variables.clone(),
        timeout: Duration::from_secs(u64::from(own.timeout_seconds)),
        parallel: own.parallel as usize,
    })?;
    Some(Fetcher::new(vaults, Arc::new(monotonic())))
}

/// Folders of file servers: where the configuration says, else in the data folder.
pub fn file_servers(config: &Config) -> FileServers {
    let own = config.file_servers.directory.clone();
    FileServers::new(own.unwrap_or_else(|| config.data().join("file-servers")))
}

/// Whose new shares and folders of file servers are, if jobs do not run as the server's user.
pub fn owner(config: &Config) -> anyhow::Result<Option<Owner>> {
    let owner = |account: Account| Owner {
        uid: account.uid,
        gid: account.gid,
    };
    Ok(account(config)?.map(owner))
}

/// The account as which jobs run, where one is named.
fn account(config: &Config) -> anyhow::Result<Option<Account>> {
    let run_as = config.local.run_as.as_deref();
    run_as.map(Account::named).transpose().context("local.run_as")
}

/// Settings of the local engine; jobs get a little of this process's environment.
pub fn local_engine(
    config: &Config,
    surroundings: &Surroundings,
) -> anyhow::Result<trainyard_engine_local::Settings> {
    /// What every process of a job gets from the server's environment, see the design of nodes.
    const ALWAYS: [&str; 5] = ["PATH", "HOME", "USER", "LANG", "TZ"];
    let asked = config.local.pass_environment.iter().map(String::as_str);
    let passed = ALWAYS.into_iter().chain(asked).filter_map(|name| {
        let value = surroundings.variables.get(OsStr::new(name))?;
        Some((name.to_owned(), value.to_str()?.to_owned()))
    });
    Ok(trainyard_engine_local::Settings {
        isolation: isolation(config)?,
        max_nodes: config.local.max_nodes,
        limits: config.local.limits == NodeLimits::Enforce,
        gpus: trainyard_engine_local::GpuSource::Machine,
        environment: passed.collect(),
        keep_job_temp: Some(Duration::from_secs(
            60 * u64::from(config.retention.job_temp_minutes),
        )),
        containers: containers(config),
        mount_commands: config.local.mount_commands.clone(),
        leave_within: Duration::from_secs(u64::from(config.local.grace_seconds) + 5),
        ..trainyard_engine_local::Settings::default()
    })
}

/// How nodes are kept apart, as wished and as this machine allows.
fn isolation(config: &Config) -> anyhow::Result<Option<IsolationSettings>> {
    let account = account(config)?;
    let bridge = (config.local.network == NetworkWish::Bridge).then_some(config.local.bridge_subnet);
    let asked = account.is_some() || bridge.is_some();
    if config.local.level == LevelWish::Plain {
        anyhow::ensure!(
            !asked,
            "local.run_as and local.network = \"bridge\" need isolated nodes; leave them or local.level = \"plain\" out"
        );
        return Ok(None);
    }
    let hidden = hidden::of(config)?;
    match isolation_here(&hidden) {
        Ok(()) => Ok(Some(IsolationSettings {
            hidden,
            account,
            bridge,
        })),
        Err(error) if config.local.level == LevelWish::Isolated || asked => {
            Err(error).context("isolated nodes are asked for in [local], and they cannot be had")
        }
        Err(error) => {
            tracing::info!(why = %error, "nodes are not kept apart (plain level)");
            Ok(None)
        }
    }
}

/// Whether nodes would be isolated, or why not; an error where serving would fail.
pub fn level(config: &Config) -> anyhow::Result<Result<(), String>> {
    if !config.data().exists() {
        return Ok(isolation_here(&[]).map_err(|error| error.to_string()));
    }
    if isolation(config)?.is_some() {
        return Ok(Ok(()));
    }
    if config.local.level == LevelWish::Plain {
        return Ok(Err("local.level asks for it".to_owned()));
    }
    Ok(isolation_here(&hidden::of(config)?).map_err(|error| error.to_string()))
}

/// How containers are run; the engine says where their images are kept.
pub fn containers(config: &Config) -> container::Settings {
    let asked = &config.containers;
    container::Settings {
        runtime: asked.runtime,
        program: asked.program.clone(),
        images: asked.images.clone(),
        pull: asked.pull,
        ..container::Settings::default()
    }
}

/// Folder of the local engine.
pub fn engine_root(data: &Path) -> std::path::PathBuf {
    data.join("engine")
}
