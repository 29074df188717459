//! Output files: listed while a job runs, after it, and after its cluster is gone (behaviour.md section 7).

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use trainyard_domain::launch::{STDOUTERR, key_of};
use trainyard_domain::limits;
use trainyard_domain::name::excerpt;
use trainyard_domain::secret::Secret;
use trainyard_domain::spec::SecretSource;
use trainyard_domain::state::{Job, OutputPlace, Share, ShareKind};
use trainyard_storage::ranges::{self, RangeAnswer};
use trainyard_storage::{
    AccountName, At, EntryKind, Kind as StorageKind, Listing, Page, Place, RelativePath, Remote, ShareName,
    StorageError,
};
use trainyard_wire::{ApiVersion, v2018_05_01 as wire};

use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply, http_date};

/// How much of a file is read at a time.
const CHUNK: usize = 64 * 1024;

/// Jobs_ListOutputFiles.
pub async fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.job_place()?, call.name("jobName")?);
    let (least, most, usual) = limits::LINK_MINUTES;
    let minutes = call
        .query
        .number("linkexpiryinminutes", least, most)?
        .unwrap_or(usual);
    let size = call.page_size()?;
    let id = call
        .query
        .get("outputdirectoryid")
        .filter(|id| !id.is_empty())
        .ok_or_else(|| ApiError::invalid("outputdirectoryid", "Name the output directory, or stdouterr."))?;
    let job = app.read(|s| super::jobs::find(s, &place, &name))?;
    let is_standard = id.eq_ignore_ascii_case(STDOUTERR);
    let place = place_of(&job, id)?;
    let store = store_of(app, &job, &place).await?;
    let directory = call
        .query
        .get("directory")
        .filter(|_| call.version != ApiVersion::V2017_09_01Preview)
        .filter(|d| !d.is_empty())
        .unwrap_or(".");
    let after = call.skip_token().map(page_token).transpose()?;
    let page = Page::new(after, usize::try_from(size).unwrap_or(usize::MAX));
    let listing = list_place(app, store.as_ref(), place, directory, page).await?;
    let expires = app.now() + SignedDuration::from_mins(i64::from(minutes));
    // The first version had no execution log; a file of the same name elsewhere is the job's own.
    let hides_log = is_standard && call.version == ApiVersion::V2017_09_01Preview;
    let entries = listing
        .entries
        .iter()
        .filter(|entry| !(hides_log && is_execution_log(&entry.name)))
        .map(|entry| {
            let kind = match entry.kind {
                EntryKind::Directory => wire::FileKind::Directory,
                EntryKind::File { len, modified } => {
                    let place = listing
                        .directory
                        .join(&entry.name)
                        .map_err(|e| storage(e.into(), "directory"))?;
                    let download_url = link(app, call, store.as_deref(), &place, expires);
                    wire::FileKind::File {
                        download_url,
                        modified,
                        length: len,
                    }
                }
            };
            Ok(wire::FileEntry {
                name: entry.name.clone(),
                kind,
            })
        })
        .collect::<Result<Vec<_>, ApiError>>()?;
    let next = listing
        .next
        .map(|name| call.next_link(&URL_SAFE_NO_PAD.encode(name)));
    Ok(Reply::ok(call.version.files(&entries, next.as_deref())))
}

/// The store in which a place of a job is; none where it is on this machine.
async fn store_of(app: &App, job: &Job, place: &Place) -> Result<Option<Arc<Remote>>, ApiError> {
    match app.ports.accounts.at(&place.account) {
        At::Here => Ok(None),
        At::Elsewhere(remote) => Ok(Some(Arc::clone(remote))),
        At::ElsewhereByKey => {
            let lacks = |why: &str| {
                let (account, why) = (place.account.clone(), why.into());
                ApiError::StoreRefused(StorageError::NoKey { account, why })
            };
            let gone = "What mounted it is gone, and its key with it.";
            let key = key_of_place(app, job, place)?.ok_or_else(|| lacks(gone))?;
            let key = in_clear(app, key).await.map_err(|why| lacks(&why))?;
            let remote = app.ports.accounts.by_key(&place.account, key.reveal());
            remote
                .map(Some)
                .ok_or_else(|| lacks("The accountKey that came with the volume is no key in base64."))
        }
    }
}

