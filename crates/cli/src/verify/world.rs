//! One form of a call on an empty service.

use serde_json::Value;
use trainyard_migrate::verify::compare::{Answer, Seen};
use trainyard_migrate::verify::{CURRENT, Replay, Request, SUBSCRIPTION};

use crate::serve::{Scratch, Scratches};

/// What became of a form.
#[derive(Debug)]
pub enum Outcome {
    /// It was replayed.
    Seen(Seen),
    /// What it needs could not be made; why.
    Unready(String),
}

/// Makes what the form needs, then does the form, then looks at everything.
///
/// # Errors
/// Where the service itself fails.
pub async fn run(scratches: &mut Scratches, ready: &[Request], replay: &Replay) -> anyhow::Result<Outcome> {
    let mut scratch = scratches.make()?;
    for request in ready {
        let answer = send(&mut scratch, request).await?;
        if !answer.is_done() {
            return Ok(Outcome::Unready(format!(
                "what it needs can't be made here: {} {}: {}",
                answer.status,
                answer.code(),
                answer.message()
            )));
        }
    }
    let mut seen = Seen::default();
    for step in &replay.steps {
        seen.answers.push(send(&mut scratch, step).await?);
    }
    seen.state = everything(&mut scratch).await?;
    Ok(Outcome::Seen(seen))
}

async fn send(scratch: &mut Scratch, request: &Request) -> anyhow::Result<Answer> {
    scratch
        .send(request.method, &request.uri(), request.body.as_ref())
        .await
}

/// Every resource, as the current version shows it.
async fn everything(scratch: &mut Scratch) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    let path = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/workspaces");
    let workspaces = list(scratch, &path).await?;
    for workspace in workspaces {
        let id = id(&workspace);
        for kind in ["clusters", "fileServers"] {
            all.extend(list(scratch, &format!("{id}/{kind}")).await?);
        }
        for experiment in list(scratch, &format!("{id}/experiments")).await? {
            let jobs = format!("{}/jobs", self::id(&experiment));
            all.extend(list(scratch, &jobs).await?);
            all.push(experiment);
        }
        all.push(workspace);
    }
    Ok(all)
}

fn id(resource: &Value) -> String {
    let id = resource.get("id").and_then(Value::as_str);
    id.unwrap_or_default().to_owned()
}

async fn list(scratch: &mut Scratch, path: &str) -> anyhow::Result<Vec<Value>> {
    let answer = send(scratch, &Request::new("GET", path, CURRENT)).await?;
    Ok(match answer.body.get("value") {
        Some(Value::Array(entries)) => entries.clone(),
        _ => Vec::new(),
    })
}
