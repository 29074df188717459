//! Jobs (api.md section 3).

use std::sync::Arc;

use jiff::Timestamp;
use trainyard_domain::ids::Uid;
use trainyard_domain::launch;
use trainyard_domain::migrated;
use trainyard_domain::name::Name;
use trainyard_domain::resource_id::{ResourceId, cluster_id, job_id};
use trainyard_domain::spec::{JobSpec, Toolkit};
use trainyard_domain::state::{
    Cluster, Experiment, Job, JobEvent, JobStatus, OutputLayout, Provisioning, Workspace,
};
use trainyard_sched::Reason;
use trainyard_store::{Goal, NewJob, Snapshot, Tx};
use trainyard_wire::{ApiVersion, Wish};
use uuid::Uuid;

use super::mounts::file_servers_of;
use super::place::{JobPlace, Place, free_in_other_regions, operation_names};
use super::{
    CallLinks, Outcome, absent_is_none, etag, flat_list, standing, standing_workspace, workspace_of,
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

pub(super) fn find(s: &Snapshot<'_>, place: &JobPlace, name: &Name) -> Result<Job, ApiError> {
    place.find(s, name, |experiment| Ok(s.job(experiment.meta.uid, name)?))
}

/// Jobs_Get.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.job_place()?, call.name("jobName")?);
    Ok(reply(call.version, &app.read(|s| find(s, &place, &name))?))
}

/// Jobs_ListByExperiment, Jobs_ListByResourceGroup and Jobs_List.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let page = call.page()?;
    let found = app.read(|s| {
        let list = |experiment: &Experiment| Ok(s.jobs(experiment.meta.uid, page)?);
        call.list_in_experiments(s, page, list, |job| job.meta.uid)
    })?;
    let (found, next) = call.cut(found, |j| j.meta.uid)?;
    let written = found.iter().map(|job| call.version.job(job)).collect();
    flat_list(call, written, next)
}

