//! The settings of the toolkits.

use super::notation::*;

/// The toolkits. `pytorch` is answered by every version, though the old documents forgot it.
pub fn tool_type() -> (&'static str, Kind) {
    let words = open(
        "ToolType",
        &[
            "cntk",
            "tensorflow",
            "caffe",
            "caffe2",
            "chainer",
            "pytorch",
            "horovod",
            "custommpi",
            "custom",
        ],
    );
    ("ToolType", words.about("The toolkit of a job."))
}

models! {
    CNTKsettings "A CNTK job: a BrainScript configuration or a Python script." {
        languageType          may text()  => "BrainScript or Python.";
        configFilePath        may text()  => "The configuration, for BrainScript.";
        pythonScriptFilePath  may text()  => "The script, for Python.";
        pythonInterpreterPath may text()  => "What runs the script.";
        commandLineArgs       may text()  => "Arguments.";
        processCount          may int32() => "How many processes; one a node if not given.";
    }

    CaffeSettings "A Caffe job: a solver's configuration or a Python script." {
        configFilePath        may text()  => "The solver's configuration; then there is no script.";
        pythonScriptFilePath  may text()  => "The script; then there is no configuration.";
        pythonInterpreterPath may text()  => "What runs the script.";
        commandLineArgs       may text()  => "Arguments.";
        processCount          may int32() => "How many processes; one a node if not given.";
    }

    Caffe2Settings "A Caffe2 job." {
        pythonScriptFilePath  need text() => "The script.";
        pythonInterpreterPath may text()  => "What runs the script; python if not given.";
        commandLineArgs       may text()  => "Arguments.";
    }

    ChainerSettings "A Chainer job." {
        pythonScriptFilePath  need text() => "The script.";
        pythonInterpreterPath may text()  => "What runs the script; python if not given.";
        commandLineArgs       may text()  => "Arguments.";
        processCount          may int32() => "How many processes; one a node if not given.";
    }

    CustomToolkitSettings "A command of one's own." {
        commandLine may text()                => "The command, as bash reads it. Without it, nothing is run.";
        perNode     may flag().default(false) => "Runs the command on every node of the job, which needs a commandLine, instead of on the first alone. Not written where it is false. New in 2026-12-01-preview.";
    }

    CustomMpiSettings "A command that MPI starts." {
        commandLine  need text() => "The command that each process runs.";
        processCount may int32() => "How many processes; one a node if not given.";
    }

    PyTorchSettings "A PyTorch job." {
        pythonScriptFilePath  need text() => "The script.";
        pythonInterpreterPath may text()  => "What runs the script; python if not given.";
        commandLineArgs       may text()  => "Arguments.";
        processCount          may int32() => "How many processes; one a node if not given.";
        communicationBackend  may text()  => "How the processes talk: tcp, gloo, mpi or nccl, in any case. One process needs none.";
    }

    HorovodSettings "A Horovod job." {
        pythonScriptFilePath  need text() => "The script.";
        pythonInterpreterPath may text()  => "What runs the script; python if not given.";
        commandLineArgs       may text()  => "Arguments.";
        processCount          may int32() => "How many processes; one a node if not given.";
    }

    TensorFlowSettings "A TensorFlow job." {
        pythonScriptFilePath           need text() => "The script.";
        pythonInterpreterPath          may text()  => "What runs the script; python if not given.";
        masterCommandLineArgs          may text()  => "Arguments of the master.";
        workerCommandLineArgs          may text()  => "Arguments of each worker.";
        parameterServerCommandLineArgs may text()  => "Arguments of each parameter server.";
        workerCount                    may int32() => "How many workers; one a node if not given.";
        parameterServerCount           may int32() => "How many parameter servers; one if not given and there are several nodes.";
    }
}
