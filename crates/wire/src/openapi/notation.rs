//! The notation of the tables.
//!
//! ```text
//! models! {
//!     Name "What it is." {
//!         member presence kind => "What it means.";
//!     }
//! }
//! ```
//!
//! `Name : Base` has all of `Base` as well. `Name like Other` has the members of `Other` as well, none of
//! which is required: it is what the service answers where `Other` was asked.

use serde_json::{Map, Value, json};

/// An object with named members.
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// The model of which it has all.
    pub base: Option<&'static str>,
    /// The model whose members it has, none of them required.
    pub like: Option<&'static str>,
    /// What it is.
    pub about: &'static str,
    /// Its own members.
    pub members: Vec<Member>,
}

/// A member of a model.
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// Who writes it.
    pub presence: Presence,
    /// What it holds.
    pub kind: Kind,
    /// What it means.
    pub about: &'static str,
}

/// Who writes a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(non_camel_case_types, reason = "words of the tables")]
pub enum Presence {
    /// The caller, always.
    need,
    /// The caller, or the service where the caller left it out.
    may,
    /// The service; ignored in requests.
    read,
    /// The caller; never in an answer.
    secret,
}

/// What a member holds: a schema without its description.
#[derive(Debug, Clone)]
pub struct Kind(Value);

impl Kind {
    /// With the value that an absent member has.
    pub fn default(mut self, value: impl Into<Value>) -> Kind {
        self.0["default"] = value.into();
        self
    }

    /// With a description.
    pub fn about(mut self, text: &str) -> Kind {
        self.0["description"] = text.into();
        self
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Value {
        kind.0
    }
}

/// A text.
pub fn text() -> Kind {
    Kind(json!({"type": "string"}))
}

/// A time, RFC 3339.
pub fn time() -> Kind {
    Kind(json!({"type": "string", "format": "date-time"}))
}

/// A length of time, ISO 8601.
pub fn duration() -> Kind {
    Kind(json!({"type": "string", "format": "duration"}))
}

/// A whole number of 32 bits.
pub fn int32() -> Kind {
    Kind(json!({"type": "integer", "format": "int32"}))
}

/// A whole number of 64 bits.
pub fn int64() -> Kind {
    Kind(json!({"type": "integer", "format": "int64"}))
}

/// True or false.
pub fn flag() -> Kind {
    Kind(json!({"type": "boolean"}))
}

/// An object of which nothing is said.
pub fn object() -> Kind {
    Kind(json!({"type": "object"}))
}

/// Texts by name.
pub fn tags() -> Kind {
    Kind(json!({"type": "object", "additionalProperties": {"type": "string"}}))
}

/// Another model.
pub fn of(model: &str) -> Kind {
    Kind(json!({"$ref": format!("#/components/schemas/{model}")}))
}

/// A list.
pub fn list(entry: Kind) -> Kind {
    Kind(json!({"type": "array", "items": entry.0}))
}

/// One of some words; a reader must be ready for others in a later version.
pub fn open(name: &str, words: &[&str]) -> Kind {
    one_of(name, words, true)
}

/// One of some words and no other, ever.
pub fn closed(name: &str, words: &[&str]) -> Kind {
    one_of(name, words, false)
}

fn one_of(name: &str, words: &[&str], open: bool) -> Kind {
    Kind(json!({"type": "string", "enum": words, "x-ms-enum": {"name": name, "modelAsString": open}}))
}

/// The schema of a model; `all` are those it may be like.
pub fn schema(model: &Model, all: &[Model]) -> Value {
    let mut schema = json!({"type": "object", "description": model.about});
    if let Some(base) = model.base {
        schema["allOf"] = json!([of(base).0]);
    }
    let other = model.like.and_then(|like| all.iter().find(|m| m.name == like));
    let needed: Vec<&str> = model
        .members
        .iter()
        .filter(|member| member.presence == Presence::need)
        .map(|member| member.name)
        .collect();
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    let members: Map<String, Value> = other
        .into_iter()
        .flat_map(|other| &other.members)
        .chain(&model.members)
        .map(|member| (member.name.to_owned(), member_schema(member)))
        .collect();
    schema["properties"] = Value::Object(members);
    schema
}

fn member_schema(member: &Member) -> Value {
    let mut schema = member.kind.0.clone();
    // Beside a reference nothing else counts in OpenAPI 3.0.
    if let Some(members) = schema.as_object_mut()
        && let Some(reference) = members.remove("$ref")
    {
        members.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
    }
    schema["description"] = member.about.into();
    match member.presence {
        Presence::need | Presence::may => {}
        Presence::read => schema["readOnly"] = true.into(),
        Presence::secret => schema["writeOnly"] = true.into(),
    }
    // The vendor's generator shows what is inside as members of the resource itself.
    if member.name == "properties" {
        schema["x-ms-client-flatten"] = true.into();
    }
    schema
}

/// Reads a table, see the top of this file.
macro_rules! models {
    ($($name:ident $(: $base:ident)? $(like $like:ident)? $about:literal {
        $($member:ident $presence:ident $kind:expr => $meaning:literal;)*
    })*) => {
        /// The models of this table.
        pub fn models() -> Vec<$crate::openapi::notation::Model> {
            use $crate::openapi::notation::{Member, Model, Presence};
            vec![$(Model {
                name: stringify!($name),
                base: [$(stringify!($base))?].first().copied(),
                like: [$(stringify!($like))?].first().copied(),
                about: $about,
                members: vec![$(Member {
                    name: stringify!($member),
                    presence: Presence::$presence,
                    kind: $kind,
                    about: $meaning,
                }),*],
            }),*]
        }
    };
}

pub(super) use models;
