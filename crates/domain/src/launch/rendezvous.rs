//! What modern launchers (torchrun, accelerate, JAX) want to know: where the nodes of the job meet.

use super::site::{Site, Variables};

/// Address and port of the master, and which node this is of how many; nothing for a job that has no port to meet
/// at. RANK and WORLD_SIZE are not here: where nobody starts one process a rank they make a script wait for ever.
pub(super) fn environment(site: &Site<'_>) -> Variables {
    if site.job.port == 0 {
        return Variables::new();
    }
    [
        ("MASTER_ADDR", site.job.master()),
        ("MASTER_PORT", site.job.port.to_string()),
        ("NNODES", site.node_count().to_string()),
        ("NODE_RANK", site.index.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
