//! Jobs (api.md section 3).

use std::sync::Arc;

use jiff::Timestamp;
use trainyard_domain::ids::Uid;
use trainyard_domain::launch;
use trainyard_domain::name::Name;
use trainyard_domain::resource_id::{ClusterPath, ResourceId, cluster_id, job_id};
use trainyard_domain::spec::{JobSpec, Toolkit};
use trainyard_domain::state::{Cluster, Experiment, Job, JobEvent, JobStatus, Provisioning};
use trainyard_sched::Reason;
use trainyard_store::{Goal, NewJob, Snapshot, Tx};
use trainyard_wire::ApiVersion;
use uuid::Uuid;

use super::mounts::file_servers_of;
use super::{
    CallLinks, ExperimentPath, Outcome, absent_is_none, etag, experiment_of, group_of, list as list_reply,
    standing, standing_workspace, workspace_of,
};
use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::lro;
use crate::ops::Access;
use crate::reconcile;
use crate::settings::Settings;

fn reply(version: ApiVersion, job: &Job) -> Reply {
    Reply::resource(&job.meta, version.job(job))
}

pub(super) fn find(s: &Snapshot<'_>, path: &ExperimentPath, name: &Name) -> Result<Job, ApiError> {
    let experiment = experiment_of(s, path)?;
    s.job(experiment.meta.uid, name)?
        .ok_or_else(|| ApiError::not_found(Kind::Job, name))
}

/// Jobs_Get.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (path, name) = (call.experiment_path()?, call.name("jobName")?);
    Ok(reply(call.version, &app.read(|s| find(s, &path, &name))?))
}

/// Jobs_ListByExperiment.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (path, page) = (call.experiment_path()?, call.page()?);
    let found = app.read(|s| Ok(s.jobs(experiment_of(s, &path)?.meta.uid, page)?))?;
    let (found, next) = call.cut(found, |j| j.meta.uid)?;
    Ok(list_reply(
        found.iter().map(|job| call.version.job(job)).collect(),
        next,
    ))
}

/// Jobs_Create: the job stands in the line at its commit.
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (path, name) = (call.experiment_path()?, call.name("jobName")?);
    let wish = call.version.job_create(&call.body)?;
    let (now, random, version) = (app.now(), app.ports.random.uuid(), call.version);
    let shared = Arc::clone(app);
    let made = app.write(move |tx| {
        standing_workspace(tx, &path.group, &path.workspace)?;
        let experiment = experiment_of(tx, &path)?;
        standing(
            Kind::Experiment,
            &experiment.meta.name,
            experiment.meta.provisioning,
        )?;
        let found = tx.job(experiment.meta.uid, &name)?;
        call.preconditions()
            .check(etag(found.as_ref().map(|j| &j.meta)).as_deref())?;
        if let Some(found) = found {
            return same_job(tx, found, wish);
        }
        let (cluster, wish) = cluster_of(tx, &call, wish)?;
        check_workers(&shared.settings, &cluster, &wish)?;
        let servers = file_servers_of(tx, &call, wish.mount_volumes.as_ref(), VOLUMES)?;
        let segment = output_segment(&experiment, &name, random);
        let mounts = cluster
            .spec
            .node_setup
            .as_ref()
            .and_then(|setup| setup.mount_volumes.as_ref());
        let outputs = launch::outputs(&wish, mounts, &segment);
        let status = JobStatus {
            waiting: Some(first_reason(&cluster, &wish)),
            ..JobStatus::new(segment, outputs, now)
        };
        let new = NewJob {
            experiment: &experiment,
            name: &name,
            cluster: cluster.meta.uid,
            spec: &wish,
            status,
        };
        let made = tx.insert_job(new, now)?;
        let servers: Vec<Uid> = servers.iter().map(|server| server.meta.uid).collect();
        tx.insert_mounts(made.meta.uid, &servers)?;
        tx.look_at_cluster(cluster.meta.uid)?;
        tx.insert_event(&call.event(now, id_of(&made), None))?;
        Ok(made)
    });
    Ok(reply(version, &made.await?))
}

/// Why a new job waits, until the planner says more.
fn first_reason(cluster: &Cluster, wish: &JobSpec) -> String {
    let (needed, possible) = (wish.node_count, cluster.spec.scale.most());
    if needed > possible {
        return Reason::TooLarge {
            needed,
            possible,
            unusable: 0,
        }
        .to_string();
    }
    "The job waits its turn in the line of its cluster.".to_owned()
}

/// A PUT of an existing job: the same wish changes nothing, another one is a conflict. The cluster may be
/// gone by now, so its id is compared as a path.
fn same_job(tx: &Tx<'_>, found: Job, wish: JobSpec) -> Result<Job, ApiError> {
    standing(Kind::Job, &found.meta.name, found.meta.provisioning)?;
    let wish = JobSpec {
        cluster: canonical(&cluster_path(&wish.cluster)?)?,
        ..wish
    };
    if tx.job_secrets(&found)? != wish {
        return Err(ApiError::AlreadyExists {
            kind: Kind::Job,
            name: found.meta.name.to_string(),
        });
    }
    Ok(found)
}

fn cluster_path(id: &ResourceId) -> Result<ClusterPath, ApiError> {
    id.cluster()
        .ok_or_else(|| ApiError::invalid(CLUSTER_MEMBER, "This is not the id of a cluster."))
}

fn canonical(path: &ClusterPath) -> Result<ResourceId, ApiError> {
    Ok(ResourceId::new(
        &cluster_id(&path.scope, &path.workspace, &path.name),
        CLUSTER_MEMBER,
    )?)
}

/// The volumes of a job in its body.
const VOLUMES: &str = "properties.mountVolumes";
/// The member of a job that names its cluster.
const CLUSTER_MEMBER: &str = "properties.cluster.id";

