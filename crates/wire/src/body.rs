//! Reading request bodies: a JSON object and the path where it is.
//!
//! Members are matched exactly, unknown ones are tolerated, `null` counts as absent. Messages never repeat
//! what was sent in a member of a wrong type, since it may be a secret in a wrong place.

use std::fmt;

use serde_json::{Map, Value};
use trainyard_domain::invalid::Invalid;
use trainyard_domain::limits;
use trainyard_domain::name::excerpt;
use trainyard_domain::resource_id::ResourceId;

/// A request body that cannot be accepted: a 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} at '{target}': {message}")]
pub struct BadBody {
    /// What kind of mistake it is.
    pub code: BadCode,
    /// Full path of the member, such as `properties.mountVolumes.azureFileShares[0].relativeMountPath`;
    /// empty for the body as a whole.
    pub target: String,
    /// What was found and what to write instead.
    pub message: String,
}

/// The two codes of a bad body (errors.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadCode {
    /// Not JSON, or a member of a wrong type.
    InvalidRequestContent,
    /// Well-formed, but not acceptable.
    BadRequest,
}

impl BadCode {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            BadCode::InvalidRequestContent => "InvalidRequestContent",
            BadCode::BadRequest => "BadRequest",
        }
    }
}

impl fmt::Display for BadCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BadBody {
    /// Well-formed, but not acceptable.
    pub(crate) fn bad(target: impl Into<String>, message: impl Into<String>) -> BadBody {
        BadBody {
            code: BadCode::BadRequest,
            target: target.into(),
            message: message.into(),
        }
    }

    fn wrong_type(target: String, wanted: &str) -> BadBody {
        BadBody {
            code: BadCode::InvalidRequestContent,
            target,
            message: format!("This member has the wrong type. Write {wanted}."),
        }
    }
}

impl From<Invalid> for BadBody {
    fn from(invalid: Invalid) -> BadBody {
        BadBody::bad(invalid.target, invalid.message)
    }
}

/// The outcome of reading a body or a part of it.
pub(crate) type Read<T> = Result<T, BadBody>;

/// Reads a body as JSON.
pub(crate) fn json(body: &[u8]) -> Read<Value> {
    serde_json::from_slice(body).map_err(|error| BadBody {
        code: BadCode::InvalidRequestContent,
        target: String::new(),
        message: format!(
            "The body is not JSON (line {}, column {}). Write a JSON object.",
            error.line(),
            error.column()
        ),
    })
}

/// A JSON object of a request, or an absent one, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Object<'a> {
    members: Option<&'a Map<String, Value>>,
    path: String,
}

