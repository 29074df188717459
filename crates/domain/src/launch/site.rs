//! A job on one of its nodes: where things are there, and which variables its processes see.

use crate::state::PlacedNode;

use super::attempt::JobLaunch;
use super::environment::{self, Variables};
use super::path::{JOB_MOUNT_ROOT, MOUNT_ROOT, join, resolve_directory};
use super::place;
use super::plan::{Process, Remote, SOCKET, SharedDirectory};
use super::script::bash;

/// A job on one of its nodes.
pub(super) struct Site<'a> {
    /// The job.
    pub job: &'a JobLaunch<'a>,
    /// The node.
    pub node: &'a PlacedNode,
    /// Its place among the nodes; 0 is the master.
    pub index: u32,
    /// Directory of the programs that jobs find on the node.
    pub tools: Option<String>,
    /// `AZ_BATCHAI_JOB_TEMP`.
    pub job_temp: String,
    /// Root of the job's volumes.
    pub job_mounts: String,
    /// `AZ_BATCHAI_SHARED_JOB_TEMP`.
    pub shared: SharedDirectory,
    /// Path of the hostfile.
    pub hostfile: String,
    /// Program that reaches the other nodes of the job.
    pub remote_shell: String,
    /// `AZ_BATCHAI_STDOUTERR_DIR`.
    pub stdouterr: String,
    /// Output directories, id and path.
    pub outputs: Vec<(String, String)>,
    /// Every variable of ours that is the same for all processes on the node, and that nothing overrides.
    pub variables: Variables,
    /// What launchers of several nodes look for, where the user does not say it himself.
    defaults: Variables,
}

impl<'a> Site<'a> {
    /// The job on the node with this index.
    pub fn new(job: &'a JobLaunch<'a>, index: u32, node: &'a PlacedNode) -> Site<'a> {
        let paths = (job.paths)(node.uid);
        let job_temp = join(
            &paths.jobs_root,
            &format!("{}/{}/{}", job.workspace, job.experiment, job.job),
        );
        let mut defaults = environment::of_mpi(&paths, &job_temp);
        defaults.extend(environment::of_launchers(job, index));
        if job.nodes.len() > 1 && (paths.apart || job.spec.container_settings.is_some()) {
            defaults.extend(environment::of_apart());
        }
        let tools = paths.tools().map(str::to_owned);
        let job_mounts = join(&job_temp, "mounts");
        let shared = SharedDirectory {
            source: join(&paths.shared_root, &job.placement.to_string()),
            path: join(&job_temp, "shared"),
        };
        let roots: Variables = [
            (MOUNT_ROOT, paths.mount_root),
            (JOB_MOUNT_ROOT, job_mounts.clone()),
            ("AZ_BATCHAI_JOB_TEMP", job_temp.clone()),
            // With a slash at the end, as documented (behaviour.md section 8).
            ("AZ_BATCHAI_JOB_TEMP_DIR", join(&paths.jobs_root, "") + "/"),
            ("AZ_BATCHAI_SHARED_JOB_TEMP", shared.path.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();

        let segment = job.output_segment;
        let directory =
            |prefix: &str, rest: String| join(&resolve_directory(prefix, &roots, &job_temp), &rest);
        let stdouterr = directory(
            &job.spec.std_out_err_path_prefix,
            place::stdouterr(job.layout, segment),
        );
        let outputs: Vec<(String, String)> = job
            .spec
            .output_directories
            .iter()
            .map(|output| {
                let path = directory(&output.path_prefix, place::output(job.spec, output, segment));
                (output.id.clone(), path)
            })
            .collect();
        let inputs = job.spec.input_directories.iter().map(|input| {
            let path = resolve_directory(&input.path, &roots, &job_temp);
            (format!("AZ_BATCHAI_INPUT_{}", input.id), path)
        });

        let hostfile = join(&job_temp, "hostfile");
        let mut variables = roots.clone();
        variables.extend(inputs);
        variables.extend(
            outputs
                .iter()
                .map(|(id, path)| (format!("AZ_BATCHAI_OUTPUT_{id}"), path.clone())),
        );
        variables.extend(environment::of_all_nodes(job));
        variables.extend(environment::of_pytorch(job, &shared.path));
        // Nodes of one job may differ where missing GPUs are ignored, so each tells its own.
        let gpus = (job.gpus)(node.uid).to_string();
        variables.insert("AZ_BATCHAI_NUM_GPUS".to_owned(), gpus.clone());
        variables.insert("AZ_BATCHAI_NUM_GPUS_PER_NODE".to_owned(), gpus);
        variables.insert("AZ_BATCHAI_STDOUTERR_DIR".to_owned(), stdouterr.clone());
        variables.insert("AZ_BATCHAI_MPI_HOST_FILE".to_owned(), hostfile.clone());
        Site {
            remote_shell: paths.remote_shell,
            job,
            node,
            index,
            tools,
            job_temp,
            job_mounts,
            shared,
            hostfile,
            stdouterr,
            outputs,
            variables,
            defaults,
        }
    }

    /// How many nodes the attempt has.
    pub fn node_count(&self) -> u32 {
        self.job.nodes.len() as u32
    }

    /// A file in the directory of stdout; on several nodes `name` has this node's id behind it.
    pub fn own_file(&self, name: &str, extension: &str) -> String {
        let file = match self.job.nodes.len() {
            1 => format!("{name}.{extension}"),
            _ => format!("{name}-{}.{extension}", self.node.name),
        };
        join(&self.stdouterr, &file)
    }

    /// A process whose variables of ours are `variables`, writing to `stdout{tail}` and `stderr{tail}`.
    pub fn process(&self, name: &str, script: String, variables: &Variables, tail: &str) -> Process {
        Process {
            name: name.to_owned(),
            arguments: bash(script),
            environment: self.environment(variables),
            directory: self.job_temp.clone(),
            stdout: join(&self.stdouterr, &format!("stdout{tail}")),
            stderr: join(&self.stdouterr, &format!("stderr{tail}")),
            decides: true,
        }
    }

    /// The variables of ours for one of several tasks of a toolkit, which tells its own by its index.
    pub fn task_variables(&self, index: u32) -> Variables {
        let mut variables = self.variables.clone();
        variables.insert("AZ_BATCHAI_TASK_INDEX".to_owned(), index.to_string());
        variables
    }

    /// The whole environment of a process whose variables of ours are `variables`.
    fn environment(&self, variables: &Variables) -> Variables {
        let spec = self.job.spec;
        environment::whole(
            &self.defaults,
            variables,
            &spec.environment_variables,
            &spec.secrets,
        )
    }

    /// How the attempt's other nodes start commands here: each node has a socket by its address.
    pub fn remote(&self) -> Remote {
        Remote {
            socket: join(&self.shared.source, &format!("{SOCKET}{}", self.node.address)),
            environment: self.environment(&self.variables),
            directory: self.job_temp.clone(),
            other_sockets: vec![join(&self.shared.source, &format!("{SOCKET}{}", self.node.name))],
            tools: self.tools.clone(),
        }
    }

    /// The job preparation (behaviour.md section 5). The names of its files on several nodes are not
    /// recorded; here each node has its own, so that they never write over one another.
    pub fn preparation(&self) -> Option<Process> {
        let command = self.job.spec.job_preparation.clone()?;
        let process = self.process("job preparation", command, &self.variables, "");
        Some(Process {
            stdout: self.own_file("stdout-job_prep", "txt"),
            stderr: self.own_file("stderr-job_prep", "txt"),
            decides: false,
            ..process
        })
    }
}
