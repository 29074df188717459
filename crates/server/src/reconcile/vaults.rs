//! Secrets that lie in key vaults, fetched between the decision to start something and telling the engine.
//!
//! A round hands what needs them to a desk and goes on; what was fetched comes to the engine with a later round, if it
//! still is wanted then. Nothing fetched is stored: after a restart whatever the engine has not been told of is decided
//! again, and fetched again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{CONTAINER_FAILED, FILE_SHARE_FAILED, vault_unavailable};
use trainyard_domain::spec::{KeyVaultSecretReference, KeysOfRequests, SecretSource, Vaulted};
use trainyard_domain::state::{BatchAiError, Job, JobPhase, NodePhase};
use trainyard_engine::{NodeSeen, Observation};
use trainyard_store::{StoreError, Tx};
use trainyard_vaults::Fetched;

use super::effects::Effect;
use super::{Pump, Round};

/// Code of a secret that could not be had from its key vault; none is recorded.
pub const VAULT_FAILED: &str = "KeyVaultSecretFailed";

/// What waits for its secrets, and what has got them.
#[derive(Default)]
pub(super) struct Desk(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    asked: BTreeSet<Who>,
    fetched: Vec<(Effect, Result<(), BatchAiError>)>,
}

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Node(Uid),
    Attempt(PlacementId),
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Effect {
    /// Shows what of it may lie in a vault, where it is of a kind that needs secrets.
    fn needed(
        &mut self,
        keys: &KeysOfRequests,
        visit: &mut dyn FnMut(String, &mut SecretSource),
    ) -> Option<Who> {
        match self {
            Effect::EnsureNode { node, spec, .. } => {
                spec.needed(keys, visit);
                Some(Who::Node(node.uid))
            }
            Effect::Launch { job, .. } => {
                job.spec.needed(keys, visit);
                Some(Who::Attempt(job.placement_id()))
            }
            Effect::ReleaseNode(_)
            | Effect::Stop { .. }
            | Effect::Forget { .. }
            | Effect::RemoveFolder(_) => None,
        }
    }
}

impl Pump {
    /// Hands an effect with secrets in key vaults to the desk; every other one comes back.
    pub(super) fn fetch_first(&mut self, mut effect: Effect) -> Option<Effect> {
        let mut wanted = Vec::new();
        let keys = self.keys.clone();
        let who = effect.needed(&keys, &mut |member, source| {
            if let SecretSource::Vault(reference) = source {
                wanted.push((member, reference.clone()));
            }
        });
        // Without vaults the plan is refused, and names the member.
        let (Some(who), Some(vaults), false) = (who, &self.ports.vaults, wanted.is_empty()) else {
            return Some(effect);
        };
        // Told again while it is being fetched.
        if !self.desk.lock().asked.insert(who) {
            return None;
        }
        info!(?who, secrets = wanted.len(), "fetching from key vaults");
        let references = wanted.iter().map(|(_, reference)| reference.clone()).collect();
        let desk = Arc::clone(&self.desk.0);
        vaults.ask(
            references,
            Box::new(move |fetched| {
                let filled = fill(&mut effect, &keys, &wanted, fetched);
                let mut waiting = desk.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.fetched.push((effect, filled));
            }),
        );
        None
    }

    /// What has its secrets by now and still is wanted. What could not get them is noted for the next round.
    pub(super) fn fetched(&mut self) -> Vec<Effect> {
        let fetched = std::mem::take(&mut self.desk.lock().fetched);
        let mut wanted = Vec::new();
        for (mut effect, filled) in fetched {
            if let Some(who) = effect.needed(&KeysOfRequests::default(), &mut |_, _| {}) {
                self.desk.lock().asked.remove(&who);
                match self.is_wanted(who) {
                    Ok(false) => continue,
                    // The next full round decides anew.
                    Err(error) => {
                        warn!(%error, "what was fetched from key vaults cannot be used now");
                        continue;
                    }
                    Ok(true) => match (filled, who) {
                        (Ok(()), _) => wanted.push(effect),
                        (Err(error), Who::Attempt(id)) => self.refused.push((id, error)),
                        (Err(error), Who::Node(node)) => {
                            let seen = NodeSeen::SetupFailed(vec![error]);
                            self.seen.push(Observation::Node { node, seen });
                        }
                    },
                }
            }
        }
        wanted
    }

    /// Whether nothing has come between. A stop that comes later is told to the engine later, too.
    fn is_wanted(&self, who: Who) -> Result<bool, StoreError> {
        self.ports.store.read(|s| match who {
            Who::Node(uid) => {
                let node = s.node(uid)?;
                Ok(
                    node.is_some_and(|node| {
                        node.status.phase == NodePhase::Preparing && !node.status.leaving
                    }),
                )
            }
            Who::Attempt(id) => {
                let job = s.job_by_uid(id.job)?;
                Ok(job.is_some_and(|job| job.placement_id() == id && job.status.phase == JobPhase::Running))
            }
        })
    }
}

/// Puts the secrets where the references were.
fn fill(
    effect: &mut Effect,
    keys: &KeysOfRequests,
    wanted: &[(String, KeyVaultSecretReference)],
    fetched: Fetched,
) -> Result<(), BatchAiError> {
    let secrets = fetched.map_err(|(i, error)| {
        let reason = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        let (member, vault) = wanted
            .get(i)
            .map_or(("", ""), |(member, r)| (member, r.vault_name()));
        warn!(member, vault, reason, "a secret of a key vault cannot be had");
        failure(member, vault, reason)
    })?;
    let mut secrets = secrets.into_iter();
    effect.needed(keys, &mut |_, source| {
        if matches!(source, SecretSource::Vault(_))
            && let Some(secret) = secrets.next()
        {
            *source = SecretSource::Value(secret);
        }
    });
    Ok(())
}

/// The key of a volume is told by the code of its mount, as recorded (errors.md).
fn failure(member: &str, vault: &str, reason: String) -> BatchAiError {
    let code = match member {
        _ if member.contains(".azureFileShares[") => FILE_SHARE_FAILED,
        _ if member.contains(".azureBlobFileSystems[") => CONTAINER_FAILED,
        _ => VAULT_FAILED,
    };
    let details = [("member", member), ("vault", vault), ("Info", &reason)];
    BatchAiError {
        details: details
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..BatchAiError::new(
            code,
            format!("The secret of {member} could not be had from the key vault {vault}: {reason}."),
        )
    }
}

impl Round {
    /// Why a spec cannot be used where nothing is fetched from key vaults, if so.
    pub(super) fn no_vaults(&self, spec: &(impl Vaulted + Clone)) -> Option<BatchAiError> {
        if self.vaults {
            return None;
        }
        vault_unavailable(spec, &self.keys)
    }

    /// Writes down why a job that has its nodes does not begin at once.
    pub(super) fn note_fetching(&self, tx: &Tx<'_>, job: &mut Job) -> Result<(), StoreError> {
        let Some((member, reference)) = job.spec.first_reference(&self.keys) else {
            return Ok(());
        };
        let vault = reference.vault_name();
        let reason = format!("It has its nodes, and waits for {member} from the key vault {vault}.");
        info!(job = %job.meta.name, reason, "waiting");
        job.status.waiting = Some(reason);
        tx.set_job_status(job)
    }
}
