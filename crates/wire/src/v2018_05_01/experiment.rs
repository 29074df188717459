//! Experiments.

use serde_json::Value;
use trainyard_domain::resource_id::experiment_id;
use trainyard_domain::state::Experiment;

use super::common::{resource, with_life_cycle};
use crate::body::{BadBody, Object, json};
use crate::out::Out;

/// Reads the body of an experiment's PUT: none, as clients send it, or any JSON object.
pub fn experiment_create(body: &[u8]) -> Result<(), BadBody> {
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    Object::root(&json(body)?).map(|_| ())
}

/// Writes an experiment.
pub fn experiment(experiment: &Experiment) -> Value {
    let meta = &experiment.meta;
    let id = experiment_id(&experiment.scope, &experiment.workspace, &meta.name);
    resource(id, meta, "workspaces/experiments")
        .with("properties", with_life_cycle(Out::new(), meta))
        .into()
}
