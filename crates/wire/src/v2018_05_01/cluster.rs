//! Clusters.

use serde_json::Value;
use trainyard_domain::resource_id::cluster_id;
use trainyard_domain::spec::{
    ClusterSpec, DeallocationOption, FlatCluster, ImageReference, NodeSetup, PerformanceCountersSettings,
    Scale, SetupTask, VmPriority,
};
use trainyard_domain::state::{BatchAiError, Cluster, NodeStateCounts};

use super::common::{
    account, account_out, error, key, resource, secret_variables, variables, with_secret, with_variables,
};
use super::mounts::{mounts, mounts_out};
use super::properties;
use crate::body::{BadBody, Object, Read};
use crate::out::Out;
use crate::time;

const PRIORITIES: [(&str, VmPriority); 2] = [
    ("dedicated", VmPriority::Dedicated),
    ("lowpriority", VmPriority::LowPriority),
];

const DEALLOCATION: [(&str, DeallocationOption); 3] = [
    ("requeue", DeallocationOption::Requeue),
    ("terminate", DeallocationOption::Terminate),
    ("waitforjobcompletion", DeallocationOption::WaitForJobCompletion),
];

/// Reads the body of a cluster's PUT.
pub fn cluster_create(body: &[u8]) -> Result<ClusterSpec, BadBody> {
    properties(body, read, ClusterSpec::check)
}

/// Reads the body of a cluster's PATCH: the new scale settings, `None` where it names none.
pub fn cluster_update(body: &[u8]) -> Result<Option<Scale>, BadBody> {
    properties(body, scale, |scale| scale.as_ref().map_or(Ok(()), Scale::check))
}

/// Reads the `properties` of a cluster.
pub fn read(properties: &Object<'_>) -> Read<ClusterSpec> {
    let vm_size = properties.need_text("vmSize")?;
    let vm_priority = properties.choice("vmPriority", &PRIORITIES)?.unwrap_or_default();
    let nothing = Scale::Manual {
        target_node_count: 0,
        node_deallocation_option: DeallocationOption::default(),
    };
    Ok(ClusterSpec {
        vm_size,
        vm_priority,
        scale: scale(properties)?.unwrap_or(nothing),
        image: image(properties)?.unwrap_or_default(),
        node_setup: node_setup(properties)?,
        user_account_settings: account(properties)?,
        subnet: properties.id("subnet")?,
        flat: FlatCluster::default(),
    })
}

/// Reads the scale settings, if there are any.
pub fn scale(properties: &Object<'_>) -> Read<Option<Scale>> {
    let Some(settings) = properties.object("scaleSettings")? else {
        return Ok(None);
    };
    match (settings.object("manual")?, settings.object("autoScale")?) {
        (Some(manual), None) => Ok(Some(Scale::Manual {
            target_node_count: manual.need_count("targetNodeCount")?,
            node_deallocation_option: manual
                .choice("nodeDeallocationOption", &DEALLOCATION)?
                .unwrap_or_default(),
        })),
        (None, Some(auto)) => Ok(Some(Scale::Auto {
            minimum_node_count: auto.need_count("minimumNodeCount")?,
            maximum_node_count: auto.need_count("maximumNodeCount")?,
            initial_node_count: auto.count("initialNodeCount")?.unwrap_or(0),
        })),
        (None, None) => Err(BadBody::bad(
            settings.path(),
            "There is no scale setting. Write manual or autoScale.",
        )),
        (Some(_), Some(_)) => Err(BadBody::bad(
            settings.path(),
            "There are two scale settings. Write either manual or autoScale.",
        )),
    }
}

fn image(properties: &Object<'_>) -> Read<Option<ImageReference>> {
    let configuration = properties.object_or_absent("virtualMachineConfiguration")?;
    let Some(image) = configuration.object("imageReference")? else {
        return Ok(None);
    };
    Ok(Some(ImageReference {
        publisher: image.need_text("publisher")?,
        offer: image.need_text("offer")?,
        sku: image.need_text("sku")?,
        version: image
            .text("version")?
            .filter(|version| !version.is_empty())
            .unwrap_or_else(|| "latest".to_owned()),
        virtual_machine_image_id: image.id_text("virtualMachineImageId")?,
    }))
}

/// Reads `nodeSetup`; one that asks for nothing is none.
fn node_setup(properties: &Object<'_>) -> Read<Option<NodeSetup>> {
    let Some(setup) = properties.object("nodeSetup")? else {
        return Ok(None);
    };
    let setup = NodeSetup {
        setup_task: setup.object("setupTask")?.map(setup_task).transpose()?,
        mount_volumes: mounts(&setup)?,
        performance_counters_settings: setup
            .object("performanceCountersSettings")?
            .map(counters)
            .transpose()?,
    };
    Ok(Some(setup).filter(|setup| *setup != NodeSetup::default()))
}

