//! The client against a small server, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test may break")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use trainyard_client::{Client, ClientError, Endpoint, Limits, State as JobState, WorkspacePath};

const GROUP: &str = "/subscriptions/s/resourceGroups/g";

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    polls: AtomicUsize,
}

struct Server {
    url: String,
    seen: Arc<Seen>,
    _tasks: JoinSet<()>,
}

impl Server {
    fn client(&self) -> Client {
        Client::new(Endpoint::from_url(&self.url).unwrap(), "secret").unwrap()
    }
}

fn workspace() -> WorkspacePath {
    WorkspacePath {
        subscription: "s".into(),
        group: "g".into(),
        workspace: "w".into(),
    }
}

fn router(seen: Arc<Seen>) -> Router {
    let cluster = format!("{GROUP}/providers/Microsoft.BatchAI/workspaces/w/clusters/{{name}}");
    let job = format!("{GROUP}/providers/Microsoft.BatchAI/workspaces/w/experiments/e/jobs/j");
    Router::new()
        .route("/echo", put(echo))
        .route("/trainyard/stop", post(|uri: Uri| async move { uri.to_string() }))
        .route("/slow", get(std::future::pending::<()>))
        .route("/big", get(|| async { "x".repeat(5000) }))
        .route("/closing", get(|| async { ([("connection", "close")], "{}") }))
        .route(
            "/plain-error",
            get(|| async { (StatusCode::BAD_GATEWAY, "oops") }),
        )
        .route("/file", get(file))
        .route("/list/{kind}", get(page))
        .route(&cluster, put(put_cluster).get(get_cluster))
        .route("/operations/{name}", get(operation))
        .route(&job, get(get_job))
        .route(&format!("{job}/listOutputFiles"), post(list_files))
        .with_state(seen)
}

async fn serve() -> Server {
    let seen = Arc::new(Seen::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counter = seen.clone();
    let listener = listener.tap_io(move |_| {
        counter.connections.fetch_add(1, Ordering::SeqCst);
    });
    let mut tasks = JoinSet::new();
    let app = router(seen.clone());
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    Server {
        url,
        seen,
        _tasks: tasks,
    }
}

async fn echo(uri: Uri, headers: HeaderMap, body: String) -> axum::response::Result<String> {
    let header = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("-")
    };
    Ok(json!({
        "uri": uri.to_string(), "token": header("authorization"), "type": header("content-type"),
        "host": header("host"), "body": body,
    })
    .to_string())
}

