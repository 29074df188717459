//! Which api-versions there are, and which adapter reads and writes where they differ.

use std::fmt;

use serde_json::Value;
use trainyard_domain::name::Region;
use trainyard_domain::spec::{ClusterSpec, FileServerSpec, JobSpec};
use trainyard_domain::state::{BatchAiError, Cluster, FileServer, Job};

use crate::body::BadBody;
use crate::flat::{ClusterUpdate, Located};
use crate::v2018_05_01::FileEntry;
use crate::{v2017_09_01_preview, v2018_03_01, v2018_05_01, v2026_12_01_preview};

/// An api-version of Microsoft.BatchAI that is served.
///
/// What all of them read and write in the same way stands in [`v2018_05_01`] and is called there. What
/// differs is a method here, so that a caller need not know which differs from which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiVersion {
    /// `2017-09-01-preview`, the first.
    V2017_09_01Preview,
    /// `2018-03-01`.
    V2018_03_01,
    /// `2018-05-01`, the last of the old service.
    V2018_05_01,
    /// `2026-12-01-preview`, our own: all of 2018-05-01 and what the old service never had.
    V2026_12_01Preview,
}

/// What the body of a PUT asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish<T> {
    /// The wish.
    pub spec: T,
    /// The region that a flat body names; in the others the workspace has it.
    pub region: Option<Region>,
}

impl<T> From<T> for Wish<T> {
    fn from(spec: T) -> Wish<T> {
        Wish { spec, region: None }
    }
}

impl<T> From<Located<T>> for Wish<T> {
    fn from(Located { region, spec }: Located<T>) -> Wish<T> {
        let region = Some(region);
        Wish { spec, region }
    }
}

impl ApiVersion {
    /// All that are served, newest first.
    pub const ALL: [ApiVersion; 4] = [
        ApiVersion::V2026_12_01Preview,
        ApiVersion::V2018_05_01,
        ApiVersion::V2018_03_01,
        ApiVersion::V2017_09_01Preview,
    ];

    /// As in `?api-version=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ApiVersion::V2017_09_01Preview => "2017-09-01-preview",
            ApiVersion::V2018_03_01 => "2018-03-01",
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

    /// Whether resources stand right beneath their group: there are no workspaces and experiments yet.
    pub fn is_flat(self) -> bool {
        match self {
            ApiVersion::V2017_09_01Preview | ApiVersion::V2018_03_01 => true,
            ApiVersion::V2018_05_01 | ApiVersion::V2026_12_01Preview => false,
        }
    }

    /// Reads the body of a cluster's PUT.
    pub fn cluster_create(self, body: &[u8]) -> Result<Wish<ClusterSpec>, BadBody> {
        Ok(match self {
            ApiVersion::V2017_09_01Preview => v2017_09_01_preview::cluster_create(body)?.into(),
            ApiVersion::V2018_03_01 => v2018_03_01::cluster_create(body)?.into(),
            ApiVersion::V2018_05_01 | ApiVersion::V2026_12_01Preview => {
                v2018_05_01::cluster_create(body)?.into()
            }
        })
    }

    /// Reads the body of a cluster's PATCH.
    pub fn cluster_update(self, body: &[u8]) -> Result<ClusterUpdate, BadBody> {
        if self.is_flat() {
            return v2018_03_01::cluster_update(body);
        }
        let scale = v2018_05_01::cluster_update(body)?;
        Ok(ClusterUpdate { scale, tags: None })
    }

    /// Writes a cluster with the errors of its nodes and of its allocation.
    pub fn cluster(self, cluster: &Cluster, errors: &[BatchAiError]) -> Value {
        match self {
            ApiVersion::V2017_09_01Preview => v2017_09_01_preview::cluster(cluster, errors),
            ApiVersion::V2018_03_01 => v2018_03_01::cluster(cluster, errors),
            ApiVersion::V2018_05_01 | ApiVersion::V2026_12_01Preview => v2018_05_01::cluster(cluster, errors),
        }
    }

    /// Reads the body of a file server's PUT.
    pub fn file_server_create(self, body: &[u8]) -> Result<Wish<FileServerSpec>, BadBody> {
        Ok(match self {
            ApiVersion::V2017_09_01Preview => v2017_09_01_preview::file_server_create(body)?.into(),
            ApiVersion::V2018_03_01 => v2018_03_01::file_server_create(body)?.into(),
            ApiVersion::V2018_05_01 | ApiVersion::V2026_12_01Preview => {
                v2018_05_01::file_server_create(body)?.into()
            }
        })
    }

    /// Writes a file server.
    pub fn file_server(self, server: &FileServer) -> Value {
        if self.is_flat() {
            v2018_03_01::file_server(server)
        } else {
            v2018_05_01::file_server(server)
        }
    }

    /// Reads the body of a job's PUT.
    pub fn job_create(self, body: &[u8]) -> Result<Wish<JobSpec>, BadBody> {
        Ok(match self {
            ApiVersion::V2017_09_01Preview => v2017_09_01_preview::job_create(body)?.into(),
            ApiVersion::V2018_03_01 => v2018_03_01::job_create(body)?.into(),
            ApiVersion::V2018_05_01 => v2018_05_01::job_create(body)?.into(),
            ApiVersion::V2026_12_01Preview => v2026_12_01_preview::job_create(body)?.into(),
        })
    }

    /// Writes a job.
    pub fn job(self, job: &Job) -> Value {
        match self {
            ApiVersion::V2017_09_01Preview => v2017_09_01_preview::job(job),
            ApiVersion::V2018_03_01 => v2018_03_01::job(job),
            ApiVersion::V2018_05_01 => v2018_05_01::job(job),
            ApiVersion::V2026_12_01Preview => v2026_12_01_preview::job(job),
        }
    }

    /// Writes a page of an output directory.
    pub fn files(self, entries: &[FileEntry], next_link: Option<&str>) -> Value {
        match self {
            ApiVersion::V2017_09_01Preview => v2017_09_01_preview::files(entries, next_link),
            ApiVersion::V2018_03_01 => v2018_03_01::files(entries, next_link),
            ApiVersion::V2018_05_01 | ApiVersion::V2026_12_01Preview => {
                v2018_05_01::files(entries, next_link)
            }
        }
    }

    /// A wish for a job that is there already, with all that this version cannot say left as it is: tags, labels and
    /// the exact priority of the flat versions.
    pub fn job_beside(self, wish: JobSpec, found: &JobSpec) -> JobSpec {
        if self.is_flat() {
            return wish;
        }
        let same_class = wish.priority.class() == found.priority.class();
        JobSpec {
            priority: if same_class { found.priority } else { wish.priority },
            flat: found.flat.clone(),
            ..wish
        }
    }

    /// As [`ApiVersion::job_beside`], of a cluster.
    pub fn cluster_beside(self, wish: ClusterSpec, found: &ClusterSpec) -> ClusterSpec {
        if self.is_flat() {
            return wish;
        }
        let flat = found.flat.clone();
        ClusterSpec { flat, ..wish }
    }

    /// As [`ApiVersion::job_beside`], of a file server.
    pub fn file_server_beside(self, wish: FileServerSpec, found: &FileServerSpec) -> FileServerSpec {
        if self.is_flat() {
            return wish;
        }
        let flat = found.flat.clone();
        FileServerSpec { flat, ..wish }
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
