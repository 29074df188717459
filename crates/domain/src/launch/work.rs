//! What a job runs, and how that is spread over its nodes (behaviour.md section 9).

use crate::spec::{
    CaffeSettings, CntkSettings, CommunicationBackend, JobSpec, PyTorchSettings, PythonProcesses,
    PythonScript, TensorFlowSettings, Toolkit,
};

use super::mpi::{Mpi, TASK_INDEX_OF_RANK};
use super::plan::Process;
use super::script;
use super::site::Site;
use super::spread::spread;
use super::tensorflow::Tasks;
use super::{caffe2, mpi, pytorch, tensorflow};

/// The work of a job, whatever its toolkit.
pub(super) enum Work<'a> {
    /// Nothing at all.
    Nothing,
    /// One command line, on the master.
    Master(String),
    /// The same command line on every node.
    EveryNode(&'a str),
    /// One process a rank; they find one another by what their environment says.
    Ranks {
        settings: &'a PyTorchSettings,
        count: u32,
    },
    /// One process a node, each with an index.
    Shards(&'a PythonScript),
    /// One command line in each of so many processes that the MPI launcher starts.
    Mpi(Mpi),
    /// Workers and parameter servers.
    Tasks {
        settings: &'a TensorFlowSettings,
        tasks: Tasks,
    },
}

impl<'a> Work<'a> {
    /// The work that a job asks for.
    pub fn of(spec: &'a JobSpec) -> Work<'a> {
        let nodes = spec.node_count;
        match &spec.toolkit {
            Toolkit::Custom(None) => Work::Nothing,
            Toolkit::Custom(Some(command)) => Work::Master(command.clone()),
            Toolkit::CustomPerNode(command) => Work::EveryNode(command),
            Toolkit::CustomMpi(settings) => Work::Mpi(Mpi {
                count: settings.process_count.unwrap_or(nodes),
                command: settings.command_line.clone(),
            }),
            Toolkit::Horovod(settings) | Toolkit::Chainer(settings) => Work::Mpi(mpi_script(settings, nodes)),
            Toolkit::Cntk(settings) => {
                mpi_if_several(settings.process_count.unwrap_or(nodes), cntk(settings))
            }
            Toolkit::Caffe(settings) => {
                mpi_if_several(settings.process_count.unwrap_or(nodes), caffe(settings))
            }
            Toolkit::Caffe2(script) => Work::Shards(script),
            Toolkit::PyTorch(settings) => pytorch_work(settings, nodes),
            Toolkit::TensorFlow(settings) => Work::Tasks {
                settings,
                tasks: Tasks::of(settings, nodes),
            },
        }
    }

    /// What runs on one node. Where none of it decides, the node waits until the job is stopped.
    pub fn processes(&self, site: &Site<'_>) -> Vec<Process> {
        match self {
            Work::Nothing => Vec::new(),
            Work::Master(command) if site.index == 0 => {
                vec![site.process("command", command.clone(), &site.variables, ".txt")]
            }
            Work::Master(_) => Vec::new(),
            Work::EveryNode(command) => {
                let tail = format!("-{}.txt", site.index);
                vec![site.process("command", (*command).to_owned(), &site.variables, &tail)]
            }
            Work::Ranks { settings, count } => pytorch::processes(site, settings, *count),
            Work::Shards(script) => caffe2::processes(site, script),
            Work::Mpi(mpi) => mpi::processes(site, mpi),
            Work::Tasks { settings, tasks } => tensorflow::processes(site, settings, tasks),
        }
    }

    /// Whether what runs on this one of `nodes` nodes decides the end of the job.
    pub fn decides(&self, nodes: u32, node: u32) -> bool {
        match self {
            Work::Nothing | Work::EveryNode(_) | Work::Shards(_) => true,
            Work::Master(_) | Work::Mpi(_) => node == 0,
            Work::Ranks { count, .. } => !spread(*count, nodes, node).is_empty(),
            Work::Tasks { tasks, .. } => !spread(tasks.workers, nodes, node).is_empty(),
        }
    }

    /// How many ports the job needs that are free on all of its nodes: the first where its processes meet, and then one
    /// for each task that others connect to.
    pub fn ports(&self, nodes: u32) -> u32 {
        match self {
            Work::EveryNode(_) | Work::Ranks { .. } => 1,
            Work::Tasks { tasks, .. } => u32::from(nodes > 1 || tasks.ports() > 0) + tasks.ports(),
            Work::Nothing | Work::Master(_) | Work::Shards(_) | Work::Mpi(_) => u32::from(nodes > 1),
        }
    }

    /// How many processes the hostfile allows on a node: those that the MPI launcher is to start there, else one for
    /// each GPU; at least one (behaviour.md section 9).
    pub fn slots(&self, nodes: u32, node: u32, gpus: u32) -> u32 {
        match self {
            Work::Mpi(mpi) => spread(mpi.count, nodes, node).len() as u32,
            Work::Nothing
            | Work::Master(_)
            | Work::EveryNode(_)
            | Work::Ranks { .. }
            | Work::Shards(_)
            | Work::Tasks { .. } => gpus,
        }
        .max(1)
    }
}

/// How many ports a job needs that are free on all of its nodes: the first is [`super::JobLaunch::port`], the others are
/// its `task_ports`.
pub fn ports_of(spec: &JobSpec) -> u32 {
    Work::of(spec).ports(spec.node_count)
}

/// Whether the node with this index, counted from 0 at the master, decides the end of the job. The job has succeeded
/// when all that decide have ended well; the others wait and are stopped then.
pub fn node_decides(spec: &JobSpec, node: u32) -> bool {
    Work::of(spec).decides(spec.node_count, node)
}

fn mpi_script(settings: &PythonProcesses, nodes: u32) -> Mpi {
    Mpi {
        count: settings.process_count.unwrap_or(nodes),
        command: script::python(&settings.script),
    }
}

/// One process needs no launcher (behaviour.md section 9).
fn mpi_if_several<'a>(count: u32, command: String) -> Work<'a> {
    if count > 1 {
        Work::Mpi(Mpi { count, command })
    } else {
        Work::Master(command)
    }
}

fn cntk(settings: &CntkSettings) -> String {
    script::configured(
        "cntk configFile=",
        settings.config_file_path.as_deref(),
        settings.python_interpreter_path.as_deref(),
        settings.python_script_file_path.as_deref(),
        settings.command_line_args.as_deref(),
    )
}

fn caffe(settings: &CaffeSettings) -> String {
    script::configured(
        "caffe train --solver=",
        settings.config_file_path.as_deref(),
        settings.python_interpreter_path.as_deref(),
        settings.python_script_file_path.as_deref(),
        settings.command_line_args.as_deref(),
    )
}

/// PyTorch by MPI has ranks of the launcher's, which know their index by then only.
fn pytorch_work(settings: &PyTorchSettings, nodes: u32) -> Work<'_> {
    let count = settings.process_count.unwrap_or(nodes);
    match settings.communication_backend {
        Some(CommunicationBackend::Mpi) => {
            let command = format!("{TASK_INDEX_OF_RANK} {}", script::python(&settings.script));
            mpi_if_several(count, command)
        }
        Some(CommunicationBackend::Tcp | CommunicationBackend::Gloo | CommunicationBackend::Nccl) | None => {
            Work::Ranks { settings, count }
        }
    }
}
