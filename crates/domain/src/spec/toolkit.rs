//! What a job runs: exactly one toolkit (behaviour.md section 9).

use serde::{Deserialize, Serialize};

/// The one toolkit of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Toolkit {
    /// CNTK.
    Cntk(CntkSettings),
    /// PyTorch.
    PyTorch(PyTorchSettings),
    /// TensorFlow.
    TensorFlow(TensorFlowSettings),
    /// Caffe.
    Caffe(CaffeSettings),
    /// Caffe2.
    Caffe2(PythonScript),
    /// Chainer.
    Chainer(PythonProcesses),
    /// A plain command on the master node. `None` is a job that runs nothing.
    Custom(Option<String>),
    /// A plain command on every node (`customToolkitSettings.perNode` of our own api-version).
    CustomPerNode(String),
    /// A command started by the MPI launcher in every process.
    CustomMpi(CustomMpiSettings),
    /// Horovod.
    Horovod(PythonProcesses),
}

impl Toolkit {
    /// The `toolType` that the service derives.
    pub fn tool_type(&self) -> &'static str {
        match self {
            Toolkit::Cntk(_) => "cntk",
            Toolkit::PyTorch(_) => "pytorch",
            Toolkit::TensorFlow(_) => "tensorflow",
            Toolkit::Caffe(_) => "caffe",
            Toolkit::Caffe2(_) => "caffe2",
            Toolkit::Chainer(_) => "chainer",
            Toolkit::Custom(_) | Toolkit::CustomPerNode(_) => "custom",
            Toolkit::CustomMpi(_) => "custommpi",
            Toolkit::Horovod(_) => "horovod",
        }
    }

    /// The name of the settings member.
    pub fn member(&self) -> &'static str {
        match self {
            Toolkit::Cntk(_) => "cntkSettings",
            Toolkit::PyTorch(_) => "pyTorchSettings",
            Toolkit::TensorFlow(_) => "tensorFlowSettings",
            Toolkit::Caffe(_) => "caffeSettings",
            Toolkit::Caffe2(_) => "caffe2Settings",
            Toolkit::Chainer(_) => "chainerSettings",
            Toolkit::Custom(_) | Toolkit::CustomPerNode(_) => "customToolkitSettings",
            Toolkit::CustomMpi(_) => "customMpiSettings",
            Toolkit::Horovod(_) => "horovodSettings",
        }
    }
}

/// A Python script with its interpreter and arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PythonScript {
    /// The script.
    pub python_script_file_path: String,
    /// The interpreter; `python` when not given.
    pub python_interpreter_path: Option<String>,
    /// Arguments as a shell would read them.
    pub command_line_args: Option<String>,
}

/// A Python script that runs as several processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PythonProcesses {
    /// What runs.
    pub script: PythonScript,
    /// How many; one a node when not given.
    pub process_count: Option<u32>,
}

/// PyTorch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PyTorchSettings {
    /// What runs.
    pub script: PythonScript,
    /// How many; one a node when not given.
    pub process_count: Option<u32>,
    /// How the processes talk; not needed for one.
    pub communication_backend: Option<CommunicationBackend>,
}

/// How PyTorch processes talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommunicationBackend {
    /// TCP.
    Tcp,
    /// Gloo.
    Gloo,
    /// MPI.
    Mpi,
    /// NCCL.
    Nccl,
}

/// TensorFlow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TensorFlowSettings {
    /// The script.
    pub python_script_file_path: String,
    /// The interpreter; `python` when not given.
    pub python_interpreter_path: Option<String>,
    /// Arguments of the master.
    pub master_command_line_args: Option<String>,
    /// Arguments of each worker.
    pub worker_command_line_args: Option<String>,
    /// Arguments of each parameter server.
    pub parameter_server_command_line_args: Option<String>,
    /// Workers; one a node when not given.
    pub worker_count: Option<u32>,
    /// Parameter servers; 1 for distributed jobs when not given.
    pub parameter_server_count: Option<u32>,
}

/// CNTK: a BrainScript configuration or a Python script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CntkSettings {
    /// As given: `BrainScript` or `Python`.
    pub language_type: Option<String>,
    /// BrainScript configuration.
    pub config_file_path: Option<String>,
    /// Python script.
    pub python_script_file_path: Option<String>,
    /// Interpreter of the script.
    pub python_interpreter_path: Option<String>,
    /// Arguments.
    pub command_line_args: Option<String>,
    /// Processes; one a node when not given.
    pub process_count: Option<u32>,
}

/// Caffe: a solver configuration or a Python script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaffeSettings {
    /// Solver configuration; excludes the script.
    pub config_file_path: Option<String>,
    /// Python script; excludes the configuration.
    pub python_script_file_path: Option<String>,
    /// Interpreter of the script.
    pub python_interpreter_path: Option<String>,
    /// Arguments.
    pub command_line_args: Option<String>,
    /// Processes; one a node when not given.
    pub process_count: Option<u32>,
}

/// A command under the MPI launcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomMpiSettings {
    /// What each process runs.
    pub command_line: String,
    /// Processes; one a node when not given.
    pub process_count: Option<u32>,
}
