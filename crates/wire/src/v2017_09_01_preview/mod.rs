//! The api-version 2017-09-01-preview: everything is as in [`crate::v2018_03_01`] but what stands here
//! (api.md section 5).

mod cluster;
mod file_server;
mod files;
mod job;

pub use cluster::{cluster, cluster_create};
pub use file_server::file_server_create;
pub use files::files;
pub use job::{job, job_create};

use serde_json::Value;

use crate::flat::{self, Member};

/// The earliest bodies write `credentialsInfo` for `credentials` (api.md section 1).
fn early_credentials(body: &mut Value, volumes: &[Member]) {
    for volume in volumes {
        flat::at(body, volume, &mut |volume| {
            flat::replace(volume, "credentialsInfo", "credentials", |credentials| {
                credentials
            });
        });
    }
}

/// The value of a variable need not be written.
fn early_variables(body: &mut Value, variables: Member) {
    flat::at(body, variables, &mut |variable| {
        if variable.get("value").is_none_or(Value::is_null) {
            variable.insert("value".to_owned(), "".into());
        }
    });
}