impl<'a> Object<'a> {
    /// The body as a whole.
    pub fn root(value: &'a Value) -> Read<Object<'a>> {
        Object::new(value, String::new())
    }

    fn new(value: &'a Value, path: String) -> Read<Object<'a>> {
        match value {
            Value::Object(members) => Ok(Object {
                members: Some(members),
                path,
            }),
            _ => Err(BadBody::wrong_type(path, "an object")),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path of a member.
    pub fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.members?.get(name).filter(|value| !value.is_null())
    }

    /// The mistake of a member that has to be there and is not.
    pub fn missing(&self, name: &str) -> BadBody {
        BadBody::bad(self.at(name), "This member is required. Write it.")
    }

    fn need<T>(&self, name: &str, value: Option<T>) -> Read<T> {
        value.ok_or_else(|| self.missing(name))
    }

    /// An object, or an absent one in its place, whose required members are then missing.
    pub fn object_or_absent(&self, name: &str) -> Read<Object<'a>> {
        Ok(self.object(name)?.unwrap_or_else(|| Object {
            members: None,
            path: self.at(name),
        }))
    }

    /// An object.
    pub fn object(&self, name: &str) -> Read<Option<Object<'a>>> {
        self.get(name)
            .map(|value| Object::new(value, self.at(name)))
            .transpose()
    }

    /// A required object.
    pub fn need_object(&self, name: &str) -> Read<Object<'a>> {
        self.need(name, self.object(name)?)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Read<Option<String>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(BadBody::wrong_type(self.at(name), "a string")),
        }
    }

    /// A required text.
    pub fn need_text(&self, name: &str) -> Read<String> {
        self.need(name, self.text(name)?)
    }

    /// A yes or no.
    pub fn flag(&self, name: &str) -> Read<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(BadBody::wrong_type(self.at(name), "true or false")),
        }
    }

    /// A whole number between bounds.
    fn number(&self, name: &str, least: i64, most: i64) -> Read<Option<i64>> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Value::Number(number)) if !number.is_f64() => number,
            Some(_) => return Err(BadBody::wrong_type(self.at(name), "a whole number")),
        };
        match number.as_i64() {
            Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
            _ => {
                let message = format!("{number} is out of range. Use {least} to {most}.");
                Err(BadBody::bad(self.at(name), message))
            }
        }
    }

    /// A number of things: 0 to the largest 32-bit integer.
    pub fn count(&self, name: &str) -> Read<Option<u32>> {
        let number = self.number(name, 0, i64::from(i32::MAX))?;
        Ok(number.and_then(|n| u32::try_from(n).ok()))
    }

    /// A required number of things.
    pub fn need_count(&self, name: &str) -> Read<u32> {
        self.need(name, self.count(name)?)
    }

    /// A 32-bit integer.
    pub fn int32(&self, name: &str) -> Read<Option<i32>> {
        let number = self.number(name, i64::from(i32::MIN), i64::from(i32::MAX))?;
        Ok(number.and_then(|n| i32::try_from(n).ok()))
    }

    /// A required 32-bit integer.
    pub fn need_int32(&self, name: &str) -> Read<i32> {
        self.need(name, self.int32(name)?)
    }

    /// A list, each entry read with its own path. Its length is bounded before anything is read.
    pub fn list<T>(&self, name: &str, read: impl Fn(Object<'a>) -> Read<T>) -> Read<Vec<T>> {
        self.entries(name)?
            .into_iter()
            .flatten()
            .map(|(value, at)| read(Object::new(value, at)?))
            .collect()
    }

    /// A list of texts.
    pub fn texts(&self, name: &str) -> Read<Option<Vec<String>>> {
        let text = |(value, at): (&Value, String)| match value {
            Value::String(text) => Ok(text.clone()),
            _ => Err(BadBody::wrong_type(at, "a string")),
        };
        self.entries(name)?
            .map(|entries| entries.into_iter().map(text).collect())
            .transpose()
    }

    fn entries(&self, name: &str) -> Read<Option<Vec<(&'a Value, String)>>> {
        let path = self.at(name);
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() > limits::LIST_ENTRIES => {
                let message = format!(
                    "This list has {} entries. Use at most {}.",
                    list.len(),
                    limits::LIST_ENTRIES
                );
                Err(BadBody::bad(path, message))
            }
            Some(Value::Array(list)) => {
                let with_path = |(i, value)| (value, format!("{path}[{i}]"));
                Ok(Some(list.iter().enumerate().map(with_path).collect()))
            }
            Some(_) => Err(BadBody::wrong_type(path, "a list")),
        }
    }

    /// A map of texts; members that are `null` are left out.
    pub fn text_map(&self, name: &str) -> Read<Option<std::collections::BTreeMap<String, String>>> {
        let Some(map) = self.object(name)? else {
            return Ok(None);
        };
        let names = map.members.into_iter().flat_map(Map::keys);
        let pairs = names.map(|name| {
            // The name is the sender's; keep what is shown of it short.
            let shown = Object {
                members: None,
                path: map.at(&excerpt(name)),
            };
            match map.get(name) {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some((name.clone(), text.clone()))),
                Some(_) => Err(BadBody::wrong_type(shown.path, "a string")),
            }
        });
        let pairs: Vec<Option<(String, String)>> = pairs.collect::<Read<_>>()?;
        Ok(Some(pairs.into_iter().flatten().collect()))
    }

    /// One of several words, in any case.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Read<Option<T>> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                let message = format!(
                    "'{}' is not known. Write one of {}.",
                    excerpt(&text),
                    words.join(", ")
                );
                Err(BadBody::bad(self.at(name), message))
            }
        }
    }

    /// The resource id in a text member.
    pub fn id_text(&self, name: &str) -> Read<Option<ResourceId>> {
        match self.text(name)? {
            None => Ok(None),
            Some(text) => Ok(Some(ResourceId::new(&text, &self.at(name))?)),
        }
    }

    /// The resource id in an object with the member `id`.
    pub fn id(&self, name: &str) -> Read<Option<ResourceId>> {
        match self.object(name)? {
            None => Ok(None),
            Some(object) => Ok(Some(object.need("id", object.id_text("id")?)?)),
        }
    }

    /// A required object with a resource id.
    pub fn need_id(&self, name: &str) -> Read<ResourceId> {
        self.need(name, self.id(name)?)
    }
}
