//! tensorFlowSettings: workers and parameter servers (behaviour.md section 9).

use serde_json::json;

use crate::spec::{PythonScript, TensorFlowSettings};

use super::environment::Variables;
use super::plan::Process;
use super::script;
use super::site::Site;
use super::spread::spread;

/// How many of each there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tasks {
    /// Workers, the first of which is the master.
    pub workers: u32,
    /// Parameter servers, one a node from the first node on.
    pub servers: u32,
}

impl Tasks {
    /// Without counts there is one worker a node, and one parameter server if there is more than one process.
    pub fn of(settings: &TensorFlowSettings, nodes: u32) -> Tasks {
        let workers = settings.worker_count.unwrap_or(nodes);
        let distributed = nodes > 1 || workers > 1;
        Tasks {
            workers,
            servers: settings.parameter_server_count.unwrap_or(u32::from(distributed)),
        }
    }

    /// Whether there is anybody to talk to.
    fn distributed(self) -> bool {
        self.workers + self.servers > 1
    }

    /// A port for each task.
    pub fn ports(self) -> u32 {
        if self.distributed() {
            self.workers + self.servers
        } else {
            0
        }
    }
}

/// What a task is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Master,
    Worker,
    Server,
}

impl Role {
    /// As TF_CONFIG says it.
    fn word(self) -> &'static str {
        match self {
            Role::Master => "master",
            Role::Worker => "worker",
            Role::Server => "ps",
        }
    }
}

/// The processes of this node: its parameter server, which does not decide, then its workers.
pub(super) fn processes(site: &Site<'_>, settings: &TensorFlowSettings, tasks: &Tasks) -> Vec<Process> {
    let hosts = Hosts::of(site, *tasks);
    let server = (site.index < tasks.servers).then_some((Role::Server, site.index));
    let workers = spread(tasks.workers, site.node_count(), site.index);
    let workers = workers.map(|index| match index {
        0 => (Role::Master, index),
        _ => (Role::Worker, index),
    });
    server
        .into_iter()
        .chain(workers)
        .map(|(role, index)| process(site, settings, &hosts, role, index))
        .collect()
}

fn process(site: &Site<'_>, settings: &TensorFlowSettings, hosts: &Hosts, role: Role, index: u32) -> Process {
    let (name, tail, arguments) = match role {
        Role::Master => ("worker", "wk", &settings.master_command_line_args),
        Role::Worker => ("worker", "wk", &settings.worker_command_line_args),
        Role::Server => (
            "parameter server",
            "ps",
            &settings.parameter_server_command_line_args,
        ),
    };
    let script = PythonScript {
        python_script_file_path: settings.python_script_file_path.clone(),
        python_interpreter_path: settings.python_interpreter_path.clone(),
        command_line_args: arguments.clone(),
    };
    let mut variables = site.task_variables(index);
    variables.extend(hosts.variables(role, index));
    Process {
        decides: role != Role::Server,
        ..site.process(
            &format!("{name} {index}"),
            script::python(&script),
            &variables,
            &format!("-{tail}-{index}.txt"),
        )
    }
}

/// Where the tasks listen; nowhere if there is only one.
struct Hosts {
    workers: Vec<String>,
    servers: Vec<String>,
}

impl Hosts {
    fn of(site: &Site<'_>, tasks: Tasks) -> Hosts {
        let (mut workers, mut servers) = (Vec::new(), Vec::new());
        if tasks.distributed() {
            let mut ports = site.job.task_ports.iter();
            let nodes = site.node_count();
            for (index, node) in (0..).zip(site.job.nodes) {
                let mut host = || format!("{}:{}", node.address, ports.next().copied().unwrap_or_default());
                if index < tasks.servers {
                    servers.push(host());
                }
                workers.extend(spread(tasks.workers, nodes, index).map(|_| host()));
            }
        }
        Hosts { workers, servers }
    }

    /// PS_HOSTS, WORKER_HOSTS and TF_CONFIG as documented (behaviour.md section 8).
    fn variables(&self, role: Role, index: u32) -> Variables {
        if self.workers.is_empty() {
            return Variables::new();
        }
        let cluster = match self.servers.as_slice() {
            [] => json!({"worker": self.workers}),
            servers => json!({"ps": servers, "worker": self.workers}),
        };
        let config = json!({
            "cluster": cluster,
            "task": {"type": role.word(), "index": index},
            "environment": "cloud",
        });
        [
            ("AZ_BATCHAI_PS_HOSTS", self.servers.join(",")),
            ("AZ_BATCHAI_WORKER_HOSTS", self.workers.join(",")),
            ("TF_CONFIG", config.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
