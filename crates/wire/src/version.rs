//! Which api-versions there are, and which adapter reads and writes where they differ.

use std::fmt;

use serde_json::Value;
use trainyard_domain::spec::JobSpec;
use trainyard_domain::state::Job;

use crate::body::BadBody;
use crate::{v2018_05_01, v2026_12_01_preview};

/// An api-version of Microsoft.BatchAI that is served.
///
/// What all of them read and write in the same way stands in [`v2018_05_01`] and is called there. What
/// differs is a method here, so that a caller need not know which differs from which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiVersion {
    /// `2018-05-01`, the last of the old service.
    V2018_05_01,
    /// `2026-12-01-preview`, our own: all of 2018-05-01 and what the old service never had.
    V2026_12_01Preview,
}

impl ApiVersion {
    /// All that are served, newest first.
    pub const ALL: [ApiVersion; 2] = [ApiVersion::V2026_12_01Preview, ApiVersion::V2018_05_01];

    /// As in `?api-version=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ApiVersion::V2018_05_01 => "2018-05-01",
            ApiVersion::V2026_12_01Preview => "2026-12-01-preview",
        }
    }

    /// Reads what was asked, in any case; `None` for a version that is not served.
    pub fn parse(text: &str) -> Option<ApiVersion> {
        ApiVersion::ALL
            .into_iter()
            .find(|version| version.as_str().eq_ignore_ascii_case(text))
    }

    /// Reads the body of a job's PUT.
    pub fn job_create(self, body: &[u8]) -> Result<JobSpec, BadBody> {
        match self {
            ApiVersion::V2018_05_01 => v2018_05_01::job_create(body),
            ApiVersion::V2026_12_01Preview => v2026_12_01_preview::job_create(body),
        }
    }

    /// Writes a job.
    pub fn job(self, job: &Job) -> Value {
        match self {
            ApiVersion::V2018_05_01 => v2018_05_01::job(job),
            ApiVersion::V2026_12_01Preview => v2026_12_01_preview::job(job),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_read_as_it_is_written() {
        for version in ApiVersion::ALL {
            assert_eq!(ApiVersion::parse(version.as_str()), Some(version));
            assert_eq!(ApiVersion::parse(&version.as_str().to_uppercase()), Some(version));
        }
        assert_eq!(ApiVersion::parse("2018-05-01 "), None);
    }
}