/// The key that came with the volume of the job, or of its cluster, in which a place is.
fn key_of_place(app: &App, job: &Job, place: &Place) -> Result<Option<SecretSource>, ApiError> {
    let share = Share {
        account: place.account.to_string(),
        kind: match place.kind {
            StorageKind::FileShare => ShareKind::File,
            StorageKind::BlobContainer => ShareKind::Blob,
        },
        name: place.share.to_string(),
    };
    app.read(|s| {
        let own = s.job_secrets(job)?.mount_volumes;
        if let Some(key) = own.and_then(|volumes| key_of(&volumes, &share).cloned()) {
            return Ok(Some(key));
        }
        let Some(cluster) = s.cluster_by_uid(job.cluster)? else {
            return Ok(None);
        };
        let setup = s.cluster_secrets(&cluster)?.node_setup;
        let volumes = setup.and_then(|setup| setup.mount_volumes);
        Ok(volumes.and_then(|volumes| key_of(&volumes, &share).cloned()))
    })
}

async fn in_clear(app: &App, key: SecretSource) -> Result<Secret, String> {
    let reference = match key {
        SecretSource::Value(key) => return Ok(key),
        SecretSource::Vault(reference) => reference,
    };
    let unset = "Its key is in a key vault, and this server fetches nothing from key vaults.";
    let vaults = app.ports.vaults.as_ref().ok_or(unset)?;
    let (told, fetched) = tokio::sync::oneshot::channel();
    let done = move |fetched| drop(told.send(fetched));
    vaults.ask(vec![reference], Box::new(done));
    let ended = |_| "The server is ending.".to_owned();
    match fetched.await.map_err(ended)? {
        Ok(mut keys) => keys.pop().ok_or_else(|| unset.to_owned()),
        Err((_, error)) => Err(format!("Its key could not be had from its key vault: {error}.")),
    }
}

/// A page of a directory. A store elsewhere is asked beside the threads that answer requests, since it may take its
/// time.
async fn list_place(
    app: &App,
    store: Option<&Arc<Remote>>,
    place: Place,
    directory: &str,
    page: Page,
) -> Result<Listing, ApiError> {
    let listing = match store {
        None => app.ports.accounts.list(&place, directory, &page),
        Some(remote) => {
            let (remote, directory, now) = (Arc::clone(remote), directory.to_owned(), app.now());
            let asked = tokio::task::spawn_blocking(move || remote.list(&place, &directory, &page, now));
            asked.await.map_err(|error| ApiError::Internal(Box::new(error)))?
        }
    };
    listing.map_err(|e| storage(e, "directory"))
}

/// The link to a file: to this server, or to the store that has it.
fn link(app: &App, call: &Call, store: Option<&Remote>, file: &Place, expires: Timestamp) -> String {
    match store {
        None => format!("{}{}", call.base, app.ports.link_key.sign(file, expires)),
        Some(remote) => remote.link(file, app.now(), expires),
    }
}

fn is_execution_log(name: &str) -> bool {
    name == "execution.log" || (name.starts_with("execution-") && name.ends_with(".log"))
}

fn page_token(text: &str) -> Result<String, ApiError> {
    let name = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| {
        ApiError::invalid(
            "$skiptoken",
            "The page token is not valid. Follow nextLink as it was given.",
        )
    })
}

/// Where an output directory lies.
fn place_of(job: &Job, id: &str) -> Result<Place, ApiError> {
    let known = std::iter::once(STDOUTERR).chain(job.spec.output_directories.iter().map(|d| d.id.as_str()));
    let Some(id) = known.into_iter().find(|known| known.eq_ignore_ascii_case(id)) else {
        return Err(ApiError::invalid(
            "outputdirectoryid",
            format!(
                "The job has no output directory '{}'. Use stdouterr or an id of its outputDirectories.",
                excerpt(id)
            ),
        ));
    };
    let place = job
        .status
        .outputs
        .get(id)
        .ok_or_else(|| ApiError::NotOnMountRoot { id: id.to_owned() })?;
    storage_place(place)
}

