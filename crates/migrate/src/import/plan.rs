//! From an export to the steps of an import.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::id::OldId;
use super::read::{Export, Kind, LeftOut, Resource};
use super::step::{Step, Target, item};
use crate::known::EXPERIMENT;

/// What the person wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// The subscription of the server.
    pub subscription: String,
    /// The group of everything; each resource's own where none is told.
    pub group: Option<String>,
    /// The region of what names none.
    pub location: Option<String>,
    /// How many nodes clusters have.
    pub scale: Scale,
}

/// How many nodes an imported cluster wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// None, until somebody resizes it or a job comes.
    #[default]
    Zero,
    /// As many as the old one.
    Keep,
}

/// What an import does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Id of the import: the same export and wishes give the same one.
    pub id: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What is not imported, and why.
    pub left_out: Vec<LeftOut>,
    /// What the person should know.
    pub warnings: Vec<String>,
}

/// Plans an import. Nothing depends on the order of files and entries but which of two different resources with one
/// id counts: the later.
pub fn plan(export: &Export, wishes: &Wishes) -> Plan {
    let mut plan = Plan {
        left_out: export.left_out.clone(),
        warnings: export.warnings.clone(),
        ..Plan::default()
    };
    let resources = plan.once_each(&export.resources);
    let places = Places::new(&resources, wishes);
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for resource in resources.values() {
        let old = resource.id.to_string();
        let step = places.step(resource).and_then(|step| {
            let key = place_key(resource, &step);
            match taken.get(&key) {
                Some(first) => Err(format!(
                    "{first} takes its place: there can be one {} of this name there",
                    step.kind.word()
                )),
                None => {
                    taken.insert(key, old.clone());
                    Ok(step)
                }
            }
        });
        match step {
            Ok(step) => plan.steps.push(step),
            Err(reason) => plan.left_out.push(LeftOut { what: old, reason }),
        }
    }
    plan.steps.sort_by_cached_key(order);
    plan.left_out.sort();
    plan.id = digest(&resources, wishes);
    plan
}

/// Flat resources of a kind have one name space in a group, whatever their region.
fn place_key(resource: &Resource, step: &Step) -> String {
    let key = match resource.id.is_flat() {
        true => format!(
            "{} {} {}",
            step.kind.word(),
            step.item["resourceGroup"],
            resource.id.name
        ),
        false => step.new.clone(),
    };
    format!("{} {key}", step.kind.word()).to_ascii_lowercase()
}

/// Parents first, jobs in the order in which they were made.
fn order(step: &Step) -> (Kind, Option<Timestamp>, String) {
    let created = step.item.pointer("/body/properties/creationTime");
    let created = created.and_then(Value::as_str).and_then(|text| text.parse().ok());
    (step.kind, created, step.new.clone())
}

impl Plan {
    fn once_each<'a>(&mut self, all: &'a [Resource]) -> BTreeMap<String, &'a Resource> {
        let mut found: BTreeMap<String, &Resource> = BTreeMap::new();
        for resource in all {
            if let Some(before) = found.insert(resource.id.key(), resource)
                && before != resource
            {
                let id = &resource.id;
                self.warnings
                    .push(format!("{id} is there twice and differs: the later one counts"));
            }
        }
        found
    }
}

/// Where everything is to stand.
struct Places<'a> {
    wishes: &'a Wishes,
    /// Regions of clusters, file servers and workspaces by the key of their id.
    regions: BTreeMap<String, &'a str>,
}

type Planned<T> = Result<T, String>;

impl<'a> Places<'a> {
    fn new(resources: &BTreeMap<String, &'a Resource>, wishes: &'a Wishes) -> Places<'a> {
        let region =
            |(key, resource): (&String, &&'a Resource)| Some((key.clone(), resource.location.as_deref()?));
        Places {
            wishes,
            regions: resources.iter().filter_map(region).collect(),
        }
    }