fn setup_task(task: Object<'_>) -> Read<SetupTask> {
    Ok(SetupTask {
        command_line: task.need_text("commandLine")?,
        environment_variables: variables(&task)?,
        secrets: secret_variables(&task)?,
        std_out_err_path_prefix: task.need_text("stdOutErrPathPrefix")?,
    })
}

fn counters(settings: Object<'_>) -> Read<PerformanceCountersSettings> {
    let reference = settings.need_object("appInsightsReference")?;
    Ok(PerformanceCountersSettings {
        component: reference.need_id("component")?,
        instrumentation_key: key(&reference, "instrumentationKey")?,
    })
}

/// Writes a cluster with the errors of its nodes and of its allocation.
pub fn cluster(cluster: &Cluster, errors: &[BatchAiError]) -> Value {
    let (meta, spec, status) = (&cluster.meta, &cluster.spec, &cluster.status);
    let setup = spec
        .node_setup
        .as_ref()
        .map(|setup| node_setup_out(setup, &status.std_out_err_path_suffix));
    let mut properties = Out::new()
        .with("provisioningState", meta.provisioning.as_str())
        .with("allocationState", status.allocation.as_str())
        .with("creationTime", time::timestamp(meta.created))
        .with(
            "allocationStateTransitionTime",
            time::timestamp(status.allocation_since),
        )
        .with(
            "provisioningStateTransitionTime",
            time::timestamp(meta.provisioning_since),
        )
        .with("vmSize", spec.vm_size.as_str())
        .with("currentNodeCount", cluster.counts.total())
        .with("nodeStateCounts", counts_out(cluster.counts))
        .with("vmPriority", priority_word(spec.vm_priority))
        .with("scaleSettings", scale_out(&spec.scale))
        .with(
            "virtualMachineConfiguration",
            Out::new().with("imageReference", image_out(&spec.image)),
        )
        .with("userAccountSettings", account_out(&spec.user_account_settings))
        .maybe("nodeSetup", setup);
    if let Some(subnet) = spec.subnet.as_ref().or(status.subnet.as_ref()) {
        properties = properties.id("subnet", subnet);
    }
    let id = cluster_id(&cluster.scope, &cluster.workspace, &meta.name);
    resource(id, meta, "workspaces/clusters")
        .with("properties", properties.list("errors", errors, error))
        .into()
}

fn counts_out(counts: NodeStateCounts) -> Out {
    Out::new()
        .with("runningNodeCount", counts.running)
        .with("idleNodeCount", counts.idle)
        .with("unusableNodeCount", counts.unusable)
        .with("preparingNodeCount", counts.preparing)
        .with("leavingNodeCount", counts.leaving)
}

fn priority_word(priority: VmPriority) -> &'static str {
    match priority {
        VmPriority::Dedicated => "dedicated",
        VmPriority::LowPriority => "lowpriority",
    }
}

fn deallocation_word(option: DeallocationOption) -> &'static str {
    match option {
        DeallocationOption::Requeue => "requeue",
        DeallocationOption::Terminate => "terminate",
        DeallocationOption::WaitForJobCompletion => "waitforjobcompletion",
    }
}

fn scale_out(scale: &Scale) -> Out {
    match scale {
        Scale::Manual {
            target_node_count,
            node_deallocation_option,
        } => Out::new().with(
            "manual",
            Out::new().with("targetNodeCount", *target_node_count).with(
                "nodeDeallocationOption",
                deallocation_word(*node_deallocation_option),
            ),
        ),
        Scale::Auto {
            minimum_node_count,
            maximum_node_count,
            initial_node_count,
        } => Out::new().with(
            "autoScale",
            Out::new()
                .with("minimumNodeCount", *minimum_node_count)
                .with("maximumNodeCount", *maximum_node_count)
                .with("initialNodeCount", *initial_node_count),
        ),
    }
}

fn image_out(image: &ImageReference) -> Out {
    Out::new()
        .with("publisher", image.publisher.as_str())
        .with("offer", image.offer.as_str())
        .with("sku", image.sku.as_str())
        .with("version", image.version.as_str())
        .maybe(
            "virtualMachineImageId",
            image.virtual_machine_image_id.as_ref().map(|id| id.as_str()),
        )
}

fn node_setup_out(setup: &NodeSetup, suffix: &str) -> Out {
    let task = setup.setup_task.as_ref().map(|task| {
        let out = Out::new().with("commandLine", task.command_line.as_str());
        with_variables(out, &task.environment_variables, &task.secrets)
            .with("stdOutErrPathPrefix", task.std_out_err_path_prefix.as_str())
            .with("stdOutErrPathSuffix", suffix)
    });
    let counters = setup.performance_counters_settings.as_ref().map(|counters| {
        let reference = Out::new().id("component", &counters.component);
        Out::new().with(
            "appInsightsReference",
            with_secret(reference, "instrumentationKey", &counters.instrumentation_key),
        )
    });
    Out::new()
        .maybe("setupTask", task)
        .maybe("mountVolumes", setup.mount_volumes.as_ref().map(mounts_out))
        .maybe("performanceCountersSettings", counters)
}
