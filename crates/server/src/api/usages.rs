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

/// Usages_List.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (subscription, region) = (call.subscription()?, call.region()?);
    let (clusters, nodes) = app.read(|s| {
        Ok((
            s.count_clusters(&subscription, &region)?,
            s.nodes_in_use(&subscription, &region)?,
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
    Ok(Reply::ok(wire::usages(&rows)))
}

/// The rows of one kind of nodes: all cores, then those of each family.
fn cores(settings: &Settings, nodes: &[CoresInUse], priority: VmPriority) -> Vec<wire::UsageRow> {
    let quotas = &settings.quotas;
    let (word, words, limit) = match priority {
        VmPriority::Dedicated => ("Dedicated", "Dedicated", quotas.dedicated_cores),
        VmPriority::LowPriority => ("LowPriority", "Low Priority", quotas.low_priority_cores),
    };
    let in_use = |family: Option<&str>| {
        let of_kind = nodes.iter().filter(|n| n.priority == priority);
        let sized = of_kind.filter_map(|n| Some((settings.vm_size(&n.vm_size)?, n.nodes)));
        sized
            .filter(|(size, _)| family.is_none_or(|f| size.family == f))
            .map(|(size, n)| size.cores * n)
            .sum()
    };
    let total = row(
        &format!("Total Cluster {word} Regional vCPUs"),
        &format!("Total Cluster {words} Regional vCPUs"),
        in_use(None),
        limit,
    );
    let family_row = |family: &String| {
        let own = quotas.family_cores.get(family);
        let own = own.and_then(|(dedicated, low)| match priority {
            VmPriority::Dedicated => *dedicated,
            VmPriority::LowPriority => *low,
        });
        let name = |word| format!("{family} Cluster {word} vCPUs");
        row(&name(word), &name(words), in_use(Some(family)), own.or(limit))
    };
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
