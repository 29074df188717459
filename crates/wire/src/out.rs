//! Writing JSON objects: members in the order in which they are added, absent ones left out.

use serde_json::{Map, Value};

/// A JSON object in the making.
#[derive(Debug, Default)]
pub(crate) struct Out(Map<String, Value>);

impl Out {
    /// An empty object.
    pub fn new() -> Out {
        Out::default()
    }

    /// A member.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Out {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A member that may have no value.
    pub fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Out {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// A list that is left out when empty.
    pub fn list<T>(self, name: &str, entries: &[T], write: impl Fn(&T) -> Value) -> Out {
        if entries.is_empty() {
            return self;
        }
        let values: Vec<Value> = entries.iter().map(write).collect();
        self.with(name, values)
    }

    /// An object that holds an id.
    pub fn id(self, name: &str, id: impl ToString) -> Out {
        self.with(name, Out::new().with("id", id.to_string()))
    }
}

impl From<Out> for Value {
    fn from(out: Out) -> Value {
        Value::Object(out.0)
    }
}
