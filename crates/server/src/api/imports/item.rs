//! One item of a batch: an exported resource in the shape of a create body, and where it is to stand.

use serde::Deserialize;
use serde_json::Value;
use trainyard_domain::migrated;
use trainyard_domain::name::{GroupName, Name, Region, SubscriptionId, excerpt};
use trainyard_domain::resource_id::GroupPath;
use trainyard_domain::spec::{ClusterSpec, FileServerSpec, JobSpec, check_tags};
use trainyard_domain::state::{OutputLayout, Tags};
use trainyard_wire::Wish;
use trainyard_wire::imported::{self, JobEnd, Life};
use trainyard_wire::{ApiVersion, BadBody};

use crate::arm_error::ApiError;

/// An item as it comes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawItem {
    kind: Kind,
    resource_group: String,
    workspace: String,
    location: String,
    experiment: Option<String>,
    name: Option<String>,
    /// The api-version of the body.
    version: Option<String>,
    #[serde(default)]
    body: Value,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Workspace,
    Experiment,
    FileServer,
    Cluster,
    Job,
}

/// An item.
pub struct Item {
    /// Where it is to stand.
    pub place: Place,
    /// What is to stand there.
    pub thing: Thing,
}

/// A workspace, there or to be made.
pub struct Place {
    /// Its group.
    pub group: GroupPath,
    /// Its name.
    pub workspace: Name,
    /// Its region.
    pub region: Region,
}

/// What an item is about.
pub enum Thing {
    /// The workspace itself.
    Workspace(Tags),
    /// An experiment.
    Experiment(Name),
    /// A file server.
    FileServer(Box<Resource<FileServerSpec>>),
    /// A cluster.
    Cluster(Box<Resource<ClusterSpec>>),
    /// A job that is over, in its experiment.
    Job(Name, Box<Resource<JobSpec>>, Box<PastJob>),
}

/// A resource with a wish.
pub struct Resource<T> {
    /// Its name.
    pub name: Name,
    /// The wish; secrets that are in no export are empty.
    pub wish: T,
    /// The api-version that it comes in.
    pub version: ApiVersion,
    /// When it was made.
    pub life: Life,
    /// Members whose secret is in no export.
    pub missing: Vec<String>,
}

/// How a job ended.
pub struct PastJob {
    /// The end.
    pub end: JobEnd,
    /// Its output segment.
    pub segment: String,
    /// How the files lie beneath it.
    pub layout: OutputLayout,
}

impl Item {
    /// Only the flat api-versions take names with dots, so those may stand only where they look.
    fn check_dots(&self) -> Result<(), ApiError> {
        let Place {
            workspace, region, ..
        } = &self.place;
        let is_migrated = migrated::region_of(workspace).as_ref() == Some(region);
        let (experiment, name, is_flat) = match &self.thing {
            Thing::Workspace(_) => (None, None, false),
            Thing::Experiment(name) => (None, Some(name), false),
            Thing::FileServer(resource) => (None, Some(&resource.name), is_migrated),
            Thing::Cluster(resource) => (None, Some(&resource.name), is_migrated),
            Thing::Job(experiment, resource, _) => (
                Some(experiment),
                Some(&resource.name),
                is_migrated && migrated::is_experiment(experiment),
            ),
        };
        let always = [Some(workspace), experiment];
        let names = always.into_iter().chain([name.filter(|_| !is_flat)]);
        match names.flatten().find(|name| name.as_str().contains('.')) {
            None => Ok(()),
            Some(name) => Err(ApiError::invalid(
                "name",
                format!(
                    "A dot, as in '{name}', is legal only in names of resources of the older api-versions."
                ),
            )),
        }
    }
}

impl Thing {
    /// What an import of it cannot bring.
    pub fn missing(&self) -> Vec<String> {
        let missing = match self {
            Thing::FileServer(resource) => &resource.missing,
            Thing::Cluster(resource) => &resource.missing,
            // A job that is over needs its secrets no more.
            Thing::Workspace(_) | Thing::Experiment(_) | Thing::Job(..) => return Vec::new(),
        };
        if missing.is_empty() {
            return Vec::new();
        }
        let members: Vec<&str> = missing.iter().map(|at| short(at)).collect();
        vec![format!(
            "no export has secrets, these stay empty: {}",
            members.join(", ")
        )]
    }
}

