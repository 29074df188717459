//! Jobs.

use serde_json::Value;
use trainyard_domain::limits;
use trainyard_domain::resource_id::{ResourceId, cluster_id, job_id};
use trainyard_domain::spec::{
    ContainerSettings, FlatJob, InputDirectory, JobSpec, OutputDirectory, Priority,
    PrivateRegistryCredentials,
};
use trainyard_domain::state::{ExecutionInfo, Job};

use super::common::{
    error, key, resource, secret_variables, variables, with_life_cycle, with_secret, with_variables,
};
use super::mounts::{mounts, mounts_out};
use super::properties;
use super::toolkit::{toolkit, toolkit_out};
use crate::body::{BadBody, Object, Read};
use crate::out::Out;
use crate::time;

const PRIORITIES: [(&str, Priority); 3] = [
    ("low", Priority::LOW),
    ("normal", Priority::NORMAL),
    ("high", Priority::HIGH),
];

/// Reads the body of a job's PUT.
pub fn job_create(body: &[u8]) -> Result<JobSpec, BadBody> {
    properties(body, read, JobSpec::check)
}

/// Reads the `properties` of a job.
pub fn read(properties: &Object<'_>) -> Read<JobSpec> {
    let priority = properties.choice("schedulingPriority", &PRIORITIES)?;
    let cluster = plain_cluster_id(properties.need_id("cluster")?)?;
    Ok(JobSpec {
        priority: priority.unwrap_or_default(),
        cluster,
        mount_volumes: mounts(properties)?,
        node_count: properties.need_count("nodeCount")?,
        container_settings: properties
            .object("containerSettings")?
            .map(container)
            .transpose()?,
        toolkit: toolkit(properties)?,
        job_preparation: properties
            .object("jobPreparation")?
            .map(|preparation| preparation.need_text("commandLine"))
            .transpose()?,
        std_out_err_path_prefix: properties.need_text("stdOutErrPathPrefix")?,
        input_directories: properties.list("inputDirectories", input)?,
        output_directories: properties.list("outputDirectories", output)?,
        environment_variables: variables(properties)?,
        secrets: secret_variables(properties)?,
        max_wall_clock_seconds: max_wall_clock(properties)?,
        flat: FlatJob::default(),
    })
}

/// The id as this service writes it, so that different spellings are the same wish; the published example
/// has `workspace/` for `workspaces/`.
fn plain_cluster_id(id: ResourceId) -> Read<ResourceId> {
    match id.cluster() {
        None => Ok(id),
        Some(path) => {
            let text = cluster_id(&path.scope, &path.workspace, &path.name);
            Ok(ResourceId::new(&text, "properties.cluster.id")?)
        }
    }
}

fn container(settings: Object<'_>) -> Read<ContainerSettings> {
    let registry = settings.need_object("imageSourceRegistry")?;
    let login = |credentials: Object<'_>| -> Read<_> {
        Ok(PrivateRegistryCredentials {
            username: credentials.need_text("username")?,
            password: key(&credentials, "password")?,
        })
    };
    Ok(ContainerSettings {
        server_url: registry.text("serverUrl")?,
        image: registry.need_text("image")?,
        credentials: registry.object("credentials")?.map(login).transpose()?,
        shm_size: settings.text("shmSize")?,
    })
}

fn input(directory: Object<'_>) -> Read<InputDirectory> {
    Ok(InputDirectory {
        id: directory.need_text("id")?,
        path: directory.need_text("path")?,
    })
}

fn output(directory: Object<'_>) -> Read<OutputDirectory> {
    Ok(OutputDirectory {
        id: directory.need_text("id")?,
        path_prefix: directory.need_text("pathPrefix")?,
        path_suffix: directory.text("pathSuffix")?,
    })
}

fn max_wall_clock(properties: &Object<'_>) -> Read<i64> {
    let constraints = properties.object_or_absent("constraints")?;
    match constraints.text("maxWallClockTime")? {
        None => Ok(limits::JOB_SECONDS),
        Some(text) => time::parse_duration(&text).ok_or_else(|| {
            BadBody::bad(
                constraints.at("maxWallClockTime"),
                "This is not a duration. Write one such as P7D or PT1H30M.",
            )
        }),
    }
}

/// Writes a job.
pub fn job(job: &Job) -> Value {
    let (meta, spec, status) = (&job.meta, &job.spec, &job.status);
    let preparation = spec
        .job_preparation
        .as_deref()
        .map(|command| Out::new().with("commandLine", command));
    let wish = Out::new()
        .with("experimentName", job.experiment.as_str())
        .with("schedulingPriority", spec.priority.class())
        .id("cluster", &spec.cluster)
        .maybe("mountVolumes", spec.mount_volumes.as_ref().map(mounts_out))
        .with("jobOutputDirectoryPathSegment", status.output_segment.as_str())
        .with("nodeCount", spec.node_count)
        .maybe(
            "containerSettings",
            spec.container_settings.as_ref().map(container_out),
        )
        .with("toolType", spec.toolkit.tool_type())
        .with(spec.toolkit.member(), toolkit_out(&spec.toolkit))
        .maybe("jobPreparation", preparation)
        .with("stdOutErrPathPrefix", spec.std_out_err_path_prefix.as_str())
        .list("inputDirectories", &spec.input_directories, |directory| {
            Out::new()
                .with("id", directory.id.as_str())
                .with("path", directory.path.as_str())
                .into()
        })
        .list("outputDirectories", &spec.output_directories, |directory| {
            Out::new()
                .with("id", directory.id.as_str())
                .with("pathPrefix", directory.path_prefix.as_str())
                .maybe("pathSuffix", directory.path_suffix.as_deref())
                .into()
        });
    let wish = with_variables(wish, &spec.environment_variables, &spec.secrets).with(
        "constraints",
        Out::new().with("maxWallClockTime", time::duration(spec.max_wall_clock_seconds)),
    );
    let properties = with_life_cycle(wish, meta)
        .with("executionState", status.execution_state().as_str())
        .with("executionStateTransitionTime", time::timestamp(status.since))
        .maybe("executionInfo", status.execution.as_ref().map(execution_out));
    let id = job_id(&job.scope, &job.workspace, &job.experiment, &meta.name);
    resource(id, meta, "workspaces/experiments/jobs")
        .with("properties", properties)
        .into()
}

fn container_out(container: &ContainerSettings) -> Out {
    let credentials = container.credentials.as_ref().map(|credentials| {
        let out = Out::new().with("username", credentials.username.as_str());
        with_secret(out, "password", &credentials.password)
    });
    let registry = Out::new()
        .maybe("serverUrl", container.server_url.as_deref())
        .with("image", container.image.as_str())
        .maybe("credentials", credentials);
    Out::new()
        .with("imageSourceRegistry", registry)
        .maybe("shmSize", container.shm_size.as_deref())
}

fn execution_out(info: &ExecutionInfo) -> Out {
    Out::new()
        .with("startTime", time::timestamp(info.start))
        .maybe("endTime", info.end.map(time::timestamp))
        .maybe("exitCode", info.exit_code)
        .list("errors", &info.errors, error)
}
