//! A small stand-in for the server, for the commands' own tests: it keeps what is put, and its jobs end after
//! a few looks; a name that ends in 9 is a job that fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use trainyard_client::{Client, Endpoint};

#[derive(Default)]
struct Kept {
    calls: Vec<String>,
    /// Body and number of looks, by path.
    resources: BTreeMap<String, (Value, u32)>,
}

pub struct StandIn {
    url: String,
    kept: Arc<Mutex<Kept>>,
    _tasks: JoinSet<()>,
}

impl StandIn {
    pub fn client(&self) -> Client {
        Client::new(Endpoint::from_url(&self.url).unwrap(), "token").unwrap()
    }

    /// Method and path of every call so far.
    pub fn calls(&self) -> Vec<String> {
        self.kept.lock().unwrap().calls.clone()
    }
}

pub async fn serve() -> StandIn {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(kept.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    StandIn {
        url,
        kept,
        _tasks: tasks,
    }
}

async fn answer(
    State(kept): State<Arc<Mutex<Kept>>>,
    method: Method,
    uri: Uri,
    body: String,
) -> (StatusCode, String) {
    let mut kept = kept.lock().unwrap();
    let path = uri.path().to_owned();
    kept.calls.push(format!("{method} {path}"));
    let found = match (method.as_str(), path.as_str()) {
        ("GET", "/subscriptions") => Some(json!({"value": [{"subscriptionId": "s"}]})),
        ("GET", "/file") => return (StatusCode::OK, "said\n".into()),
        ("PUT", _) => {
            let body = serde_json::from_str(&body).unwrap_or_default();
            kept.resources.insert(path, (body, 0));
            Some(json!({}))
        }
        ("POST", _) => Some(json!({"value": [
            {"name": "dir", "fileType": "directory"},
            {"name": "stdout-0.txt", "fileType": "file", "downloadUrl": "/file"}]})),
        ("DELETE", _) => Some(json!({})),
        _ => kept.resources.get_mut(&path).map(|(body, looks)| {
            *looks += 1;
            json!({"id": path, "properties": if path.contains("/jobs/") { job(&path, *looks) } else { cluster(body) }})
        }),
    };
    match found {
        Some(found) => (StatusCode::OK, found.to_string()),
        None => (
            StatusCode::NOT_FOUND,
            json!({"error": {"code": "NotFound", "message": "no"}}).to_string(),
        ),
    }
}

fn job(path: &str, looks: u32) -> Value {
    match (looks, path.ends_with('9')) {
        (1, _) => json!({"executionState": "queued"}),
        (2, _) => json!({"executionState": "running"}),
        (_, false) => json!({"executionState": "succeeded", "executionInfo": {"exitCode": 0}}),
        (_, true) => json!({"executionState": "failed", "executionInfo": {"exitCode": 1}}),
    }
}

fn cluster(body: &Value) -> Value {
    let scale = &body["properties"]["scaleSettings"];
    let nodes = &scale["manual"]["targetNodeCount"];
    json!({"currentNodeCount": nodes, "nodeStateCounts": {"idleNodeCount": nodes}, "scaleSettings": scale})
}
