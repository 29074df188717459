//! Values that must never be seen: not in an answer, a log, a stored form or a debug print.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret in clear, in memory only.
///
/// It serialises to a mere `true`, so the stored form of a spec never holds it; the store seals secrets beside
/// the spec (see `spec::Secrets`) and fills them in again when a launch or a comparison needs them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value in.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value, for the one place that must have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bool::deserialize(deserializer).map(|_| Secret::default())
    }
}
