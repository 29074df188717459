//! Clusters (api.md section 3).

use std::sync::Arc;

use trainyard_domain::ids::Uid;
use trainyard_domain::name::{Name, Region, SubscriptionId, excerpt};
use trainyard_domain::resource_id::cluster_id;
use trainyard_domain::spec::{ClusterSpec, MountVolumes};
use trainyard_domain::state::{
    Allocation, BatchAiError, Cluster, ClusterStatus, FileServer, Workspace, cluster_errors,
};
use trainyard_store::{Goal, NewCluster, Snapshot, StoreError, Tx};
use trainyard_wire::{ApiVersion, Wish};
use uuid::Uuid;

use super::imports::completed;
use super::mounts::file_servers_of;
use super::place::{Place, free_in_other_regions, operation_names};
use super::{CallLinks, Outcome, absent_is_none, etag, flat_list, standing, workspace_of};
use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::lro;
use crate::settings::{Quotas, VmSize};

/// The volumes of a cluster in its body.
const VOLUMES: &str = "properties.nodeSetup.mountVolumes";

/// A VM size must be of the catalogue.
pub(super) fn vm_size<'a>(app: &'a App, name: &str) -> Result<&'a VmSize, ApiError> {
    app.settings.vm_size(name).ok_or_else(|| {
        ApiError::invalid(
            "properties.vmSize",
            format!(
                "The VM size '{}' is not known. Add it to vm_sizes or use one such as STANDARD_D1.",
                excerpt(name)
            ),
        )
    })
}

fn find(s: &Snapshot<'_>, place: &Place, name: &Name) -> Result<Cluster, ApiError> {
    place.find(s, (Kind::Cluster, name), |workspace| {
        Ok(s.cluster(workspace.meta.uid, name)?)
    })
}

/// A cluster as shown: with its nodes counted and their errors.
fn view(s: &Snapshot<'_>, mut cluster: Cluster) -> Result<(Cluster, Vec<BatchAiError>), StoreError> {
    let nodes = s.nodes_of(cluster.meta.uid)?;
    for node in &nodes {
        node.status.count(&mut cluster.counts);
    }
    let errors = cluster_errors(
        &cluster.status,
        nodes.into_iter().flat_map(|node| node.status.errors),
    );
    Ok((cluster, errors))
}

fn reply(version: ApiVersion, (cluster, errors): &(Cluster, Vec<BatchAiError>)) -> Reply {
    Reply::resource(&cluster.meta, version.cluster(cluster, errors))
}

/// Clusters_Get.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.place()?, call.name("clusterName")?);
    Ok(reply(
        call.version,
        &app.read(|s| Ok(view(s, find(s, &place, &name)?)?))?,
    ))
}

/// Clusters_ListByWorkspace, Clusters_ListByResourceGroup and Clusters_List.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let page = call.page()?;
    let found = app.read(|s| {
        let list = |workspace: &Workspace| Ok(s.clusters(workspace.meta.uid, page)?);
        let found = call.list_in_workspaces(s, page, list, |cluster| cluster.meta.uid)?;
        Ok(found
            .into_iter()
            .map(|c| view(s, c))
            .collect::<Result<Vec<_>, _>>()?)
    })?;
    let (found, next) = call.cut(found, |(c, _)| c.meta.uid)?;
    let written = found
        .iter()
        .map(|(c, errors)| call.version.cluster(c, errors))
        .collect();
    flat_list(call, written, next)
}

/// Clusters_Create: the record stands at its commit; nodes come afterwards (behaviour.md section 2).
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.place()?, call.name("clusterName")?);
    let Wish {
        spec: mut wish,
        region,
    } = call.version.cluster_create(&call.body)?;
    vm_size(app, &wish.vm_size)?;
    let version = call.version;
    let (now, random, quotas) = (app.now(), app.ports.random.uuid(), app.settings.quotas.clone());
    let made = app.write(move |tx| {
        let workspace = place.standing(tx, &call, region.as_ref(), now)?;
        let found = tx.cluster(workspace.meta.uid, &name)?;
        call.preconditions()
            .check(etag(found.as_ref().map(|c| &c.meta)).as_deref())?;
        if let Some(mut found) = found {
            standing(Kind::Cluster, &found.meta.name, found.meta.provisioning)?;
            let wish = version.cluster_beside(wish.with_ids_of(&found.spec), &found.spec);
            if tx.cluster_secrets(&found)? == wish {
                return Ok(view(tx, found)?);
            }
            let whole = completed(tx, &found, &wish)?.ok_or_else(|| ApiError::AlreadyExists {
                kind: Kind::Cluster,
                name: name.to_string(),
            })?;
            tx.set_cluster_wish(&mut found, whole, now)?;
            tx.insert_event(&call.event(now, id_of(&found), None))?;
            return Ok(view(tx, found)?);
        }
        free_in_other_regions(tx, &workspace, (Kind::Cluster, &name), |other| {
            Ok(tx.cluster(other.meta.uid, &name)?.is_some())
        })?;
        check_quota(tx, &workspace.scope.subscription, &workspace.region, &quotas)?;
        let servers = file_servers_of(tx, &call, volumes(&mut wish), VOLUMES)?;
        let status = ClusterStatus {
            subnet: servers.first().and_then(FileServer::subnet).cloned(),
            ..first_status(&wish, setup_folder(version, &workspace, &name, random), now)
        };
        let new = NewCluster {
            workspace: &workspace,
            name: &name,
            spec: &wish,
            status,
        };
        let made = tx.insert_cluster(new, now)?;
        let servers: Vec<Uid> = servers.iter().map(|server| server.meta.uid).collect();
        tx.insert_mounts(made.meta.uid, &servers)?;
        tx.insert_event(&call.event(now, id_of(&made), None))?;
        Ok(view(tx, made)?)
    });
    Ok(reply(version, &made.await?))
}

