//! Usages_List: quotas and what is in use of them (behaviour.md section 12).

use trainyard_domain::spec::VmPriority;
use trainyard_store::CoresInUse;
use trainyard_wire::v2018_05_01 as wire;

use crate::App;
use crate::arm_error::ApiError;
use crate::http::{Call, Reply};
use crate::settings::Settings;

/// What a quota without a limit shows.
const NO_LIMIT: u32 = i32::MAX as u32;

/// Families that came after 2018-03-01.
const LATER_FAMILIES: [&str; 3] = ["NCv2", "NCv3", "ND"];

/// Usages_List. 2018-03-01 knows fewer families, and a last row for the limit on jobs that 2018-05-01 took away.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (subscription, region) = (call.subscription()?, call.region()?);
    let is_flat = call.version.is_flat();
    let (clusters, nodes, jobs) = app.read(|s| {
        let jobs = is_flat
            .then(|| s.count_active_jobs(&subscription, &region))
            .transpose()?;
        Ok((
            s.count_clusters(&subscription, &region)?,
            s.nodes_in_use(&subscription, &region)?,
            jobs,
        ))
    })?;
    let settings = &app.settings;
    let mut rows = vec![row(
        "Clusters",
        "Clusters",
        clusters,
        Some(settings.quotas.clusters),
    )];
    for priority in [VmPriority::Dedicated, VmPriority::LowPriority] {
        rows.extend(cores(settings, &nodes, priority));
    }
    if let Some(jobs) = jobs {
        let later = |name: &str| {
            LATER_FAMILIES
                .iter()
                .any(|family| name.contains(&format!(" {family} Family ")))
        };
        rows.retain(|row| !later(&row.name));
        rows.push(row("ActiveJobs", "ActiveJobs", jobs, None));
    }
    Ok(Reply::ok(wire::usages(&rows)))
}

/// The rows of one kind of nodes: all cores, then those of each family.
fn cores(settings: &Settings, nodes: &[CoresInUse], priority: VmPriority) -> Vec<wire::UsageRow> {
    let (word, words) = match priority {
        VmPriority::Dedicated => ("Dedicated", "Dedicated"),
        VmPriority::LowPriority => ("LowPriority", "Low Priority"),
    };
    let family_row = |family: &String| {
        let (all, own) = settings.quotas.cores(priority, family);
        let name = |word| format!("{family} Cluster {word} vCPUs");
        let used = settings.cores_in_use(nodes, priority, Some(family));
        row(&name(word), &name(words), used, own.or(all))
    };
    let total = row(
        &format!("Total Cluster {word} Regional vCPUs"),
        &format!("Total Cluster {words} Regional vCPUs"),
        settings.cores_in_use(nodes, priority, None),
        settings.quotas.cores(priority, "").0,
    );
    std::iter::once(total)
        .chain(settings.families.iter().map(family_row))
        .collect()
}

fn row(name: &str, localized_name: &str, current: u32, limit: Option<u32>) -> wire::UsageRow {
    wire::UsageRow {
        name: name.to_owned(),
        localized_name: localized_name.to_owned(),
        current,
        limit: u64::from(limit.unwrap_or(NO_LIMIT)),
    }
}
