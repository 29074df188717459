//! Usages_List: quotas and what is in use of them (behaviour.md section 12).

use std::collections::BTreeMap;

use trainyard_domain::spec::VmPriority;
use trainyard_wire::v2018_05_01 as wire;

use crate::App;
use crate::arm_error::ApiError;
use crate::http::{Call, Reply};

/// Usages_List.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (subscription, region) = (call.subscription()?, call.region()?);
    let (clusters, nodes) = app.read(|s| {
        Ok((
            s.count_clusters(&subscription, &region)?,
            s.nodes_in_use(&subscription, &region)?,
        ))
    })?;
    let mut cores: BTreeMap<(VmPriorityKey, &str), u32> = BTreeMap::new();
    for use_ in &nodes {
        if let Some(size) = app.settings.vm_size(&use_.vm_size) {
            *cores.entry((key(use_.priority), &size.family)).or_default() +=
                size.cores.saturating_mul(use_.nodes);
        }
    }
    let quotas = &app.settings.quotas;
    let families: std::collections::BTreeSet<&str> = app
        .settings
        .vm_sizes
        .values()
        .map(|size| size.family.as_str())
        .collect();
    let mut rows = vec![usage("Clusters", "Clusters", clusters, quotas.clusters)];
    for (priority, word, localized, limit) in [
        (
            VmPriorityKey::Dedicated,
            "Dedicated",
            "Dedicated",
            quotas.dedicated_cores,
        ),
        (
            VmPriorityKey::LowPriority,
            "LowPriority",
            "Low Priority",
            quotas.low_priority_cores,
        ),
    ] {
        let of = |family: &str| cores.get(&(priority, family)).copied().unwrap_or(0);
        let total = families.iter().map(|family| of(family)).sum();
        rows.push(usage(
            &format!("Total Cluster {word} Regional vCPUs"),
            &format!("Total Cluster {localized} Regional vCPUs"),
            total,
            limit,
        ));
        for family in &families {
            rows.push(usage(
                &format!("{family} Cluster {word} vCPUs"),
                &format!("{family} Cluster {localized} vCPUs"),
                of(family),
                limit,
            ));
        }
    }
    Ok(Reply::ok(wire::usages(&rows)))
}

fn usage(name: &str, localized_name: &str, current: u32, limit: u32) -> wire::UsageRow {
    let (name, localized_name) = (name.to_owned(), localized_name.to_owned());
    wire::UsageRow {
        name,
        localized_name,
        current,
        limit: u64::from(limit),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum VmPriorityKey {
    Dedicated,
    LowPriority,
}

fn key(priority: VmPriority) -> VmPriorityKey {
    match priority {
        VmPriority::Dedicated => VmPriorityKey::Dedicated,
        VmPriority::LowPriority => VmPriorityKey::LowPriority,
    }
}