fn storage_place(place: &OutputPlace) -> Result<Place, ApiError> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| ApiError::Internal(error);
    Ok(Place {
        account: AccountName::new(&place.share.account).map_err(|e| damaged(Box::new(e)))?,
        kind: match place.share.kind {
            ShareKind::File => StorageKind::FileShare,
            ShareKind::Blob => StorageKind::BlobContainer,
        },
        share: ShareName::new(&place.share.name).map_err(|e| damaged(Box::new(e)))?,
        path: RelativePath::parse(&place.path).map_err(|e| damaged(Box::new(e)))?,
    })
}

fn storage(error: StorageError, target: &str) -> ApiError {
    match error {
        StorageError::BadPath(_)
        | StorageError::Outside(_)
        | StorageError::NotADirectory(_)
        | StorageError::NotAFile(_)
        | StorageError::Elsewhere(_) => ApiError::invalid(target, error.to_string()),
        StorageError::NotFound(place) => ApiError::not_found(Kind::File, place),
        StorageError::Unreachable { .. } => ApiError::StoreUnreachable(error),
        StorageError::Refused { .. } | StorageError::NoKey { .. } => ApiError::StoreRefused(error),
        StorageError::Io { .. } => ApiError::Internal(Box::new(error)),
    }
}

/// GET or HEAD of a signed link: the whole file, or one range of it.
pub fn download(app: &App, parts: &Parts) -> Result<Reply, ApiError> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(ApiError::Method {
            method: parts.method.to_string(),
            allowed: "GET, HEAD".to_owned(),
        });
    }
    let query = parts.uri.query().unwrap_or("");
    let place = app
        .ports
        .link_key
        .verify(parts.uri.path(), query, app.now())
        .map_err(ApiError::Link)?;
    let file = app.ports.accounts.open(&place).map_err(|e| storage(e, "path"))?;
    let range = parts
        .headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let answer = ranges::parse(range, file.len);
    let (status, start, length) = match answer {
        RangeAnswer::Full => (StatusCode::OK, 0, file.len),
        RangeAnswer::Part { start, end_inclusive } => {
            (StatusCode::PARTIAL_CONTENT, start, end_inclusive - start + 1)
        }
        RangeAnswer::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let body = if length == 0 || parts.method == Method::HEAD {
        Body::empty()
    } else {
        let mut source = file.file;
        source
            .seek(SeekFrom::Start(start))
            .map_err(|e| ApiError::Internal(Box::new(e)))?;
        Body::from_stream(stream::iter(Chunks { source, left: length }))
    };
    let mut reply = Reply::body(status, body)
        .header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        )
        .header(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"))
        .header(header::CONTENT_LENGTH, HeaderValue::from(length))
        .text_header(header::LAST_MODIFIED, &http_date(file.modified));
    if let Some(range) = answer.content_range(file.len) {
        reply = reply.text_header(header::CONTENT_RANGE, &range);
    }
    Ok(reply)
}

/// A part of a file, chunk by chunk. A file that shrinks meanwhile breaks the answer off.
struct Chunks {
    source: std::fs::File,
    left: u64,
}

impl Iterator for Chunks {
    type Item = Result<Bytes, std::io::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let size = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut chunk = vec![0; size];
        match self.source.read(&mut chunk) {
            Ok(0) => {
                self.left = 0;
                Some(Err(std::io::ErrorKind::UnexpectedEof.into()))
            }
            Ok(read) => {
                chunk.truncate(read);
                self.left -= read as u64;
                Some(Ok(Bytes::from(chunk)))
            }
            Err(error) => {
                self.left = 0;
                Some(Err(error))
            }
        }
    }
}
