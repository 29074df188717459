//! Rules of toolkits (behaviour.md section 9).

use crate::invalid::Invalid;
use crate::limits::PROCESSES;
use crate::name::excerpt;
use crate::spec::{CaffeSettings, CntkSettings, PyTorchSettings, PythonScript, TensorFlowSettings, Toolkit};

use super::{Checked, words};

impl Toolkit {
    /// Checks the settings of the toolkit for a job of so many nodes.
    pub(super) fn check(&self, nodes: u32) -> Checked {
        let checked = match self {
            Toolkit::Cntk(settings) => cntk(settings),
            Toolkit::PyTorch(settings) => pytorch(settings, nodes),
            Toolkit::TensorFlow(settings) => tensorflow(settings, nodes),
            Toolkit::Caffe(settings) => caffe(settings),
            Toolkit::Caffe2(settings) => script(settings),
            Toolkit::Chainer(settings) | Toolkit::Horovod(settings) => {
                script(&settings.script).and_then(|()| processes(settings.process_count))
            }
            Toolkit::Custom(command) => words::optional("commandLine", command.as_deref()),
            Toolkit::CustomPerNode(command) => words::required("commandLine", command),
            Toolkit::CustomMpi(settings) => words::required("commandLine", &settings.command_line)
                .and_then(|()| processes(settings.process_count)),
        };
        checked.map_err(|invalid| invalid.within(self.member()))
    }
}

fn processes(count: Option<u32>) -> Checked {
    count.map_or(Ok(()), |count| words::range("processCount", count, 1, PROCESSES))
}

fn script(script: &PythonScript) -> Checked {
    words::required("pythonScriptFilePath", &script.python_script_file_path)?;
    words::optional("pythonInterpreterPath", script.python_interpreter_path.as_deref())?;
    words::optional("commandLineArgs", script.command_line_args.as_deref())
}

fn pytorch(settings: &PyTorchSettings, nodes: u32) -> Checked {
    script(&settings.script)?;
    processes(settings.process_count)?;
    let count = settings.process_count.unwrap_or(nodes);
    if count > 1 && settings.communication_backend.is_none() {
        let message = format!("{count} processes have to talk. Write tcp, gloo or mpi.");
        return Err(Invalid::new("communicationBackend", message));
    }
    Ok(())
}

fn tensorflow(settings: &TensorFlowSettings, nodes: u32) -> Checked {
    words::required("pythonScriptFilePath", &settings.python_script_file_path)?;
    for (member, value) in [
        ("pythonInterpreterPath", &settings.python_interpreter_path),
        ("masterCommandLineArgs", &settings.master_command_line_args),
        ("workerCommandLineArgs", &settings.worker_command_line_args),
        (
            "parameterServerCommandLineArgs",
            &settings.parameter_server_command_line_args,
        ),
    ] {
        words::optional(member, value.as_deref())?;
    }
    if let Some(count) = settings.worker_count {
        words::range("workerCount", count, 1, PROCESSES)?;
    }
    if let Some(count) = settings.parameter_server_count {
        words::range("parameterServerCount", count, 0, nodes)?;
    }
    Ok(())
}

fn cntk(settings: &CntkSettings) -> Checked {
    let parts = Parts {
        config: settings.config_file_path.as_deref(),
        script: settings.python_script_file_path.as_deref(),
        interpreter: settings.python_interpreter_path.as_deref(),
        arguments: settings.command_line_args.as_deref(),
    };
    match settings.language_type.as_deref() {
        None => {}
        Some(language) if language.eq_ignore_ascii_case("BrainScript") => {
            parts.absent("pythonScriptFilePath", parts.script, "for BrainScript")?;
        }
        Some(language) if language.eq_ignore_ascii_case("Python") => {
            parts.absent("configFilePath", parts.config, "for Python")?;
        }
        Some(language) => {
            let message = format!(
                "'{}' is not known. Write BrainScript or Python.",
                excerpt(language)
            );
            return Err(Invalid::new("languageType", message));
        }
    }
    parts.check()?;
    processes(settings.process_count)
}

fn caffe(settings: &CaffeSettings) -> Checked {
    let parts = Parts {
        config: settings.config_file_path.as_deref(),
        script: settings.python_script_file_path.as_deref(),
        interpreter: settings.python_interpreter_path.as_deref(),
        arguments: settings.command_line_args.as_deref(),
    };
    parts.check()?;
    processes(settings.process_count)
}

/// A configuration or a script: CNTK and Caffe run either.
struct Parts<'a> {
    config: Option<&'a str>,
    script: Option<&'a str>,
    interpreter: Option<&'a str>,
    arguments: Option<&'a str>,
}

impl Parts<'_> {
    fn check(&self) -> Checked {
        match (self.config, self.script) {
            (None, None) => {
                let message = "There is neither a configuration nor a script. Write configFilePath or \
                               pythonScriptFilePath.";
                return Err(Invalid::new("", message));
            }
            (Some(_), Some(_)) => {
                return self.absent("configFilePath", self.config, "beside a script");
            }
            (Some(config), None) => {
                words::required("configFilePath", config)?;
                self.absent(
                    "pythonInterpreterPath",
                    self.interpreter,
                    "beside a configuration",
                )?;
            }
            (None, Some(script)) => words::required("pythonScriptFilePath", script)?,
        }
        words::optional("pythonInterpreterPath", self.interpreter)?;
        words::optional("commandLineArgs", self.arguments)
    }

    fn absent(&self, member: &str, value: Option<&str>, when: &str) -> Checked {
        match value {
            None => Ok(()),
            Some(_) => {
                let message = format!("This member has no meaning {when}. Leave it out.");
                Err(Invalid::new(member, message))
            }
        }
    }
}