    fn step(&self, resource: &Resource) -> Planned<Step> {
        refuse_unfinished(resource)?;
        let mut properties = resource.properties.clone();
        let mut notes = Vec::new();
        let (target, experiment) = match resource.kind {
            Kind::Workspace => (self.workspace_itself(resource)?, None),
            Kind::Experiment => (self.in_workspace(&resource.id)?, None),
            Kind::FileServer => {
                notes.push("its files are not copied".to_owned());
                (self.target(resource, None)?, None)
            }
            Kind::Cluster => {
                let target = self.target(resource, None)?;
                notes.extend(scale(&mut properties, self.wishes.scale));
                (target, None)
            }
            Kind::Job => {
                let cluster = properties.pointer_text("cluster", "id");
                let experiment = resource.id.experiment.as_deref().unwrap_or(EXPERIMENT);
                (self.target(resource, cluster.as_deref())?, Some(experiment))
            }
        };
        self.rewrite_ids(&mut properties, &target);
        fill_values(&mut properties);
        if resource.id.is_flat() && resource.id.name.contains('.') {
            notes.push(
                "the dot in its name is legal in the older api-versions only: it is reached by those"
                    .to_owned(),
            );
        }
        let new = match experiment {
            Some(experiment) => format!(
                "{}/{}/{experiment}/{}",
                target.group, target.workspace, resource.id.name
            ),
            None if resource.kind == Kind::Workspace => format!("{}/{}", target.group, target.workspace),
            None => format!("{}/{}/{}", target.group, target.workspace, resource.id.name),
        };
        Ok(Step {
            kind: resource.kind,
            old: resource.id.to_string(),
            new,
            item: item(resource, &target, experiment, properties),
            notes,
        })
    }

    fn group(&self, id: &OldId) -> String {
        self.wishes.group.clone().unwrap_or_else(|| id.group.clone())
    }

    fn workspace_itself(&self, resource: &Resource) -> Planned<Target> {
        let location = resource.location.as_deref().or(self.wishes.location.as_deref());
        Ok(Target {
            group: self.group(&resource.id),
            workspace: resource.id.name.clone(),
            location: location
                .map(fold)
                .ok_or("it names no region: name one with --location")?,
        })
    }

    fn target(&self, resource: &Resource, cluster: Option<&str>) -> Planned<Target> {
        if !resource.id.is_flat() {
            return self.in_workspace(&resource.id);
        }
        let of_cluster = || self.regions.get(&OldId::parse(cluster?)?.key()).copied();
        let location = resource
            .location
            .as_deref()
            .or_else(of_cluster)
            .or(self.wishes.location.as_deref())
            .map(fold)
            .ok_or_else(|| match cluster {
                Some(cluster) => format!(
                    "it names no region, and its cluster {cluster} is not in the export: add the export of the \
                     clusters, or name a region with --location"
                ),
                None => "it names no region: name one with --location".to_owned(),
            })?;
        Ok(Target {
            group: self.group(&resource.id),
            workspace: format!("migrated-{location}"),
            location,
        })
    }

    fn in_workspace(&self, id: &OldId) -> Planned<Target> {
        let workspace = id.workspace.clone().unwrap_or_default();
        let own = OldId {
            workspace: None,
            experiment: None,
            kind: "workspaces".to_owned(),
            name: workspace.clone(),
            ..id.clone()
        };
        let known = self.regions.get(&own.key()).copied();
        let location = known.or(self.wishes.location.as_deref()).map(fold).ok_or_else(|| {
            format!(
                "the region of its workspace {workspace} is not in the export: add that of `az batchai workspace \
                 list`, or name a region with --location"
            )
        })?;
        Ok(Target {
            group: self.group(id),
            workspace,
            location,
        })
    }

    /// The id by which this server knows what an old id means, for something that stands at `user`.
    fn new_id(&self, text: &str, user: &Target) -> Option<String> {
        let id = OldId::parse(text)?;
        let workspace = id.workspace.clone().unwrap_or_else(|| {
            let region = self.regions.get(&id.key()).map(|region| fold(region));
            format!("migrated-{}", region.as_deref().unwrap_or(&user.location))
        });
        Some(
            OldId {
                subscription: self.wishes.subscription.clone(),
                group: self.group(&id),
                workspace: Some(workspace),
                ..id
            }
            .to_string(),
        )
    }

    fn rewrite_ids(&self, properties: &mut Map<String, Value>, user: &Target) {
        let rewrite = |id: Option<&mut Value>| {
            if let Some(id) = id
                && let Some(new) = id.as_str().and_then(|text| self.new_id(text, user))
            {
                *id = new.into();
            }
        };
        rewrite(
            properties
                .get_mut("cluster")
                .and_then(|cluster| cluster.get_mut("id")),
        );
        for volumes in volumes(properties) {
            let servers = volumes.get_mut("fileServers").and_then(Value::as_array_mut);
            for server in servers.into_iter().flatten() {
                rewrite(server.pointer_mut("/fileServer/id"));
            }
        }
    }
}

/// The volumes of a cluster and of a job.
fn volumes(properties: &mut Map<String, Value>) -> Vec<&mut Value> {
    let mut found = Vec::new();
    for (name, value) in properties.iter_mut() {
        match name.as_str() {
            "mountVolumes" => found.push(value),
            "nodeSetup" => found.extend(value.get_mut("mountVolumes")),
            _ => {}
        }
    }
    found
}

