//! File servers.

use trainyard_domain::spec::FileServerSpec;

use crate::body::{BadBody, json};
use crate::flat::{Located, Member};
use crate::v2018_03_01 as newer;

/// Caching is shown and can't be asked for.
const UNKNOWN: &[Member] = &[&["properties", "dataDisks", "cachingType"]];

/// Reads the body of a file server's PUT.
pub fn file_server_create(body: &[u8]) -> Result<Located<FileServerSpec>, BadBody> {
    newer::read_file_server(json(body)?, UNKNOWN)
}
