//! A job, cluster or file server file as the body of a `create`.

use serde_json::{Map, Value, json};

use super::place::{Kind, Place, in_our_subscription, needs_of};
use super::{CURRENT, GROUP, NotReplayed, REGION, Replay, Request, bodies};
use crate::known::EXPERIMENT;

const NAME: &str = "filed";

/// The versions that a file may be written for, the likeliest first: the one it names, else both older ones.
pub fn versions(text: &str) -> &'static [&'static str] {
    const BOTH: &[&str] = &["2018-03-01", "2017-09-01-preview"];
    let named = |version: &str| text.contains(&format!("BatchAI/master/schemas/{version}"));
    match BOTH {
        [newer, ..] if named(newer) => BOTH.get(..1),
        [_, older] if named(older) => BOTH.get(1..),
        _ => None,
    }
    .unwrap_or(BOTH)
}

/// What `create` with a file in the form of an older `version` does; `what` is what the scanner calls it.
///
/// # Errors
/// [`NotReplayed`] where it is no such file.
pub fn old(text: &str, what: &str, version: &'static str) -> Result<Replay, NotReplayed> {
    let (kind, mut body) = read(text, what)?;
    let location = |body: &Map<String, Value>| {
        let own = body
            .get("location")
            .or_else(|| body.get("properties")?.get("location"));
        Some(super::az::region(own?.as_str()?))
    };
    let region = location(&body);
    body.insert(
        "location".to_owned(),
        region.clone().unwrap_or_else(|| REGION.to_owned()).into(),
    );
    let mut replay = put(kind, body, &Place::Flat { version });
    replay.region = region;
    Ok(replay)
}

/// What `create` with the new form of a file does, for things of `region`.
///
/// # Errors
/// See [`old`].
pub fn new(text: &str, what: &str, region: &str) -> Result<Replay, NotReplayed> {
    let (kind, body) = read(text, what)?;
    for gone in ["location", "tags"] {
        if body.contains_key(gone) {
            return Err(NotReplayed::because(format!(
                "`{gone}` is still in it, which {CURRENT} does not know"
            )));
        }
    }
    let place = Place::migrated(region);
    let mut replay = put(kind, body, &place);
    replay.workspace = Some(super::place::workspace(region));
    replay.experiment = Some(EXPERIMENT.to_owned());
    Ok(replay)
}

fn read(text: &str, what: &str) -> Result<(Kind, Map<String, Value>), NotReplayed> {
    let kind = match what {
        "job file" => Kind::Job,
        "cluster file" => Kind::Cluster,
        "file server file" => Kind::FileServer,
        _ => {
            return Err(NotReplayed::because(format!(
                "a {what} is not replayed: deploy it to a test server"
            )));
        }
    };
    match serde_json::from_str(&in_our_subscription(text)) {
        Ok(Value::Object(body)) => Ok((kind, body)),
        _ => Err(NotReplayed::because("it is not JSON by itself")),
    }
}

fn put(kind: Kind, mut body: Map<String, Value>, place: &Place) -> Replay {
    // The call names the cluster where the file does not.
    if kind == Kind::Job
        && let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut)
        && !properties.contains_key("cluster")
    {
        let id = place.path(GROUP, Kind::Cluster, bodies::CLUSTER);
        properties.insert("cluster".to_owned(), json!({ "id": id }));
    }
    let mut body = Value::Object(body);
    // What the file leaves to the options of the call.
    match kind {
        Kind::Cluster => complete(&mut body, &bodies::cluster()),
        Kind::FileServer => complete(&mut body, &bodies::file_server()),
        Kind::Job => {}
    }
    credentials(&mut body);
    Replay {
        group: GROUP.to_owned(),
        needs: needs_of(&body),
        steps: vec![Request::new("PUT", place.path(GROUP, kind, NAME), place.version()).with(body)],
        ..Replay::default()
    }
}

/// Fills in members of `from` that `body` lacks; of choices (scale, login) only where none is made.
fn complete(body: &mut Value, from: &Value) {
    let (Value::Object(body), Value::Object(from)) = (body, from) else {
        return;
    };
    let password = body.contains_key("adminUserPassword");
    for (name, value) in from {
        match body.get_mut(name) {
            None if password && name == "adminUserSshPublicKey" => {}
            None => {
                body.insert(name.clone(), value.clone());
            }
            Some(_) if name == "scaleSettings" => {}
            Some(own) => complete(own, value),
        }
    }
}

/// Keys that the client fills in.
fn credentials(body: &mut Value) {
    super::az::mounts::fill(body, "anyaccount");
}
