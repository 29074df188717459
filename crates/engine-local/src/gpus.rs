//! The GPUs of this machine.
//!
//! They are looked for when the engine is opened. Later looks only take away: a GPU that has fallen off the
//! bus is not offered until it is back. Each look opens NVML and closes it again, since a server that kept it
//! open would keep the operator from resetting a GPU or changing the driver.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use tracing::{debug, info, warn};
use trainyard_domain::ids::GpuId;
use trainyard_domain::launch::NodePlan;

use crate::settings::GpuSource;

/// How often GPUs are looked at, to notice one that is gone.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The variable by which CUDA is told which GPUs to use, by their UUIDs; with an empty value, none.
const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// The GPUs of this machine.
pub struct Gpus {
    /// Those that were found at the opening, in NVML's order, which is that of the bus.
    found: Vec<GpuId>,
    lost: Lost,
    /// Dropped, it ends the watch.
    _watch: Option<Sender<()>>,
}

/// GPUs that were found at the opening and not at the last look.
#[derive(Clone, Default)]
struct Lost(Arc<Mutex<BTreeSet<GpuId>>>);

impl Gpus {
    /// Looks for them, and goes on looking if there are any.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn open(source: &GpuSource) -> io::Result<Gpus> {
        match source {
            GpuSource::These(gpus) => Ok(Gpus::fixed(gpus.clone())),
            GpuSource::Machine => {
                let found = find();
                if found.is_empty() {
                    return Ok(Gpus::fixed(found));
                }
                info!(gpus = found.len(), "GPUs were found");
                Gpus::watched(found, LOOK_EVERY, find)
            }
        }
    }

    fn fixed(found: Vec<GpuId>) -> Gpus {
        Gpus {
            found,
            lost: Lost::default(),
            _watch: None,
        }
    }

    /// The thread is not waited for at the end: a sick driver can keep a look for ever.
    fn watched(
        found: Vec<GpuId>,
        every: Duration,
        look: impl Fn() -> Vec<GpuId> + Send + 'static,
    ) -> io::Result<Gpus> {
        let (open, closed) = channel();
        let gpus = Gpus {
            _watch: Some(open),
            ..Gpus::fixed(found.clone())
        };
        let lost = gpus.lost.clone();
        std::thread::Builder::new()
            .name("gpus".to_owned())
            .spawn(move || {
                while closed.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    lost.note(&found, &look());
                }
            })?;
        Ok(gpus)
    }

    /// Those that can be used now.
    pub fn offered(&self) -> Vec<GpuId> {
        let lost = self.lost.set();
        self.found
            .iter()
            .filter(|gpu| !lost.contains(gpu))
            .cloned()
            .collect()
    }

    /// The variable by which processes of the node see its GPUs and nobody else's. On a machine without GPUs
    /// that we know of it is left alone: there may be some of another maker.
    pub fn visible(&self, plan: &NodePlan) -> Option<(String, String)> {
        let own: Vec<&str> = plan.gpus.iter().map(|gpu| gpu.0.as_str()).collect();
        let any = !own.is_empty() || !self.found.is_empty();
        any.then(|| (VISIBLE.to_owned(), own.join(",")))
    }
}

impl Lost {
    fn set(&self) -> MutexGuard<'_, BTreeSet<GpuId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, found: &[GpuId], now: &[GpuId]) {
        let missing: BTreeSet<GpuId> = found.iter().filter(|gpu| !now.contains(gpu)).cloned().collect();
        let mut lost = self.set();
        for gpu in missing.difference(&lost) {
            warn!(%gpu, "a GPU is gone; no new node gets it");
        }
        for gpu in lost.difference(&missing) {
            info!(%gpu, "a GPU is back");
        }
        *lost = missing;
    }
}

/// What NVML shows now. No library, no driver and no device are all the same: no GPUs.
/// How many GPUs an engine would find on this machine.
pub fn gpus_here() -> usize {
    find().len()
}

fn find() -> Vec<GpuId> {
    let nvml = match Nvml::init() {
        Ok(nvml) => nvml,
        Err(NvmlError::LibloadingError(error)) => {
            debug!(%error, "there is no NVML on this machine, so no GPUs");
            return Vec::new();
        }
        Err(error) => {
            warn!(%error, "NVML cannot be used, so there are no GPUs; does nvidia-smi work?");
            return Vec::new();
        }
    };
    let count = nvml.device_count().unwrap_or_else(|error| {
        warn!(%error, "NVML cannot count the GPUs");
        0
    });
    let identity = |index| {
        let uuid = nvml.device_by_index(index).and_then(|device| device.uuid());
        uuid.inspect_err(|error| warn!(index, %error, "a GPU cannot be used"))
            .ok()
            .map(GpuId)
    };
    (0..count).filter_map(identity).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn ids(names: &[&str]) -> Vec<GpuId> {
        names.iter().map(|name| GpuId((*name).to_owned())).collect()
    }

    #[test]
    fn a_gpu_that_is_gone_is_not_offered_until_it_is_back_and_a_new_one_never() {
        let (tell, told) = sync_channel::<Vec<GpuId>>(0);
        let look = move || told.recv().unwrap_or_default();
        let gpus = Gpus::watched(ids(&["GPU-b", "GPU-a"]), Duration::ZERO, look).unwrap();
        assert_eq!(gpus.offered(), ids(&["GPU-b", "GPU-a"]));
        for (seen, offered) in [
            (&["GPU-a"][..], &["GPU-a"][..]),
            (&[], &[]),
            (&["GPU-a", "GPU-b", "GPU-c"], &["GPU-b", "GPU-a"]),
        ] {
            tell.send(ids(seen)).unwrap();
            // The next look begins once this one is noted.
            tell.send(ids(seen)).unwrap();
            assert_eq!(gpus.offered(), ids(offered), "{seen:?}");
        }
    }
}
