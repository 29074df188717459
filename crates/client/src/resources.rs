//! The resources that the commands use, by name.

use std::fmt;

use serde_json::{Value, json};

use crate::model::{ClusterProperties, Envelope, JobProperties, Page, Subscription};
use crate::{Client, ClientError, Cluster, Job, OutputFile};

/// Most pages read of one list.
const PAGES: usize = 1000;

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspacePath {
    /// Subscription id.
    pub subscription: String,
    /// Resource group.
    pub group: String,
    /// Its name.
    pub workspace: String,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPath {
    /// Where it is.
    pub workspace: WorkspacePath,
    /// Its name.
    pub cluster: String,
}

/// An experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentPath {
    /// Where it is.
    pub workspace: WorkspacePath,
    /// Its name.
    pub experiment: String,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPath {
    /// Where it is.
    pub experiment: ExperimentPath,
    /// Its name.
    pub job: String,
}

impl WorkspacePath {
    fn group_path(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}",
            self.subscription, self.group
        )
    }

    /// The cluster of this name in it.
    #[must_use]
    pub fn cluster(&self, name: &str) -> ClusterPath {
        ClusterPath {
            workspace: self.clone(),
            cluster: name.to_owned(),
        }
    }

    /// The experiment of this name in it.
    #[must_use]
    pub fn experiment(&self, name: &str) -> ExperimentPath {
        ExperimentPath {
            workspace: self.clone(),
            experiment: name.to_owned(),
        }
    }
}

impl ExperimentPath {
    /// The job of this name in it.
    #[must_use]
    pub fn job(&self, name: &str) -> JobPath {
        JobPath {
            experiment: self.clone(),
            job: name.to_owned(),
        }
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/providers/Microsoft.BatchAI/workspaces/{}",
            self.group_path(),
            self.workspace
        )
    }
}

impl fmt::Display for ClusterPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/clusters/{}", self.workspace, self.cluster)
    }
}

impl fmt::Display for ExperimentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/experiments/{}", self.workspace, self.experiment)
    }
}

impl fmt::Display for JobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/jobs/{}", self.experiment, self.job)
    }
}

impl Client {
    /// The subscriptions this token sees, as ids.
    ///
    /// # Errors
    /// Those of a call; so with all below.
    pub async fn subscriptions(&self) -> Result<Vec<String>, ClientError> {
        let page: Page<Subscription> = self.get("/subscriptions?api-version=2016-06-01").await?.json()?;
        Ok(page
            .value
            .into_iter()
            .map(|subscription| subscription.id)
            .collect())
    }

    /// Makes the resource group of a workspace, or finds it.
    ///
    /// # Errors
    /// Those of a call.
    pub async fn put_group(&self, path: &WorkspacePath, location: &str) -> Result<(), ClientError> {
        self.put(&path.group_path(), Some(&json!({"location": location})))
            .await
            .map(drop)
    }

    /// Makes a workspace, or finds it.
    ///
    /// # Errors
    /// Those of a call or of its operation.
    pub async fn put_workspace(&self, path: &WorkspacePath, location: &str) -> Result<(), ClientError> {
        let begun = self
            .put(&path.to_string(), Some(&json!({"location": location})))
            .await?;
        self.finish(begun).await
    }

    /// Deletes a workspace and all in it.
    ///
    /// # Errors
    /// Those of a call or of its operation.
    pub async fn delete_workspace(&self, path: &WorkspacePath) -> Result<(), ClientError> {
        let begun = self.delete(&path.to_string()).await?;
        self.finish(begun).await
    }

    /// Deletes the resource group of a workspace and all in it.
    ///
    /// # Errors
    /// Those of a call or of its operation.
    pub async fn delete_group(&self, path: &WorkspacePath) -> Result<(), ClientError> {
        let begun = self.delete(&path.group_path()).await?;
        self.finish(begun).await
    }

    /// Makes a cluster; `properties` as in the service's create body.
    ///
    /// # Errors
    /// Those of a call or of its operation.
    pub async fn put_cluster(&self, path: &ClusterPath, properties: &Value) -> Result<(), ClientError> {
        let begun = self
            .put(&path.to_string(), Some(&json!({"properties": properties})))
            .await?;
        self.finish(begun).await
    }

    /// Reads a cluster.
    ///
    /// # Errors
    /// Those of a call.
    pub async fn get_cluster(&self, path: &ClusterPath) -> Result<Cluster, ClientError> {
        let body: Envelope<ClusterProperties> = self.get(&path.to_string()).await?.json()?;
        Ok(body.into())
    }

    /// Sets the manual target of a cluster.
    ///
    /// # Errors
    /// Those of a call.
    pub async fn resize_cluster(&self, path: &ClusterPath, nodes: u32) -> Result<(), ClientError> {
        let scale = json!({"manual": {"targetNodeCount": nodes}});
        let body = json!({"properties": {"scaleSettings": scale}});
        self.patch(&path.to_string(), &body).await.map(drop)
    }

    /// Makes an experiment, or finds it.
    ///
    /// # Errors
    /// Those of a call or of its operation.
    pub async fn put_experiment(&self, path: &ExperimentPath) -> Result<(), ClientError> {
        let begun = self.put(&path.to_string(), None).await?;
        self.finish(begun).await
    }

    /// Submits a job; `properties` as in the service's create body.
    ///
    /// # Errors
    /// Those of a call or of its operation.
    pub async fn put_job(&self, path: &JobPath, properties: &Value) -> Result<(), ClientError> {
        let begun = self
            .put(&path.to_string(), Some(&json!({"properties": properties})))
            .await?;
        self.finish(begun).await
    }

    /// Reads a job.
    ///
    /// # Errors
    /// Those of a call.
    pub async fn get_job(&self, path: &JobPath) -> Result<Job, ClientError> {
        let body: Envelope<JobProperties> = self.get(&path.to_string()).await?.json()?;
        Ok(body.into())
    }

    /// Lists an output directory of a job, `stdouterr` among them; every page of it.
    ///
    /// # Errors
    /// Those of a call.
    pub async fn list_output_files(
        &self,
        path: &JobPath,
        directory_id: &str,
    ) -> Result<Vec<OutputFile>, ClientError> {
        let first = format!("{path}/listOutputFiles?outputdirectoryid={directory_id}");
        let mut page: Page<OutputFile> = self.post(&first, None).await?.json()?;
        let mut files = page.value;
        for _ in 1..PAGES {
            let Some(next) = page.next_link else { break };
            page = self.post(crate::client::path_of(&next)?, None).await?.json()?;
            files.append(&mut page.value);
        }
        Ok(files)
    }
}