fn short(path: &str) -> &str {
    path.strip_prefix("properties.").unwrap_or(path)
}

/// Why an item is left out, in words.
fn words(error: ApiError) -> String {
    let shown = error.show();
    match shown.target {
        Some(target) => format!("{}: {}", short(&target), shown.message),
        None => shown.message,
    }
}

impl RawItem {
    /// Reads an item, or says why it is left out.
    pub fn read(self, subscription: &SubscriptionId) -> Result<Item, String> {
        self.try_read(subscription).map_err(words)
    }

    fn try_read(mut self, subscription: &SubscriptionId) -> Result<Item, ApiError> {
        let place = Place {
            group: GroupPath {
                subscription: subscription.clone(),
                group: GroupName::new(&self.resource_group)?,
            },
            workspace: Name::new(&self.workspace, "workspace")?,
            region: Region::new(&self.location, "location")?,
        };
        let thing = match self.kind {
            Kind::Workspace => Thing::Workspace(self.tags()?),
            Kind::Experiment => Thing::Experiment(self.name()?),
            Kind::FileServer => {
                Thing::FileServer(self.resource(|body, version| version.file_server_create(body))?)
            }
            Kind::Cluster => Thing::Cluster(self.resource(|body, version| version.cluster_create(body))?),
            Kind::Job => {
                let experiment = self.experiment.as_deref().unwrap_or_default();
                let experiment = Name::new(experiment, "experiment")?;
                let past = self.past()?;
                let job = self.resource(|body, version| version.job_create(body))?;
                Thing::Job(experiment, job, Box::new(past))
            }
        };
        let item = Item { place, thing };
        item.check_dots()?;
        Ok(item)
    }

    fn name(&self) -> Result<Name, ApiError> {
        Ok(Name::new(self.name.as_deref().unwrap_or_default(), "name")?)
    }

    /// The api-version of the body; the last of the old service where none is named.
    fn version(&self) -> Result<ApiVersion, ApiError> {
        let Some(asked) = &self.version else {
            return Ok(ApiVersion::V2018_05_01);
        };
        ApiVersion::parse(asked).ok_or_else(|| ApiError::ApiVersion {
            asked: excerpt(asked),
        })
    }

    fn tags(&self) -> Result<Tags, ApiError> {
        let tags = self.body.get("tags").filter(|tags| !tags.is_null());
        let tags: Tags = tags
            .map(|tags| serde_json::from_value(tags.clone()))
            .transpose()
            .map_err(|_| ApiError::invalid("tags", "Tags are texts by name."))?
            .unwrap_or_default();
        check_tags(&tags)?;
        Ok(tags)
    }

    fn resource<T: trainyard_domain::spec::Secrets>(
        &mut self,
        read: impl FnOnce(&[u8], ApiVersion) -> Result<Wish<T>, BadBody>,
    ) -> Result<Box<Resource<T>>, ApiError> {
        let name = self.name()?;
        let life = imported::life(&self.body)?;
        let missing = imported::stand_in(&mut self.body);
        let version = self.version()?;
        let body = serde_json::to_vec(&self.body).map_err(|e| ApiError::Internal(Box::new(e)))?;
        let mut wish = read(&body, version)?.spec;
        imported::forget_stand_ins(&mut wish);
        Ok(Box::new(Resource {
            name,
            wish,
            version,
            life,
            missing,
        }))
    }

    fn past(&self) -> Result<PastJob, ApiError> {
        let end = imported::job_end(&self.body)?;
        let preview = self
            .body
            .get("previewLayout")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let segment = end.segment.clone().unwrap_or_default();
        let sound = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
        if segment.len() > 1024 || !segment.split('/').all(sound) {
            let message = "This is not a relative path of plain names.";
            return Err(ApiError::invalid("jobOutputDirectoryPathSegment", message));
        }
        Ok(PastJob {
            end,
            segment,
            layout: if preview {
                OutputLayout::Preview
            } else {
                OutputLayout::Usual
            },
        })
    }
}
