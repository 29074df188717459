//! The settings blocks of jobs, of which each job has one.

use trainyard_domain::spec::{
    CaffeSettings, CntkSettings, CommunicationBackend, CustomMpiSettings, PyTorchSettings, PythonProcesses,
    PythonScript, TensorFlowSettings, Toolkit,
};

use crate::body::{BadBody, Object, Read};
use crate::out::Out;

const BACKENDS: [(&str, CommunicationBackend); 4] = [
    ("tcp", CommunicationBackend::Tcp),
    ("gloo", CommunicationBackend::Gloo),
    ("mpi", CommunicationBackend::Mpi),
    ("nccl", CommunicationBackend::Nccl),
];

/// Reads one settings block.
type ReadBlock = fn(&Object<'_>) -> Read<Toolkit>;

const BLOCKS: [(&str, ReadBlock); 9] = [
    ("cntkSettings", cntk),
    ("pyTorchSettings", pytorch),
    ("tensorFlowSettings", tensorflow),
    ("caffeSettings", caffe),
    ("caffe2Settings", |block| Ok(Toolkit::Caffe2(script(block)?))),
    ("chainerSettings", |block| Ok(Toolkit::Chainer(processes(block)?))),
    ("customToolkitSettings", |block| {
        Ok(Toolkit::Custom(block.text("commandLine")?))
    }),
    ("customMpiSettings", custom_mpi),
    ("horovodSettings", |block| Ok(Toolkit::Horovod(processes(block)?))),
];

/// Reads the one settings block of a job.
pub fn toolkit(properties: &Object<'_>) -> Read<Toolkit> {
    let mut found: Option<(Object<'_>, ReadBlock)> = None;
    for (name, read) in BLOCKS {
        let Some(block) = properties.object(name)? else {
            continue;
        };
        if let Some((first, _)) = &found {
            let message = format!(
                "There are two toolkits, the other is {}. Write one.",
                first.path()
            );
            return Err(BadBody::bad(block.path(), message));
        }
        found = Some((block, read));
    }
    match found {
        Some((block, read)) => read(&block),
        None => Err(BadBody::bad(
            properties.path(),
            "There is no toolkit. Write one settings block, such as customToolkitSettings.",
        )),
    }
}

fn script(block: &Object<'_>) -> Read<PythonScript> {
    Ok(PythonScript {
        python_script_file_path: block.need_text("pythonScriptFilePath")?,
        python_interpreter_path: block.text("pythonInterpreterPath")?,
        command_line_args: block.text("commandLineArgs")?,
    })
}

fn processes(block: &Object<'_>) -> Read<PythonProcesses> {
    Ok(PythonProcesses {
        script: script(block)?,
        process_count: block.count("processCount")?,
    })
}

fn pytorch(block: &Object<'_>) -> Read<Toolkit> {
    Ok(Toolkit::PyTorch(PyTorchSettings {
        script: script(block)?,
        process_count: block.count("processCount")?,
        communication_backend: block.choice("communicationBackend", &BACKENDS)?,
    }))
}

fn tensorflow(block: &Object<'_>) -> Read<Toolkit> {
    Ok(Toolkit::TensorFlow(TensorFlowSettings {
        python_script_file_path: block.need_text("pythonScriptFilePath")?,
        python_interpreter_path: block.text("pythonInterpreterPath")?,
        master_command_line_args: block.text("masterCommandLineArgs")?,
        worker_command_line_args: block.text("workerCommandLineArgs")?,
        parameter_server_command_line_args: block.text("parameterServerCommandLineArgs")?,
        worker_count: block.count("workerCount")?,
        parameter_server_count: block.count("parameterServerCount")?,
    }))
}

fn cntk(block: &Object<'_>) -> Read<Toolkit> {
    Ok(Toolkit::Cntk(CntkSettings {
        language_type: block.text("languageType")?,
        config_file_path: block.text("configFilePath")?,
        python_script_file_path: block.text("pythonScriptFilePath")?,
        python_interpreter_path: block.text("pythonInterpreterPath")?,
        command_line_args: block.text("commandLineArgs")?,
        process_count: block.count("processCount")?,
    }))
}

fn caffe(block: &Object<'_>) -> Read<Toolkit> {
    Ok(Toolkit::Caffe(CaffeSettings {
        config_file_path: block.text("configFilePath")?,
        python_script_file_path: block.text("pythonScriptFilePath")?,
        python_interpreter_path: block.text("pythonInterpreterPath")?,
        command_line_args: block.text("commandLineArgs")?,
        process_count: block.count("processCount")?,
    }))
}

fn custom_mpi(block: &Object<'_>) -> Read<Toolkit> {
    Ok(Toolkit::CustomMpi(CustomMpiSettings {
        command_line: block.need_text("commandLine")?,
        process_count: block.count("processCount")?,
    }))
}

/// Writes the settings block; [`Toolkit::member`] is its name.
pub fn toolkit_out(toolkit: &Toolkit) -> Out {
    match toolkit {
        Toolkit::Cntk(s) => config_or_script(
            Out::new().maybe("languageType", s.language_type.as_deref()),
            s.config_file_path.as_deref(),
            s.python_script_file_path.as_deref(),
            s.python_interpreter_path.as_deref(),
            s.command_line_args.as_deref(),
        )
        .maybe("processCount", s.process_count),
        Toolkit::PyTorch(s) => script_out(&s.script)
            .maybe("processCount", s.process_count)
            .maybe("communicationBackend", s.communication_backend.map(backend_word)),
        Toolkit::TensorFlow(s) => Out::new()
            .with("pythonScriptFilePath", s.python_script_file_path.as_str())
            .maybe("pythonInterpreterPath", s.python_interpreter_path.as_deref())
            .maybe("masterCommandLineArgs", s.master_command_line_args.as_deref())
            .maybe("workerCommandLineArgs", s.worker_command_line_args.as_deref())
            .maybe(
                "parameterServerCommandLineArgs",
                s.parameter_server_command_line_args.as_deref(),
            )
            .maybe("workerCount", s.worker_count)
            .maybe("parameterServerCount", s.parameter_server_count),
        Toolkit::Caffe(s) => config_or_script(
            Out::new(),
            s.config_file_path.as_deref(),
            s.python_script_file_path.as_deref(),
            s.python_interpreter_path.as_deref(),
            s.command_line_args.as_deref(),
        )
        .maybe("processCount", s.process_count),
        Toolkit::Caffe2(script) => script_out(script),
        Toolkit::Chainer(s) | Toolkit::Horovod(s) => {
            script_out(&s.script).maybe("processCount", s.process_count)
        }
        Toolkit::Custom(command) => Out::new().maybe("commandLine", command.as_deref()),
        // That it runs on every node is told by our own api-version only (v2026_12_01_preview/job.rs).
        Toolkit::CustomPerNode(command) => Out::new().with("commandLine", command.as_str()),
        Toolkit::CustomMpi(s) => Out::new()
            .with("commandLine", s.command_line.as_str())
            .maybe("processCount", s.process_count),
    }
}

fn script_out(script: &PythonScript) -> Out {
    Out::new()
        .with("pythonScriptFilePath", script.python_script_file_path.as_str())
        .maybe("pythonInterpreterPath", script.python_interpreter_path.as_deref())
        .maybe("commandLineArgs", script.command_line_args.as_deref())
}

fn config_or_script(
    out: Out,
    config: Option<&str>,
    script: Option<&str>,
    interpreter: Option<&str>,
    arguments: Option<&str>,
) -> Out {
    out.maybe("configFilePath", config)
        .maybe("pythonScriptFilePath", script)
        .maybe("pythonInterpreterPath", interpreter)
        .maybe("commandLineArgs", arguments)
}

fn backend_word(backend: CommunicationBackend) -> &'static str {
    match backend {
        CommunicationBackend::Tcp => "tcp",
        CommunicationBackend::Gloo => "gloo",
        CommunicationBackend::Mpi => "mpi",
        CommunicationBackend::Nccl => "nccl",
    }
}