/// A list of two pages; the link to the second is as the kind says.
async fn page(
    Path(kind): Path<String>,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> String {
    if query.iter().any(|(name, _)| name == "next") {
        return json!({"value": [3]}).to_string();
    }
    let host = headers["host"].to_str().unwrap();
    let link = match kind.as_str() {
        "own" => format!("http://{host}/list/own?api-version=v&next"),
        "relative" => "/list/relative?api-version=v&next".to_owned(),
        "endless" => format!("http://{host}/list/endless?api-version=v"),
        other => format!("{}/list?secret", other.replace('_', "/")),
    };
    json!({"value": [1, 2], "nextLink": link}).to_string()
}

async fn file(headers: HeaderMap) -> Response {
    if headers.contains_key("authorization") {
        return StatusCode::BAD_REQUEST.into_response();
    }
    match headers.get("range").and_then(|value| value.to_str().ok()) {
        None => "0123456789".into_response(),
        Some("bytes=4-") => (StatusCode::PARTIAL_CONTENT, "456789").into_response(),
        Some(_) => StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
    }
}

async fn put_cluster(Path(name): Path<String>, headers: HeaderMap) -> Response {
    if name == "taken" {
        let error = json!({"error": {"code": "ClusterAlreadyExists", "message": "there is one",
                                     "target": "properties.vmSize"}});
        return (StatusCode::CONFLICT, error.to_string()).into_response();
    }
    let host = headers["host"].to_str().unwrap();
    let url = format!("http://{host}/operations/{name}?api-version=2018-05-01");
    (
        StatusCode::ACCEPTED,
        [("azure-asyncoperation", url.as_str()), ("retry-after", "0")],
    )
        .into_response()
}

async fn operation(Path(name): Path<String>, State(seen): State<Arc<Seen>>) -> String {
    let polls = seen.polls.fetch_add(1, Ordering::SeqCst);
    match (name.as_str(), polls) {
        (_, 0 | 1) | ("endless", _) => json!({"status": "InProgress"}),
        ("fails", _) => json!({"status": "Failed", "error": {"code": "NoRoom", "message": "full"}}),
        _ => json!({"status": "Succeeded"}),
    }
    .to_string()
}

async fn get_cluster() -> String {
    json!({"id": "/c", "properties": {
        "allocationState": "resizing", "currentNodeCount": 2,
        "nodeStateCounts": {"idleNodeCount": 1, "preparingNodeCount": 1},
        "scaleSettings": {"manual": {"targetNodeCount": 2}}}})
    .to_string()
}

async fn get_job() -> String {
    json!({"id": "/j", "properties": {"executionState": "failed",
        "executionInfo": {"exitCode": 3, "errors": [{"code": "JobFailed", "message": "no"}]}}})
    .to_string()
}

async fn list_files(Query(query): Query<Vec<(String, String)>>, headers: HeaderMap, uri: Uri) -> String {
    assert!(
        query.contains(&("outputdirectoryid".into(), "stdouterr".into())),
        "{query:?}"
    );
    if query.iter().any(|(name, _)| name == "skip") {
        return json!({"value": [{"name": "stdout-1.txt", "fileType": "file", "downloadUrl": "/file"}]})
            .to_string();
    }
    let next = format!("http://{}{uri}&skip=1", headers["host"].to_str().unwrap());
    json!({"value": [{"name": "dir", "fileType": "directory"}], "nextLink": next}).to_string()
}

#[tokio::test]
async fn sends_token_version_and_body() {
    let server = serve().await;
    let client = server.client();
    let answer = client.put("/echo", Some(&json!({"a": 1}))).await.unwrap();
    let said: Value = answer.json().unwrap();
    assert_eq!(said["uri"], "/echo?api-version=2018-05-01");
    assert_eq!(said["token"], "Bearer secret");
    assert_eq!(said["type"], "application/json");
    assert_eq!(said["host"], server.url.strip_prefix("http://").unwrap());
    assert_eq!(said["body"], r#"{"a":1}"#);
    let other: Value = client
        .put("/echo?api-version=2016-06-01", None)
        .await
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(
        (&other["uri"], &other["body"]),
        (&json!("/echo?api-version=2016-06-01"), &json!(""))
    );
    let own = client.post("/trainyard/stop", None).await.unwrap();
    assert_eq!(
        &own.body[..],
        b"/trainyard/stop",
        "our own paths have no api-version"
    );
}

#[tokio::test]
async fn keeps_connections_and_replaces_closed_ones() {
    let server = serve().await;
    let client = server.client();
    for _ in 0..20 {
        client.put("/echo", None).await.unwrap();
    }
    assert_eq!(server.seen.connections.load(Ordering::SeqCst), 1);
    client.get("/closing").await.unwrap();
    client.put("/echo", None).await.unwrap();
    assert_eq!(server.seen.connections.load(Ordering::SeqCst), 2);
}

/// A server that closes each connection while it is idle: nothing of the next call was sent, so it goes on anew.
#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (close, mut may_close) = tokio::sync::mpsc::unbounded_channel();
    let (closed, mut is_closed) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let got = stream.read(&mut request).await.unwrap();
            if got > 0 {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                    .await
                    .unwrap();
            }
            may_close.recv().await;
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    let client = Client::new(Endpoint::from_url(&url).unwrap(), "t").unwrap();
    for _ in 0..20 {
        client.get("/x").await.unwrap();
        close.send(()).unwrap();
        is_closed.recv().await.unwrap();
    }
}

#[tokio::test]
async fn calls_run_side_by_side() {
    let server = serve().await;
    let client = Arc::new(server.client());
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        calls.spawn(async move { client.put("/echo", None).await.map(drop) });
    }
    while let Some(end) = calls.join_next().await {
        end.unwrap().unwrap();
    }
}

