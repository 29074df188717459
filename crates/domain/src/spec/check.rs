//! The rules that a wish has to keep, beyond its shape.
//!
//! Every `check` names the first offending member by its path in Batch AI's own terms, relative to
//! `properties`. Paths are checked here for what could lead out of a directory, since everything behind
//! this door builds paths from them.

mod cluster;
mod file_server;
mod job;
mod mounts;
mod toolkit;
mod words;

use crate::invalid::Invalid;
use crate::limits;
use crate::state::Tags;

/// The outcome of a check.
pub type Checked = Result<(), Invalid>;

/// Checks the tags of a workspace or group: their number and lengths (Azure's own limits).
pub fn check_tags(tags: &Tags) -> Checked {
    let (most, longest_name, longest_value) = limits::TAGS;
    if tags.len() > most {
        let message = format!("There are {} tags. Use at most {most}.", tags.len());
        return Err(Invalid::new("tags", message));
    }
    for (name, value) in tags {
        let at = format!("tags.{}", crate::name::excerpt(name));
        words::text(&at, name)?;
        words::text(&at, value)?;
        if name.is_empty() || name.chars().count() > longest_name {
            let message = format!("The name of this tag is not valid. Use 1 to {longest_name} characters.");
            return Err(Invalid::new(at, message));
        }
        if value.chars().count() > longest_value {
            let message =
                format!("The value of this tag is too long. Use at most {longest_value} characters.");
            return Err(Invalid::new(at, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
