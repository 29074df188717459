//! Exports: JSON of `az batchai … list` or `show`, and of the service's own lists.

use serde_json::{Map, Value};

use super::form;
use super::id::OldId;

/// What was found in exports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Export {
    /// What was understood.
    pub resources: Vec<Resource>,
    /// What was not.
    pub left_out: Vec<LeftOut>,
    /// What the person should know.
    pub warnings: Vec<String>,
}

/// What kind of resource it is, in the order of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A workspace.
    Workspace,
    /// An experiment.
    Experiment,
    /// A file server.
    FileServer,
    /// A cluster.
    Cluster,
    /// A job.
    Job,
}

/// An exported resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// What kind.
    pub kind: Kind,
    /// Its id.
    pub id: OldId,
    /// Its region, where it says one.
    pub location: Option<String>,
    /// Its tags.
    pub tags: Map<String, Value>,
    /// Its properties, as the service writes them.
    pub properties: Map<String, Value>,
}

/// Something that is not imported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// What: an id, or a place in a file.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// Why a text is no export.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No JSON.
    #[error(
        "{file} is not JSON: save what `az batchai cluster list -o json` prints, or a list of the service"
    )]
    Json {
        /// Which file.
        file: String,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
}

impl Kind {
    /// All of them, in the order of an import.
    pub const ALL: [Kind; 5] = [
        Kind::Workspace,
        Kind::Experiment,
        Kind::FileServer,
        Kind::Cluster,
        Kind::Job,
    ];

    /// As an import's item names it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Workspace => "workspace",
            Kind::Experiment => "experiment",
            Kind::FileServer => "fileServer",
            Kind::Cluster => "cluster",
            Kind::Job => "job",
        }
    }

    /// For people, many of them.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Workspace => "workspaces",
            Kind::Experiment => "experiments",
            Kind::FileServer => "file servers",
            Kind::Cluster => "clusters",
            Kind::Job => "jobs",
        }
    }

    fn of(id: &OldId) -> Option<Kind> {
        Some(match id.kind.as_str() {
            "workspaces" => Kind::Workspace,
            "experiments" => Kind::Experiment,
            "fileservers" => Kind::FileServer,
            "clusters" => Kind::Cluster,
            "jobs" => Kind::Job,
            _ => return None,
        })
    }
}

impl Export {
    /// Takes in what another file holds.
    pub fn extend(&mut self, other: Export) {
        self.resources.extend(other.resources);
        self.left_out.extend(other.left_out);
        self.warnings.extend(other.warnings);
    }
}

/// Reads the text of a file: one JSON document, or several behind one another.
///
/// # Errors
/// It is not JSON.
pub fn read(file: &str, text: &str) -> Result<Export, ReadError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut export = Export::default();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|source| ReadError::Json {
            file: file.to_owned(),
            source,
        })?;
        export.extend(read_value(file, &value));
    }
    if export.resources.is_empty() && export.left_out.is_empty() {
        export.warnings.push(format!("there is nothing in {file}"));
    }
    Ok(export)
}

/// Reads a document: a list, a page of the service, or a single resource.
pub fn read_value(file: &str, value: &Value) -> Export {
    let mut export = Export::default();
    let single = std::slice::from_ref(value);
    let entries = match value {
        Value::Array(entries) => entries.as_slice(),
        Value::Object(page) => match page.get("value") {
            Some(Value::Array(entries)) => {
                if page.get("nextLink").is_some_and(|link| !link.is_null()) {
                    export.warnings.push(format!(
                        "{file} is one page of a longer list: the resources of the pages behind it are not in it"
                    ));
                }
                entries.as_slice()
            }
            _ => single,
        },
        _ => single,
    };
    for (i, entry) in entries.iter().enumerate() {
        match resource(entry) {
            Ok(resource) => export.resources.push(resource),
            Err(reason) => {
                let id = entry.get("id").and_then(Value::as_str);
                let what = id.map_or_else(|| format!("{file}, entry {}", i + 1), str::to_owned);
                let reason = reason.to_owned();
                export.left_out.push(LeftOut { what, reason });
            }
        }
    }
    export
}

/// How deep a resource may be nested. The server reads as deep as this crate does, and what it is sent lies a little
/// deeper than what was read: one resource too deep would have it refuse the whole batch.
const DEEPEST: usize = 64;

fn is_deeper(value: &Value, than: usize) -> bool {
    let beneath = |value: &Value| than == 0 || is_deeper(value, than - 1);
    match value {
        Value::Object(members) => members.values().any(beneath),
        Value::Array(entries) => entries.iter().any(beneath),
        _ => false,
    }
}

fn resource(entry: &Value) -> Result<Resource, &'static str> {
    if is_deeper(entry, DEEPEST) {
        return Err("it is nested deeper than any resource of Batch AI");
    }
    let members = entry
        .as_object()
        .ok_or("it is not a resource: it is no JSON object")?;
    let id = members.get("id").and_then(Value::as_str);
    let id = id.ok_or("it is not a resource: it has no id")?;
    let id = OldId::parse(id).ok_or("its id is none of Batch AI's")?;
    let kind = Kind::of(&id).ok_or("its id is none of Batch AI's")?;
    let location = members.get("location").and_then(Value::as_str);
    let tags = members.get("tags").and_then(Value::as_object);
    Ok(Resource {
        kind,
        id,
        location: location.filter(|text| !text.is_empty()).map(str::to_owned),
        tags: tags.cloned().unwrap_or_default(),
        properties: form::properties(members),
    })
}
