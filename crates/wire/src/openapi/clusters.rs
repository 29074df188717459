//! Clusters.

use super::notation::*;

/// What is done about jobs on nodes that are taken away.
pub fn deallocation() -> (&'static str, Kind) {
    let words = open(
        "DeallocationOption",
        &["requeue", "terminate", "waitforjobcompletion"],
    );
    (
        "DeallocationOption",
        words.default("requeue").about(
            "What becomes of a job whose node is taken away: back into the line, ended, or waited for.",
        ),
    )
}

models! {
    ClusterCreateParameters "A cluster to be made." {
        properties may of("ClusterBaseProperties") => "What it is to be like.";
    }

    ClusterBaseProperties "What a cluster is to be like." {
        vmSize                      need text() => "The size of its nodes, a name that the server knows, such as STANDARD_D2.";
        vmPriority                  may closed("VmPriority", &["dedicated", "lowpriority"]).default("dedicated") => "Whether its nodes are its own, or may be taken away for others.";
        scaleSettings               may of("ScaleSettings") => "How many nodes it has. Without it, none.";
        virtualMachineConfiguration may of("VirtualMachineConfiguration") => "The image of its nodes.";
        nodeSetup                   may of("NodeSetup") => "What is done on a node before jobs run there.";
        userAccountSettings         need of("UserAccountSettings") => "The administrator's account on each node.";
        subnet                      may of("ResourceId") => "The subnet in which the nodes are to be.";
    }

    ClusterUpdateParameters "A change of a cluster." {
        properties may of("ClusterUpdateProperties") => "What is to change.";
    }

    ClusterUpdateProperties "What can be changed of a cluster." {
        scaleSettings may of("ScaleSettings") => "How many nodes it is to have from now on, written whole.";
    }

    Cluster : ProxyResource "A cluster: nodes of one size, on which jobs run." {
        properties may of("ClusterProperties") => "What it is like and how it is.";
    }

    ClusterProperties like ClusterBaseProperties "What a cluster is like and how it is." {
        creationTime                    read time() => "When it was made.";
        provisioningState               read open("ProvisioningState", &["creating", "succeeded", "failed", "deleting"]) => "How far its making or its deletion is. Nodes may still be missing when it has succeeded.";
        provisioningStateTransitionTime read time() => "Since when provisioningState is what it is.";
        allocationState                 read open("AllocationState", &["steady", "resizing"]) => "Whether nodes are coming or going.";
        allocationStateTransitionTime   read time() => "Since when allocationState is what it is.";
        errors                          read list(of("BatchAIError")) => "What went wrong with its nodes. Absent where nothing did.";
        currentNodeCount                read int32() => "How many nodes it has now.";
        nodeStateCounts                 read of("NodeStateCounts") => "The same by what the nodes do.";
    }

    NodeStateCounts "How many nodes of a cluster do what." {
        idleNodeCount      read int32() => "Ready and without a job.";
        runningNodeCount   read int32() => "With a job.";
        preparingNodeCount read int32() => "Not ready yet.";
        unusableNodeCount  read int32() => "Not usable: the set-up went wrong, or the node is lost.";
        leavingNodeCount   read int32() => "On the way out.";
    }

    ScaleSettings "How many nodes a cluster has: one of two ways." {
        manual    may of("ManualScaleSettings") => "As many as are asked for.";
        autoScale may of("AutoScaleSettings")   => "As many as its jobs need, between bounds.";
    }

    ManualScaleSettings "A number of nodes that is asked for." {
        targetNodeCount        need int32().default(0) => "How many nodes.";
        nodeDeallocationOption may of("DeallocationOption").default("requeue") => "What becomes of jobs when the number is made smaller.";
    }

    AutoScaleSettings "Bounds between which the number of nodes follows the jobs." {
        minimumNodeCount need int32()           => "Never fewer, as long as there is room for them.";
        maximumNodeCount need int32()           => "Never more.";
        initialNodeCount may int32().default(0) => "How many there are to be at first.";
    }

    VirtualMachineConfiguration "What a node is made of." {
        imageReference may of("ImageReference") => "The image. Without it, Ubuntu Server 16.04 LTS is written.";
    }

    ImageReference "An image by its names, or one of your own. Kept and shown; nodes of this server have no images." {
        publisher             need text() => "Who made it.";
        offer                 need text() => "Which product it is.";
        sku                   need text() => "Which edition it is.";
        version               may text()  => "Which version it is. Without it, latest is written.";
        virtualMachineImageId may text()  => "The id of an image of your own; the names then say what it was made from.";
    }

    NodeSetup "What is done on a node before jobs run there." {
        setupTask                   may of("SetupTask")    => "A command to run once on each node, after the mounts.";
        mountVolumes                may of("MountVolumes") => "What all jobs find beneath $AZ_BATCHAI_MOUNT_ROOT.";
        performanceCountersSettings may of("PerformanceCountersSettings") => "Where figures of the nodes go. Kept and shown; this server sends none.";
    }

    SetupTask "A command that makes a node ready." {
        commandLine          need text() => "The command, as bash reads it. It may run again on the same node.";
        environmentVariables may list(of("EnvironmentVariable")) => "Variables that it finds.";
        secrets              may list(of("EnvironmentVariableWithSecretValue")) => "Variables that it finds and nobody is shown.";
        stdOutErrPathPrefix  need text() => "The directory beneath which its output is written; may begin with $AZ_BATCHAI_MOUNT_ROOT.";
        stdOutErrPathSuffix  read text() => "Where beneath it, a path that no other task has.";
    }

    PerformanceCountersSettings "Where figures of the nodes go." {
        appInsightsReference need of("AppInsightsReference") => "The component of Application Insights.";
    }

    AppInsightsReference "A component of Application Insights. Its key is given in one of two ways." {
        component                         need of("ResourceId") => "The component.";
        instrumentationKey                secret text()         => "Its key.";
        instrumentationKeySecretReference may of("KeyVaultSecretReference") => "The vault that has its key.";
    }
}
