//! Rules of a cluster.

use crate::invalid::Invalid;
use crate::limits::NODES_PER_CLUSTER;
use crate::name::excerpt;
use crate::spec::{ClusterSpec, ImageReference, NodeSetup, Scale, SetupTask, UserAccountSettings};

use super::{Checked, words};

impl ClusterSpec {
    /// Checks the wish of a cluster (behaviour.md section 2).
    pub fn check(&self) -> Checked {
        words::required("vmSize", &self.vm_size)?;
        self.scale.check()?;
        image(&self.image)?;
        account("userAccountSettings", &self.user_account_settings)?;
        self.node_setup.as_ref().map_or(Ok(()), node_setup)
    }
}

impl Scale {
    /// Checks scale settings, also those of a PATCH: 0 to 100 nodes, bounds in order. An initial count
    /// below the minimum is fine, since clients send 0 with any minimum; the minimum then wins.
    pub fn check(&self) -> Checked {
        match self {
            Scale::Manual {
                target_node_count, ..
            } => words::range(
                "scaleSettings.manual.targetNodeCount",
                *target_node_count,
                0,
                NODES_PER_CLUSTER,
            ),
            Scale::Auto {
                minimum_node_count,
                maximum_node_count,
                initial_node_count,
            } => {
                let at = |member: &str| format!("scaleSettings.autoScale.{member}");
                words::range(&at("maximumNodeCount"), *maximum_node_count, 0, NODES_PER_CLUSTER)?;
                words::range(
                    &at("minimumNodeCount"),
                    *minimum_node_count,
                    0,
                    *maximum_node_count,
                )?;
                words::range(
                    &at("initialNodeCount"),
                    *initial_node_count,
                    0,
                    *maximum_node_count,
                )
            }
        }
    }
}

fn image(image: &ImageReference) -> Checked {
    let at = |member: &str| format!("virtualMachineConfiguration.imageReference.{member}");
    words::required(&at("publisher"), &image.publisher)?;
    words::required(&at("offer"), &image.offer)?;
    words::required(&at("sku"), &image.sku)?;
    words::required(&at("version"), &image.version)
}

/// The admin account of a node or file server: a sane name, and a password or a key.
pub fn account(at: &str, account: &UserAccountSettings) -> Checked {
    let name = &account.admin_user_name;
    let name_at = format!("{at}.adminUserName");
    words::required(&name_at, name)?;
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.len() > 64 || !name.starts_with(first) || !name.chars().all(legal) {
        let message = format!(
            "'{}' is no login name. Use 1 to 64 letters, digits, '_', '-' and '.', beginning with a letter or '_'.",
            excerpt(name)
        );
        return Err(Invalid::new(name_at, message));
    }
    let key = account.admin_user_ssh_public_key.as_deref();
    words::optional(&format!("{at}.adminUserSshPublicKey"), key)?;
    if let Some(password) = &account.admin_user_password {
        words::secret(&format!("{at}.adminUserPassword"), password)?;
    }
    if key.is_none() && account.admin_user_password.is_none() {
        return Err(Invalid::new(
            at,
            "There is neither a password nor a key. Write adminUserPassword, adminUserSshPublicKey or both.",
        ));
    }
    Ok(())
}

fn node_setup(setup: &NodeSetup) -> Checked {
    setup.setup_task.as_ref().map_or(Ok(()), setup_task)?;
    if let Some(mounts) = &setup.mount_volumes {
        mounts
            .check()
            .map_err(|invalid| invalid.within("nodeSetup.mountVolumes"))?;
    }
    if let Some(counters) = &setup.performance_counters_settings {
        words::source(
            "nodeSetup.performanceCountersSettings.appInsightsReference",
            "instrumentationKey",
            &counters.instrumentation_key,
        )?;
    }
    Ok(())
}

fn setup_task(task: &SetupTask) -> Checked {
    let at = |member: &str| format!("nodeSetup.setupTask.{member}");
    words::required(&at("commandLine"), &task.command_line)?;
    words::variables(&at("environmentVariables"), &task.environment_variables)?;
    words::secret_variables(&at("secrets"), &task.secrets)?;
    words::environment(
        &at("environmentVariables"),
        &task.environment_variables,
        &task.secrets,
    )?;
    words::output_prefix(&at("stdOutErrPathPrefix"), &task.std_out_err_path_prefix)
}