fn volumes(wish: &mut ClusterSpec) -> Option<&mut MountVolumes> {
    wish.node_setup.as_mut()?.mount_volumes.as_mut()
}

pub(super) fn check_quota(
    tx: &Tx<'_>,
    subscription: &SubscriptionId,
    region: &Region,
    quotas: &Quotas,
) -> Result<(), ApiError> {
    let used = tx.count_clusters(subscription, region)?;
    if used >= quotas.clusters {
        return Err(ApiError::ClusterQuota {
            limit: quotas.clusters,
            used,
        });
    }
    Ok(())
}

pub(super) fn first_status(
    wish: &ClusterSpec,
    std_out_err_path_suffix: String,
    now: jiff::Timestamp,
) -> ClusterStatus {
    let wanted_nodes = wish.scale.initial();
    ClusterStatus {
        allocation: if wanted_nodes > 0 {
            Allocation::Resizing
        } else {
            Allocation::Steady
        },
        allocation_since: now,
        wanted_nodes,
        shortage: None,
        std_out_err_path_suffix,
        last_node_number: 0,
        setback: None,
        subnet: None,
    }
}

/// `stdOutErrPathSuffix` of the setup task.
pub(super) fn setup_folder(version: ApiVersion, workspace: &Workspace, name: &Name, random: Uuid) -> String {
    let scope = &workspace.scope;
    let group = format!("{}/{}", scope.subscription, scope.group.key());
    if version.is_flat() {
        return format!("{group}/clusters/{name}/{random}");
    }
    format!(
        "{group}/workspaces/{}/clusters/{name}/{random}",
        workspace.meta.name
    )
}

/// Clusters_Update: the scale, replaced whole, and in the flat api-versions the tags. Nodes follow later.
pub async fn update(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.place()?, call.name("clusterName")?);
    let update = call.version.cluster_update(&call.body)?;
    let (now, version) = (app.now(), call.version);
    let changed = app.write(move |tx| {
        let mut found = find(tx, &place, &name)?;
        call.preconditions().check(Some(&found.meta.etag()))?;
        standing(Kind::Cluster, &found.meta.name, found.meta.provisioning)?;
        let mut spec = found.spec.clone();
        spec.scale = update.scale.unwrap_or(spec.scale);
        spec.flat.tags = update.tags.unwrap_or(spec.flat.tags);
        if spec != found.spec {
            tx.set_cluster_spec(&mut found, spec, now)?;
            tx.insert_event(&call.event(now, id_of(&found), None))?;
        }
        Ok(view(tx, found)?)
    });
    Ok(reply(version, &changed.await?))
}

/// Clusters_Delete: ends its queued and running jobs as `JobTerminated`.
pub async fn delete(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.place()?, call.name("clusterName")?);
    let (now, id, links) = (app.now(), app.ports.random.uuid(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let found = absent_is_none(find(tx, &place, &name))?;
        call.preconditions()
            .check(etag(found.as_ref().map(|c| &c.meta)).as_deref())?;
        let Some(found) = found else {
            return Ok(Outcome::Absent);
        };
        let workspace = workspace_of(tx, &found.scope, &found.workspace)?;
        let uid = found.meta.uid;
        tx.insert_event(&call.event(now, id_of(&found), None))?;
        if tx.nodes_of(uid)?.is_empty() && !tx.cluster_has_open_jobs(uid)? {
            tx.remove_cluster(uid)?;
            tx.close_operations_of_deleted(uid, now)?;
            return Ok(Outcome::Done);
        }
        tx.begin_cluster_deletion(uid, now)?;
        let names = [&found.workspace, &found.meta.name];
        let subject = lro::Subject {
            scope: &found.scope,
            names: operation_names(call.version, &names),
            region: &workspace.region,
            uid,
        };
        Outcome::begun(lro::open(tx, id, Goal::Deleted, &subject, now)?)
    });
    Ok(app.outcome(&links, outcome.await?))
}

/// Clusters_ListRemoteLoginInformation: every allocated node.
pub fn remote_login(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.place()?, call.name("clusterName")?);
    super::logins::list(app, |s| {
        let nodes = s.nodes_of(find(s, &place, &name)?.meta.uid)?;
        Ok(nodes.into_iter().map(|n| (n.uid, n.name, n.address)).collect())
    })
}

fn id_of(cluster: &Cluster) -> String {
    cluster_id(&cluster.scope, &cluster.workspace, &cluster.meta.name)
}