trait PointerText {
    fn pointer_text(&self, outer: &str, inner: &str) -> Option<String>;
}

impl PointerText for Map<String, Value> {
    fn pointer_text(&self, outer: &str, inner: &str) -> Option<String> {
        Some(self.get(outer)?.get(inner)?.as_str()?.to_owned())
    }
}

/// What was on its way when the export was made has no end to import.
fn refuse_unfinished(resource: &Resource) -> Planned<()> {
    let text = |name: &str| {
        resource
            .properties
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if text("provisioningState").eq_ignore_ascii_case("deleting") {
        return Err("it was being deleted".to_owned());
    }
    if resource.kind != Kind::Job {
        return Ok(());
    }
    let state = text("executionState").to_ascii_lowercase();
    match state.as_str() {
        "succeeded" | "failed" => Ok(()),
        "" => Err("the export does not say how it ended: it has no executionState".to_owned()),
        _ => Err(format!(
            "it was {state} when the export was made: export it again when it is over, or submit it anew"
        )),
    }
}

/// Takes the nodes away from scale settings; says how many there were.
fn scale(properties: &mut Map<String, Value>, wish: Scale) -> Option<String> {
    let settings = properties.get_mut("scaleSettings")?;
    let count = |settings: &Value, at: &str| settings.pointer(at).and_then(Value::as_u64).unwrap_or(0);
    if settings.get("autoScale").is_some() {
        let least = count(settings, "/autoScale/minimumNodeCount");
        let most = count(settings, "/autoScale/maximumNodeCount");
        if wish == Scale::Zero {
            // What has another shape is refused by the server.
            if let Some(Value::Object(bounds)) = settings.get_mut("autoScale") {
                bounds.insert("minimumNodeCount".to_owned(), json!(0));
                bounds.insert("initialNodeCount".to_owned(), json!(0));
            }
            return (least > 0).then(|| format!("auto-scale from 0 instead of {least} to {most} nodes"));
        }
        return Some(format!(
            "auto-scale from {least} to {most} nodes, which start at once"
        ));
    }
    let nodes = count(settings, "/manual/targetNodeCount");
    if nodes == 0 {
        return None;
    }
    if wish == Scale::Zero {
        settings["manual"]["targetNodeCount"] = json!(0);
        return Some(format!("no nodes; the old one wanted {nodes}"));
    }
    Some(format!("{nodes} nodes, which start at once"))
}

/// In the earliest version a variable could have no value.
fn fill_values(properties: &mut Map<String, Value>) {
    let of_task = |setup: &mut Value| -> Option<Value> {
        let variables = setup.pointer_mut("/setupTask/environmentVariables")?;
        Some(std::mem::take(variables))
    };
    if let Some(variables) = properties.get_mut("environmentVariables") {
        fill_list(variables);
    }
    if let Some(setup) = properties.get_mut("nodeSetup")
        && let Some(mut variables) = of_task(setup)
    {
        fill_list(&mut variables);
        setup["setupTask"]["environmentVariables"] = variables;
    }
}

fn fill_list(variables: &mut Value) {
    for variable in variables.as_array_mut().into_iter().flatten() {
        if let Some(variable) = variable.as_object_mut() {
            variable.entry("value").or_insert_with(|| "".into());
        }
    }
}

/// A region as names have it: `East US` is `eastus`.
fn fold(region: &str) -> String {
    region.replace(' ', "").to_ascii_lowercase()
}

/// Hexadecimal digits of an import's id.
const ID_DIGITS: usize = 16;

fn digest(resources: &BTreeMap<String, &Resource>, wishes: &Wishes) -> String {
    let mut hash = Sha256::new();
    let mut put = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    put(&wishes.subscription.to_ascii_lowercase());
    put(wishes.group.as_deref().unwrap_or_default());
    put(wishes.location.as_deref().unwrap_or_default());
    for (key, resource) in resources {
        put(key);
        put(resource.location.as_deref().unwrap_or_default());
        put(&sorted(&Value::Object(resource.tags.clone())).to_string());
        put(&sorted(&Value::Object(resource.properties.clone())).to_string());
    }
    let bytes: [u8; 32] = hash.finalize().into();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..ID_DIGITS].to_owned()
}

/// With the members of every object in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&String, Value> = members
                .iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            members
                .into_iter()
                .map(|(name, value)| (name.clone(), value))
                .collect()
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
