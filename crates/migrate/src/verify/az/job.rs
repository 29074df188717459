//! `job create`.

use serde_json::json;

use super::super::place::Kind;
use super::super::{Replay, bodies};
use super::Call;
use super::create::Draft;
use super::mounts;
use crate::az::grammar::{Dialect, Role};

/// The PUT.
pub fn create(call: &Call<'_>) -> Replay {
    let own = call
        .place()
        .path(&call.options.group(), Kind::Cluster, bodies::CLUSTER);
    let mut draft = Draft::new(call, bodies::job(&own, None));
    if let Some(cluster) = call.options.text(Role::Cluster) {
        let id = mounts::reference(&draft, &cluster, Kind::Cluster, Role::ClusterGroup);
        draft.set(&[], "cluster", Some(json!({ "id": id })));
    }
    if call.dialect != Dialect::V01 {
        mounts::add(&mut draft, &["mountVolumes"]);
    }
    draft.finish(Kind::Job, Role::Job)
}
