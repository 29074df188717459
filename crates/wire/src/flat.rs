//! What the flat api-versions (2017-09-01-preview, 2018-03-01) share: resources stand right beneath their group,
//! have a location and tags of their own, and know less than 2018-05-01 does (api.md sections 4 and 5).
//!
//! A body is cut down to what its version knows and then read as 2018-05-01 reads it; an answer is written as
//! 2018-05-01 writes it and then cut down in the same way. What is said otherwise is put in its place.

use serde_json::{Map, Value};
use trainyard_domain::name::Region;
use trainyard_domain::resource_id::ResourceId;
use trainyard_domain::spec::Scale;
use trainyard_domain::state::Tags;

use crate::body::{Object, Read};
use crate::resources::region_and_tags;

/// What a flat body asks for, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The region: it says in which workspace the resource lives.
    pub region: Region,
    /// The wish.
    pub spec: T,
}

/// What a PATCH of a cluster changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterUpdate {
    /// New scale settings.
    pub scale: Option<Scale>,
    /// New tags, in the flat api-versions.
    pub tags: Option<Tags>,
}

/// A member by the names on its way; `*` stands for each entry of a list.
pub(crate) type Member = &'static [&'static str];

/// Reads a flat PUT: location, tags, and the rest from what is left without the `unknown` members.
pub(crate) fn create<T>(
    mut body: Value,
    unknown: &[Member],
    read: impl FnOnce(&Object<'_>, Tags) -> Read<T>,
) -> Read<Located<T>> {
    cut(&mut body, unknown);
    let body = Object::root(&body)?;
    let (region, tags) = region_and_tags(&body)?;
    let spec = read(&body, tags)?;
    Ok(Located { region, spec })
}

/// Takes members out, wherever they are.
pub(crate) fn cut(value: &mut Value, unknown: &[Member]) {
    for member in unknown {
        if let Some((last, way)) = member.split_last() {
            at(value, way, &mut |object| {
                object.shift_remove(*last);
            });
        }
    }
}

/// Does something with every object at the end of a way.
pub(crate) fn at(value: &mut Value, way: &[&str], work: &mut dyn FnMut(&mut Map<String, Value>)) {
    match (way.split_first(), value) {
        (None, Value::Object(object)) => work(object),
        (Some((&"*", rest)), Value::Array(entries)) => {
            entries.iter_mut().for_each(|entry| at(entry, rest, work));
        }
        (Some((name, rest)), Value::Object(object)) => {
            if let Some(value) = object.get_mut(*name) {
                at(value, rest, work);
            }
        }
        (None | Some(_), _) => {}
    }
}

/// Gives a member another name and value, in the same place.
pub(crate) fn replace(
    object: &mut Map<String, Value>,
    name: &str,
    new: &str,
    value: impl FnOnce(Value) -> Value,
) {
    let Some(place) = object.keys().position(|key| key == name) else {
        return;
    };
    if let Some(old) = object.shift_remove(name) {
        object.shift_insert(place, new.to_owned(), value(old));
    }
}

/// Writes the id in `id` as the flat api-versions do.
pub(crate) fn flatten_id(object: &mut Map<String, Value>) {
    let id = object.get("id").and_then(Value::as_str);
    if let Some(id) = id.and_then(|text| ResourceId::new(text, "id").ok()) {
        object.insert("id".to_owned(), id.flattened().as_str().into());
    }
}

/// Makes a resource of 2018-05-01 a flat one: id, type, location and tags.
pub(crate) fn resource(value: &mut Value, id: String, kind: &str, region: Option<&Region>, tags: &Tags) {
    let Value::Object(resource) = value else { return };
    resource.insert("id".to_owned(), id.into());
    resource.insert("type".to_owned(), format!("Microsoft.BatchAI/{kind}").into());
    let properties = resource.shift_remove("properties");
    if let Some(region) = region {
        resource.insert("location".to_owned(), region.as_str().into());
    }
    if !tags.is_empty() {
        let text = |(name, value): (&String, &String)| (name.clone(), Value::from(value.as_str()));
        resource.insert("tags".to_owned(), Value::Object(tags.iter().map(text).collect()));
    }
    resource.extend(properties.map(|properties| ("properties".to_owned(), properties)));
}
