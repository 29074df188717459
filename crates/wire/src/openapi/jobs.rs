//! Jobs.

use super::notation::*;

models! {
    JobCreateParameters "A job to be made." {
        properties may of("JobBaseProperties") => "What it is to do.";
    }

    JobBaseProperties "What a job is to do. It has exactly one of the settings of a toolkit." {
        schedulingPriority    may open("JobPriority", &["low", "normal", "high"]).default("normal") => "Its place in the line of its cluster: before all jobs of a lower priority.";
        cluster               need of("ResourceId")            => "The cluster whose nodes it runs on; it may stand in another workspace.";
        mountVolumes          may of("MountVolumes")           => "What this job alone finds, beneath $AZ_BATCHAI_JOB_MOUNT_ROOT.";
        nodeCount             need int32()                     => "How many nodes it needs. It starts when all of them are free, never with fewer.";
        containerSettings     may of("ContainerSettings")      => "The container that it runs in. Without it, it runs on the node itself.";
        cntkSettings          may of("CNTKsettings")           => "It is a CNTK job.";
        pyTorchSettings       may of("PyTorchSettings")        => "It is a PyTorch job.";
        tensorFlowSettings    may of("TensorFlowSettings")     => "It is a TensorFlow job.";
        caffeSettings         may of("CaffeSettings")          => "It is a Caffe job.";
        caffe2Settings        may of("Caffe2Settings")         => "It is a Caffe2 job.";
        chainerSettings       may of("ChainerSettings")        => "It is a Chainer job.";
        customToolkitSettings may of("CustomToolkitSettings")  => "It is a command of its own.";
        customMpiSettings     may of("CustomMpiSettings")      => "It is a command that MPI starts.";
        horovodSettings       may of("HorovodSettings")        => "It is a Horovod job.";
        jobPreparation        may of("JobPreparation")         => "What is run on each of its nodes beforehand.";
        stdOutErrPathPrefix   need text()                      => "The directory beneath which its output is written; may begin with $AZ_BATCHAI_MOUNT_ROOT or $AZ_BATCHAI_JOB_MOUNT_ROOT.";
        inputDirectories      may list(of("InputDirectory"))   => "Paths that it finds in variables.";
        outputDirectories     may list(of("OutputDirectory"))  => "Directories that are made for it, found in variables, and listed by listOutputFiles.";
        environmentVariables  may list(of("EnvironmentVariable")) => "Variables that it finds.";
        secrets               may list(of("EnvironmentVariableWithSecretValue")) => "Variables that it finds and nobody is shown.";
        constraints           may of("JobConstraints")         => "Its limits.";
    }

    Job : ProxyResource "A job." {
        properties may of("JobProperties") => "What it does and how it is.";
    }

    JobProperties like JobBaseProperties "What a job does and how it is." {
        experimentName                  read text()        => "The experiment that it stands in.";
        toolType                        may of("ToolType") => "The toolkit whose settings it has.";
        jobOutputDirectoryPathSegment   read text()        => "The path beneath each of its prefixes where its output lies; no other job has it.";
        creationTime                    read time()        => "When it was made.";
        provisioningState               read open("ProvisioningState", &["creating", "deleting", "succeeded", "failed"]) => "How far its making or its deletion is.";
        provisioningStateTransitionTime read time()        => "Since when provisioningState is what it is.";
        executionState                  read open("ExecutionState", &["queued", "running", "terminating", "succeeded", "failed"]) => "How far its run is.";
        executionStateTransitionTime    read time()        => "Since when executionState is what it is.";
        executionInfo                   may of("JobExecutionInfo") => "Its latest run. Absent before the first.";
    }

    JobConstraints "The limits of a job." {
        maxWallClockTime may duration().default("P7D") => "How long it may run, at most seven days.";
    }

    JobExecutionInfo "One run of a job." {
        startTime read time()  => "When it began.";
        endTime   read time()  => "When it ended. Absent while it goes on.";
        exitCode  read int32() => "The exit code of its process. Absent where there is none, as for a job that was terminated.";
        errors    read list(of("BatchAIError")) => "Why it failed. Absent where it did not.";
    }

    JobPreparation "What is run on each node of a job beforehand." {
        commandLine need text() => "The command, as bash reads it; run where the job runs, in its container if it has one.";
    }

    InputDirectory "A path that a job finds in a variable." {
        id   need text() => "Its name: the variable is AZ_BATCHAI_INPUT_ and the name.";
        path need text() => "The path; may name variables of the job.";
    }

    OutputDirectory "A directory made for a job, which finds it in a variable." {
        id         need text() => "Its name: the variable is AZ_BATCHAI_OUTPUT_ and the name.";
        pathPrefix need text() => "The directory beneath which it is made; may begin with $AZ_BATCHAI_MOUNT_ROOT or $AZ_BATCHAI_JOB_MOUNT_ROOT.";
        pathSuffix may text()  => "The last part of its path.";
    }

    ContainerSettings "The container of a job." {
        imageSourceRegistry need of("ImageSourceRegistry") => "The image and where it is from.";
        shmSize             may text() => "How large /dev/shm is, such as 16gb.";
    }

    ImageSourceRegistry "An image and where it is from." {
        serverUrl   may text()  => "The registry. Without it, the public one.";
        image       need text() => "The image; with its registry where that is not the public one.";
        credentials may of("PrivateRegistryCredentials") => "How to log in to the registry.";
    }

    PrivateRegistryCredentials "How to log in to a registry. The password is given in one of two ways." {
        username                need text()   => "As whom.";
        password                secret text() => "The password.";
        passwordSecretReference may of("KeyVaultSecretReference") => "The vault that has the password.";
    }
}
