//! Rules of a job.

use std::collections::BTreeSet;

use crate::invalid::Invalid;
use crate::limits;
use crate::name::excerpt;
use crate::spec::{ContainerSettings, InputDirectory, JobSpec, OutputDirectory};

use super::{Checked, words};

/// The id under which stdout and stderr are listed; no output directory may have it.
const STDOUTERR: &str = "stdouterr";

impl JobSpec {
    /// Checks the wish of a job (behaviour.md sections 4 to 9).
    pub fn check(&self) -> Checked {
        words::range(
            "schedulingPriority",
            self.priority.0,
            limits::PRIORITY.0,
            limits::PRIORITY.1,
        )?;
        if self.cluster.cluster().is_none() && self.cluster.flat_cluster().is_none() {
            let message = format!(
                "'{}' is not the id of a cluster. Write one that ends in /workspaces/…/clusters/….",
                excerpt(self.cluster.as_str())
            );
            return Err(Invalid::new("cluster.id", message));
        }
        if let Some(mounts) = &self.mount_volumes {
            mounts.check().map_err(|invalid| invalid.within("mountVolumes"))?;
        }
        words::range("nodeCount", self.node_count, 1, limits::NODES_PER_CLUSTER)?;
        if let Some(container) = &self.container_settings {
            container_settings(container).map_err(|invalid| invalid.within("containerSettings"))?;
        }
        self.toolkit.check(self.node_count)?;
        if let Some(command) = &self.job_preparation {
            words::required("jobPreparation.commandLine", command)?;
        }
        words::output_prefix("stdOutErrPathPrefix", &self.std_out_err_path_prefix)?;
        words::list("inputDirectories", &self.input_directories, input)?;
        let ids = self.input_directories.iter().map(|d| d.id.as_str());
        unique("inputDirectories", ids)?;
        words::list("outputDirectories", &self.output_directories, output)?;
        let ids = self.output_directories.iter().map(|d| d.id.as_str());
        unique("outputDirectories", ids)?;
        words::variables("environmentVariables", &self.environment_variables)?;
        words::secret_variables("secrets", &self.secrets)?;
        words::environment("environmentVariables", &self.environment_variables, &self.secrets)?;
        if !(1..=limits::JOB_SECONDS).contains(&self.max_wall_clock_seconds) {
            let message = "The time is out of range. Write more than zero and at most P7D, seven days.";
            return Err(Invalid::new("constraints.maxWallClockTime", message));
        }
        words::optional("experimentName", self.flat.experiment_name.as_deref())?;
        for (i, directory) in self.output_directories.iter().enumerate() {
            let kind = self
                .flat
                .outputs
                .get(&directory.id)
                .map(|output| output.kind.as_str());
            words::optional(&format!("outputDirectories[{i}].type"), kind)?;
        }
        Ok(())
    }
}

fn container_settings(container: &ContainerSettings) -> Checked {
    let image = container.image.as_str();
    let at = "imageSourceRegistry.image";
    words::required(at, image)?;
    if image.starts_with('-') || image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let message = format!(
            "'{}' is not the name of an image. Write one such as ubuntu:22.04.",
            excerpt(image)
        );
        return Err(Invalid::new(at, message));
    }
    words::optional("imageSourceRegistry.serverUrl", container.server_url.as_deref())?;
    if let Some(credentials) = &container.credentials {
        let at = "imageSourceRegistry.credentials";
        words::required(&format!("{at}.username"), &credentials.username)?;
        words::source(at, "password", &credentials.password)?;
    }
    match &container.shm_size {
        Some(size) if !is_size(size) => {
            let message = format!("'{}' is not a size. Write one such as 16gb.", excerpt(size));
            Err(Invalid::new("shmSize", message))
        }
        _ => Ok(()),
    }
}

/// A size as `docker run --shm-size` takes it: a number and b, k, m or g, also kb, mb, gb.
fn is_size(text: &str) -> bool {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: Option<u64> = text[..digits].parse().ok();
    let unit = text[digits..].to_ascii_lowercase();
    number.is_some_and(|n| n > 0) && matches!(unit.as_str(), "" | "b" | "k" | "kb" | "m" | "mb" | "g" | "gb")
}

fn input(at: &str, directory: &InputDirectory) -> Checked {
    directory_id(at, &directory.id)?;
    let at = format!("{at}.path");
    words::required(&at, &directory.path)?;
    words::inside(&at, &directory.path)
}

fn output(at: &str, directory: &OutputDirectory) -> Checked {
    directory_id(at, &directory.id)?;
    if directory.id.eq_ignore_ascii_case(STDOUTERR) {
        let message = "stdouterr is the directory of stdout and stderr. Use another id.";
        return Err(Invalid::new(format!("{at}.id"), message));
    }
    words::output_prefix(&format!("{at}.pathPrefix"), &directory.path_prefix)?;
    match &directory.path_suffix {
        Some(suffix) => words::beneath(&format!("{at}.pathSuffix"), suffix),
        None => Ok(()),
    }
}

fn directory_id(parent: &str, id: &str) -> Checked {
    let at = format!("{parent}.id");
    words::text(&at, id)?;
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = format!(
            "'{}' cannot be part of a variable's name. Use letters, digits and '_'.",
            excerpt(id)
        );
        return Err(Invalid::new(at, message));
    }
    Ok(())
}

fn unique<'a>(at: &str, ids: impl Iterator<Item = &'a str>) -> Checked {
    let mut seen = BTreeSet::new();
    for (i, id) in ids.enumerate() {
        if !seen.insert(id.to_ascii_lowercase()) {
            let message = format!("The id '{}' is there twice. Use another one.", excerpt(id));
            return Err(Invalid::new(format!("{at}[{i}].id"), message));
        }
    }
    Ok(())
}
