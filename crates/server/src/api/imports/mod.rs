//! Imports of old deployments: an operation of our own. Each batch is checked or made as a whole in one transaction,
//! and one that comes again makes nothing twice.

mod complete;
mod item;
mod judge;
mod make;
mod undo;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;
use trainyard_domain::name::{SubscriptionId, excerpt};
use trainyard_domain::resource_id::workspace_id;
use trainyard_storage::FolderName;
use trainyard_store::{Snapshot, Tx};
use uuid::Uuid;

pub use complete::completed;
pub use undo::undo;

use self::item::{Item, RawItem, Thing};
use self::judge::{Judgement, judge};
use self::make::Maker;
use super::file_servers::make_folder;
use crate::App;
use crate::arm_error::ApiError;
use crate::http::{Call, Reply};
use crate::ops::Access;

/// Most items of a batch.
const MOST_ITEMS: usize = 100;
/// Longest id of an import.
const ID_LENGTH: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    id: String,
    subscription: String,
    #[serde(default)]
    check: bool,
    items: Vec<RawItem>,
}

/// What became, or would become, of an item.
enum Outcome {
    /// It is made; by a check, it would be.
    Made(Vec<String>),
    /// This import made it before.
    Already,
    /// It was there, the same, and this import did not make it.
    Found,
    /// It is left out, for this reason.
    LeftOut(String),
}

impl Outcome {
    fn show(&self) -> Value {
        match self {
            Outcome::Made(notes) => json!({"outcome": "made", "notes": notes}),
            Outcome::Already => json!({"outcome": "already"}),
            Outcome::Found => json!({"outcome": "found"}),
            Outcome::LeftOut(reason) => json!({"outcome": "leftOut", "reason": reason}),
        }
    }
}

/// Imports_Run: makes what a batch says, or with `check` says what would be made.
pub async fn run(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let batch: Batch = serde_json::from_slice(&call.body).map_err(|error| {
        ApiError::invalid(
            "",
            format!("The body cannot be read: {error}. Send id, subscription and items."),
        )
    })?;
    let id = import_id(&batch.id, "id")?;
    let subscription = known_subscription(app, &batch.subscription)?;
    if batch.items.len() > MOST_ITEMS {
        let message = format!(
            "There are {} items in the batch. Send at most {MOST_ITEMS}.",
            batch.items.len()
        );
        return Err(ApiError::invalid("items", message));
    }
    let items = batch.items.into_iter().map(|raw| raw.read(&subscription));
    let items: Vec<Result<Item, String>> = items.collect();
    for item in items.iter().flatten() {
        check_access(&call, item)?;
    }
    let outcomes = if batch.check {
        app.read(|s| each(items, |item| foresee(app, s, &id, &item)))?
    } else {
        make(app, call, id.clone(), items).await?
    };
    let shown: Vec<Value> = outcomes.iter().map(Outcome::show).collect();
    Ok(Reply::ok(json!({"id": id, "items": shown})))
}

/// The id of an import: the caller's own, so that a batch that comes again is known.
fn import_id(text: &str, target: &str) -> Result<String, ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > ID_LENGTH || !text.chars().all(plain) {
        let message = format!(
            "'{}' is no id of an import. Use 1 to {ID_LENGTH} letters, digits, '-', '_' and '.'.",
            excerpt(text)
        );
        return Err(ApiError::invalid(target, message));
    }
    Ok(text.to_owned())
}

fn known_subscription(app: &App, text: &str) -> Result<SubscriptionId, ApiError> {
    let given = SubscriptionId::new(text)?;
    let known = app.settings.subscriptions.iter().find(|s| s.key() == given.key());
    known.cloned().ok_or_else(|| ApiError::NoSubscription {
        id: given.to_string(),
    })
}

/// As for the PUT of everything that the item may make: its group only where that is not there.
fn check_access(call: &Call, item: &Item) -> Result<(), ApiError> {
    let scope = workspace_id(&item.place.group, &item.place.workspace).to_ascii_lowercase();
    call.caller.check(Access::Write, &scope, call.operation.action)
}

fn each(
    items: Vec<Result<Item, String>>,
    mut work: impl FnMut(Item) -> Result<Outcome, ApiError>,
) -> Result<Vec<Outcome>, ApiError> {
    let outcome = |item| match item {
        Ok(item) => work(item).or_else(left_out),
        Err(reason) => Ok(Outcome::LeftOut(reason)),
    };
    items.into_iter().map(outcome).collect()
}

/// What is wrong with one item leaves the others alone; what is wrong with the caller or the server does not.
fn left_out(error: ApiError) -> Result<Outcome, ApiError> {
    let shown = error.show();
    match shown.status.as_u16() {
        400 | 404 | 409 => Ok(Outcome::LeftOut(match shown.target {
            Some(target) => format!("{target}: {}", shown.message),
            None => shown.message,
        })),
        _ => Err(error),
    }
}

fn judged(judgement: Judgement, id: &str) -> Option<Outcome> {
    match judgement {
        Judgement::New => None,
        Judgement::Same { by } if by.as_deref() == Some(id) => Some(Outcome::Already),
        Judgement::Same { .. } => Some(Outcome::Found),
        Judgement::Conflict(reason) => Some(Outcome::LeftOut(reason)),
    }
}

fn foresee(app: &App, s: &Snapshot<'_>, id: &str, item: &Item) -> Result<Outcome, ApiError> {
    if let Some(outcome) = judged(judge(s, item)?, id) {
        return Ok(outcome);
    }
    make::check_possible(app, item)?;
    Ok(Outcome::Made(item.thing.missing()))
}

/// Makes a batch. The folders of its file servers come before the transaction, and those that it did not use go
/// after it.
async fn make(
    app: &Arc<App>,
    call: Call,
    id: String,
    items: Vec<Result<Item, String>>,
) -> Result<Vec<Outcome>, ApiError> {
    let servers = items
        .iter()
        .flatten()
        .filter(|item| matches!(item.thing, Thing::FileServer(_)));
    let mut folders = Vec::new();
    for item in servers {
        let known = app.read(|s| judge(s, item)).map(|j| !matches!(j, Judgement::New));
        if !known.unwrap_or(true) {
            folders.push(make_folder(app, app.ports.random.uuid())?);
        }
    }
    let now = app.now();
    let mut random: Vec<Uuid> = items.iter().map(|_| app.ports.random.uuid()).collect();
    let (shared, given) = (Arc::clone(app), folders.clone());
    let done = app.write(move |tx: &Tx<'_>| {
        let mut maker = Maker {
            app: &shared,
            tx,
            call: &call,
            import: &id,
            now,
            folders: given,
        };
        let outcomes = each(items, |item| {
            if let Some(outcome) = judged(judge(tx, &item)?, &id) {
                return Ok(outcome);
            }
            make::check_possible(&shared, &item)?;
            maker.make(item, random.pop().unwrap_or_default())
        })?;
        Ok((outcomes, maker.folders))
    });
    let done = done.await;
    let unused: &[FolderName] = done.as_ref().map_or(&folders, |(_, unused)| unused);
    for folder in &folders {
        if unused.contains(folder) {
            app.ports.file_servers.unmake(folder);
        } else {
            let path = app.ports.file_servers.path(folder);
            info!(folder = %path.display(), "a file server is made by an import");
        }
    }
    Ok(done?.0)
}