/// Jobs_Create: the job stands in the line at its commit.
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.job_place()?, call.name("jobName")?);
    let Wish { spec: wish, region } = call.version.job_create(&call.body)?;
    let (now, random, version) = (app.now(), app.ports.random.uuid(), call.version);
    let shared = Arc::clone(app);
    let made = app.write(move |tx| {
        let (workspace, experiment) = place.standing(tx, &call, region.as_ref(), now)?;
        let found = tx.job(experiment.meta.uid, &name)?;
        call.preconditions()
            .check(etag(found.as_ref().map(|j| &j.meta)).as_deref())?;
        if let Some(found) = found {
            return same_job(tx, version, found, wish);
        }
        if migrated::is_experiment(&experiment.meta.name) {
            free_in_other_regions(tx, &workspace, (Kind::Job, &name), |other| {
                flat_job(tx, other, &name)
            })?;
        }
        let (cluster, mut wish) = cluster_of(tx, &call, wish)?;
        check_workers(&shared.settings, &cluster, &wish)?;
        let servers = file_servers_of(tx, &call, wish.mount_volumes.as_mut(), VOLUMES)?;
        let (segment, layout) = output_folder(version, &experiment, &name, random);
        let mounts = cluster
            .spec
            .node_setup
            .as_ref()
            .and_then(|setup| setup.mount_volumes.as_ref());
        let outputs = launch::outputs(&wish, mounts, &segment, layout);
        let status = JobStatus {
            waiting: Some(first_reason(&cluster, &wish)),
            layout,
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
/// gone by now, so its id is compared as it is written.
fn same_job(tx: &Tx<'_>, version: ApiVersion, found: Job, wish: JobSpec) -> Result<Job, ApiError> {
    standing(Kind::Job, &found.meta.name, found.meta.provisioning)?;
    let wish = version.job_beside(wish.with_ids_of(&found.spec), &found.spec);
    if tx.job_secrets(&found)? != wish {
        return Err(ApiError::AlreadyExists {
            kind: Kind::Job,
            name: found.meta.name.to_string(),
        });
    }
    Ok(found)
}

/// Whether a migrated workspace has a flat job of this name.
fn flat_job(s: &Snapshot<'_>, workspace: &Workspace, name: &Name) -> Result<bool, ApiError> {
    let experiment = s.experiment(workspace.meta.uid, &migrated::experiment())?;
    let Some(experiment) = experiment else {
        return Ok(false);
    };
    Ok(s.job(experiment.meta.uid, name)?.is_some())
}

/// The volumes of a job in its body.
const VOLUMES: &str = "properties.mountVolumes";
/// The member of a job that names its cluster.
const CLUSTER_MEMBER: &str = "properties.cluster.id";

/// The cluster that a job names: of the same subscription, standing, and one that the caller may use. The
/// wish comes back with the cluster's id as the cluster itself prints it.
fn cluster_of(tx: &Tx<'_>, call: &Call, wish: JobSpec) -> Result<(Cluster, JobSpec), ApiError> {
    let (place, name) = Place::of_cluster(&wish.cluster)
        .ok_or_else(|| ApiError::invalid(CLUSTER_MEMBER, "This is not the id of a cluster."))?;
    let missing = || ApiError::NotFound {
        kind: Kind::Cluster,
        name: name.to_string(),
        target: Some(CLUSTER_MEMBER.to_owned()),
    };
    if place.group().subscription.key() != call.subscription()?.key() {
        return Err(missing());
    }
    call.caller
        .check(Access::Write, &place.scope(), call.operation.action)?;
    let found = place.find(tx, (Kind::Cluster, &name), |workspace| {
        Ok(tx.cluster(workspace.meta.uid, &name)?)
    });
    let cluster = absent_is_none(found)?.ok_or_else(missing)?;
    standing_workspace(tx, &cluster.scope, &cluster.workspace)?;
    standing(Kind::Cluster, &cluster.meta.name, cluster.meta.provisioning)?;
    let id = cluster_id(&cluster.scope, &cluster.workspace, &cluster.meta.name);
    let wish = JobSpec {
        cluster: ResourceId::new(&id, CLUSTER_MEMBER)?,
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

/// Where the files of a job go beneath its prefixes, and how they lie there (api.md section 5).
fn output_folder(
    version: ApiVersion,
    experiment: &Experiment,
    job: &Name,
    random: Uuid,
) -> (String, OutputLayout) {
    let Experiment {
        meta,
        scope,
        workspace,
    } = experiment;
    let group = format!("{}/{}", scope.subscription, scope.group.key());
    match version {
        ApiVersion::V2017_09_01Preview => (format!("{group}/jobs/{job}"), OutputLayout::Preview),
        ApiVersion::V2018_03_01 => (format!("{group}/jobs/{job}/{random}"), OutputLayout::Usual),
        ApiVersion::V2018_05_01 | ApiVersion::V2026_12_01Preview => {
            let experiment = format!("workspaces/{workspace}/experiments/{}", meta.name);
            (
                format!("{group}/{experiment}/jobs/{job}/{random}"),
                OutputLayout::Usual,
            )
        }
    }
}

/// Jobs_Terminate: 200 for what is over already, or is over at once.
pub async fn terminate(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.job_place()?, call.name("jobName")?);
    let (now, id, links) = (app.now(), app.ports.random.uuid(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let mut job = find(tx, &place, &name)?;
        call.preconditions().check(Some(&job.meta.etag()))?;
        if job.status.is_final() {
            return Ok(Outcome::Done);
        }
        tx.insert_event(&call.event(now, id_of(&job), None))?;
        reconcile::apply_to_job(tx, &mut job, JobEvent::Terminate, now, 0)?;
        if job.status.is_final() {
            return Ok(Outcome::Done);
        }
        follow(tx, id, call.version, &job, Goal::Ended, now)
    });
    Ok(app.outcome(&links, outcome.await?))
}

/// Jobs_Delete: a running job is stopped first.
pub async fn delete(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.job_place()?, call.name("jobName")?);
    let (now, id, links) = (app.now(), app.ports.random.uuid(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let found = absent_is_none(find(tx, &place, &name))?;
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
        follow(tx, id, call.version, &job, Goal::Deleted, now)
    });
    Ok(app.outcome(&links, outcome.await?))
}

/// An operation that follows a job to its end or its deletion.
fn follow(
    tx: &Tx<'_>,
    id: Uuid,
    version: ApiVersion,
    job: &Job,
    goal: Goal,
    now: Timestamp,
) -> Result<Outcome, ApiError> {
    let names = [&job.workspace, &job.experiment, &job.meta.name];
    let subject = lro::Subject {
        scope: &job.scope,
        names: operation_names(version, &names),
        region: &workspace_of(tx, &job.scope, &job.workspace)?.region,
        uid: job.meta.uid,
    };
    Outcome::begun(lro::open(tx, id, goal, &subject, now)?)
}

/// Jobs_ListRemoteLoginInformation: the nodes on which the job runs or ran last.
pub fn remote_login(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.job_place()?, call.name("jobName")?);
    super::logins::list(app, |s| {
        let nodes = find(s, &place, &name)?.status.placement.map(|p| p.nodes);
        let nodes = nodes.unwrap_or_default().into_iter();
        Ok(nodes.map(|n| (n.uid, n.name, n.address)).collect())
    })
}

fn id_of(job: &Job) -> String {
    job_id(&job.scope, &job.workspace, &job.experiment, &job.meta.name)
}