/// The cluster that a job names: of the same subscription, standing, and one that the caller may use. The
/// wish comes back with the cluster's id as the cluster itself prints it.
fn cluster_of(tx: &Tx<'_>, call: &Call, wish: JobSpec) -> Result<(Cluster, JobSpec), ApiError> {
    let path = cluster_path(&wish.cluster)?;
    let missing = || ApiError::NotFound {
        kind: Kind::Cluster,
        name: path.name.to_string(),
        target: Some(CLUSTER_MEMBER.to_owned()),
    };
    if path.scope.subscription.key() != call.subscription()?.key() {
        return Err(missing());
    }
    let scope =
        trainyard_domain::resource_id::workspace_id(&path.scope, &path.workspace).to_ascii_lowercase();
    call.caller.check(Access::Write, &scope, call.operation.action)?;
    let found = group_of(tx, &path.scope).and_then(|_| {
        let workspace = standing_workspace(tx, &path.scope, &path.workspace)?;
        tx.cluster(workspace.meta.uid, &path.name)?.ok_or_else(missing)
    });
    let cluster = absent_is_none(found)?.ok_or_else(missing)?;
    standing(Kind::Cluster, &cluster.meta.name, cluster.meta.provisioning)?;
    let printed = ClusterPath {
        scope: cluster.scope.clone(),
        workspace: cluster.workspace.clone(),
        name: cluster.meta.name.clone(),
    };
    let wish = JobSpec {
        cluster: canonical(&printed)?,
        ..wish
    };
    Ok((cluster, wish))
}

/// TensorFlow has at most one worker for each GPU of the job's nodes, as the specification says of
/// `workerCount`; where the VM size has no GPUs it gives no bound.
fn check_workers(settings: &Settings, cluster: &Cluster, wish: &JobSpec) -> Result<(), ApiError> {
    let Toolkit::TensorFlow(wanted) = &wish.toolkit else {
        return Ok(());
    };
    let size = &cluster.spec.vm_size;
    let gpus = settings.vm_size(size).map_or(0, |size| size.gpus);
    let most = u64::from(wish.node_count) * u64::from(gpus);
    match wanted.worker_count {
        Some(workers) if gpus > 0 && u64::from(workers) > most => Err(ApiError::invalid(
            "properties.tensorFlowSettings.workerCount",
            format!(
                "There are {workers} workers, and nodeCount times the GPUs of {size} is {} x {gpus} = {most}. Ask for \
                 fewer workers or more nodes.",
                wish.node_count
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

fn output_segment(experiment: &Experiment, job: &Name, random: Uuid) -> String {
    let Experiment {
        meta,
        scope,
        workspace,
    } = experiment;
    format!(
        "{}/{}/workspaces/{workspace}/experiments/{}/jobs/{job}/{random}",
        scope.subscription,
        scope.group.key(),
        meta.name
    )
}

/// Jobs_Terminate: 200 for what is over already, or is over at once.
pub async fn terminate(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (path, name) = (call.experiment_path()?, call.name("jobName")?);
    let (now, id, links) = (app.now(), app.ports.random.uuid(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let mut job = find(tx, &path, &name)?;
        call.preconditions().check(Some(&job.meta.etag()))?;
        if job.status.is_final() {
            return Ok(Outcome::Done);
        }
        tx.insert_event(&call.event(now, id_of(&job), None))?;
        reconcile::apply_to_job(tx, &mut job, JobEvent::Terminate, now, 0)?;
        if job.status.is_final() {
            return Ok(Outcome::Done);
        }
        follow(tx, id, &path, &job, Goal::Ended, now)
    });
    Ok(app.outcome(&links, outcome.await?))
}

/// Jobs_Delete: a running job is stopped first.
pub async fn delete(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (path, name) = (call.experiment_path()?, call.name("jobName")?);
    let (now, id, links) = (app.now(), app.ports.random.uuid(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let found = absent_is_none(find(tx, &path, &name))?;
        call.preconditions()
            .check(etag(found.as_ref().map(|j| &j.meta)).as_deref())?;
        let Some(mut job) = found else {
            return Ok(Outcome::Absent);
        };
        tx.insert_event(&call.event(now, id_of(&job), None))?;
        if job.meta.provisioning == Provisioning::Succeeded {
            reconcile::begin_job_deletion(tx, &mut job, now)?;
        }
        if tx.job_by_uid(job.meta.uid)?.is_none() {
            return Ok(Outcome::Done);
        }
        follow(tx, id, &path, &job, Goal::Deleted, now)
    });
    Ok(app.outcome(&links, outcome.await?))
}

/// An operation that follows a job to its end or its deletion.
fn follow(
    tx: &Tx<'_>,
    id: Uuid,
    path: &ExperimentPath,
    job: &Job,
    goal: Goal,
    now: Timestamp,
) -> Result<Outcome, ApiError> {
    let subject = lro::Subject {
        scope: &job.scope,
        names: &[&job.workspace, &job.experiment, &job.meta.name],
        region: &workspace_of(tx, &path.group, &path.workspace)?.region,
        uid: job.meta.uid,
    };
    Outcome::begun(lro::open(tx, id, goal, &subject, now)?)
}

/// Jobs_ListRemoteLoginInformation: the nodes on which the job runs or ran last.
pub fn remote_login(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (path, name) = (call.experiment_path()?, call.name("jobName")?);
    let job = app.read(|s| find(s, &path, &name))?;
    let nodes = job.status.placement.map(|p| p.nodes).unwrap_or_default();
    Ok(super::clusters::logins(
        nodes.into_iter().map(|n| (n.name, n.address)),
    ))
}

fn id_of(job: &Job) -> String {
    job_id(&job.scope, &job.workspace, &job.experiment, &job.meta.name)
}
