//! pyTorchSettings with gloo, TCP or nccl: one process a rank (behaviour.md section 9).

use crate::spec::PyTorchSettings;

use super::plan::Process;
use super::script;
use super::site::Site;
use super::spread::spread;

/// The processes of this node; every rank decides.
pub(super) fn processes(site: &Site<'_>, settings: &PyTorchSettings, count: u32) -> Vec<Process> {
    let ranks = spread(count, site.node_count(), site.index);
    let first = ranks.start;
    ranks
        .map(|rank| {
            let mut process = site.process(
                &format!("rank {rank}"),
                script::python(&settings.script),
                &site.task_variables(rank),
                &format!("-{rank}.txt"),
            );
            for (name, value) in [
                ("RANK", rank),
                ("WORLD_SIZE", count),
                ("LOCAL_RANK", rank - first),
            ] {
                let value = value.to_string();
                process.environment.entry(name.to_owned()).or_insert(value);
            }
            process
        })
        .collect()
}