#[tokio::test]
async fn refusals_are_typed() {
    let server = serve().await;
    let client = server.client();
    match client
        .put_cluster(&workspace().cluster("taken"), &json!({}))
        .await
        .unwrap_err()
    {
        ClientError::Service {
            status,
            code,
            message,
            target,
            call,
        } => {
            assert_eq!(
                (status, code.as_str()),
                (StatusCode::CONFLICT, "ClusterAlreadyExists")
            );
            assert_eq!(
                (message.as_str(), target.as_deref()),
                ("there is one", Some("properties.vmSize"))
            );
            assert!(
                call.starts_with("PUT /subscriptions/s/resourceGroups/g/"),
                "{call}"
            );
        }
        other => panic!("{other:?}"),
    }
    match client.get("/plain-error").await.unwrap_err() {
        ClientError::Service { status, code, .. } => {
            assert_eq!((status, code.as_str()), (StatusCode::BAD_GATEWAY, "Bad Gateway"));
        }
        other => panic!("{other:?}"),
    }
    assert!(client.get("/absent").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn nobody_there() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let client = Client::new(Endpoint::from_url(&format!("http://{free}")).unwrap(), "t").unwrap();
    assert!(client.get("/").await.unwrap_err().is_connect());
}

#[tokio::test]
async fn answers_are_bounded_in_time_and_size() {
    let server = serve().await;
    let limits = Limits {
        request: Duration::from_millis(50),
        answer_bytes: 4096,
        ..Limits::default()
    };
    let client = server.client().with_limits(limits);
    assert!(matches!(
        client.get("/slow").await,
        Err(ClientError::Timeout { .. })
    ));
    assert!(matches!(client.get("/big").await, Err(ClientError::Http { .. })));
}

#[tokio::test]
async fn polls_operations_to_their_end() {
    let server = serve().await;
    let client = server.client();
    client
        .put_cluster(&workspace().cluster("works"), &json!({}))
        .await
        .unwrap();
    assert_eq!(
        server.seen.polls.load(Ordering::SeqCst),
        3,
        "two in progress, one succeeded"
    );
    match client
        .put_cluster(&workspace().cluster("fails"), &json!({}))
        .await
        .unwrap_err()
    {
        ClientError::Operation { status, code, .. } => assert_eq!((&*status, &*code), ("Failed", "NoRoom")),
        other => panic!("{other:?}"),
    }
    let short = server.client().with_limits(Limits {
        operation: Duration::from_millis(30),
        ..Limits::default()
    });
    let late = short
        .put_cluster(&workspace().cluster("endless"), &json!({}))
        .await;
    assert!(matches!(late, Err(ClientError::Timeout { .. })), "{late:?}");
}

#[tokio::test]
async fn reads_jobs_clusters_and_files() {
    let server = serve().await;
    let client = server.client();
    let path = workspace().experiment("e").job("j");
    let job = client.get_job(&path).await.unwrap();
    assert_eq!((job.state, job.exit_code), (JobState::Failed, Some(3)));
    assert_eq!(job.errors[0].code, "JobFailed");
    let cluster = client.get_cluster(&workspace().cluster("c")).await.unwrap();
    assert_eq!(
        (cluster.target, cluster.nodes, cluster.counts.idle),
        (Some(2), 2, 1)
    );
    let files = client.list_output_files(&path, "stdouterr").await.unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["dir", "stdout-1.txt"], "both pages");
}

#[tokio::test]
async fn lists_are_followed_on_the_same_server_only() {
    let server = serve().await;
    let client = server.client();
    for kind in ["own", "relative"] {
        assert_eq!(
            client.list(&format!("/list/{kind}?api-version=v")).await.unwrap(),
            [1, 2, 3]
        );
    }
    let port = server.url.rsplit_once(':').unwrap().1;
    let others = [
        "http:__elsewhere".to_owned(),
        format!("http:__elsewhere:{port}"),
        format!("https:__127.0.0.1:{port}"),
        "http:__127.0.0.1:1".to_owned(),
        format!("http:__127.0.0.1:{port}@elsewhere"),
    ];
    for other in others {
        let refused = client
            .list(&format!("/list/{other}?api-version=v"))
            .await
            .unwrap_err();
        assert!(
            matches!(refused, ClientError::Address { .. }),
            "{other}: {refused}"
        );
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
    let endless = client.list("/list/endless?api-version=v").await.unwrap_err();
    assert!(endless.to_string().contains("no end"), "{endless}");
}

#[tokio::test]
async fn downloads_without_the_token() {
    let server = serve().await;
    let client = server.client();
    let link = format!("{}/file?sig=abc", server.url);
    assert_eq!(&client.download(&link, None).await.unwrap()[..], b"0123456789");
    assert_eq!(&client.download(&link, Some(4)).await.unwrap()[..], b"456789");
    let end = client.download(&link, Some(10)).await.unwrap_err();
    assert!(
        !end.to_string().contains("abc"),
        "the signature stays out of messages: {end}"
    );
}

#[tokio::test]
async fn speaks_over_unix_sockets_with_long_paths() {
    let folder = tempfile::tempdir().unwrap();
    let long: PathBuf = folder.path().join("x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    // A listener cannot bind so long a path either: it binds a short one, which is then moved.
    let short = folder.path().join("s");
    let listener = UnixListener::bind(&short).unwrap();
    let socket = long.join("admin.sock");
    std::fs::rename(&short, &socket).unwrap();
    let mut tasks = JoinSet::new();
    let app = router(Arc::default());
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    let client = Client::new(Endpoint::Unix(socket), "secret").unwrap();
    let said: Value = client.put("/echo", None).await.unwrap().json().unwrap();
    assert_eq!(said["host"], "localhost");
}
