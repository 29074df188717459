//! Lists, what is only ever listed, and the polls of long-running operations.

use super::notation::*;

models! {
    WorkspaceListResult "A page of workspaces." {
        value    read list(of("Workspace")) => "The workspaces.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    ExperimentListResult "A page of experiments." {
        value    read list(of("Experiment")) => "The experiments.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    ClusterListResult "A page of clusters." {
        value    read list(of("Cluster")) => "The clusters.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    FileServerListResult "A page of file servers." {
        value    may list(of("FileServer")) => "The file servers.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    JobListResult "A page of jobs." {
        value    read list(of("Job")) => "The jobs.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    RemoteLoginInformationListResult "How to log in to some nodes." {
        value    read list(of("RemoteLoginInformation")) => "The nodes.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    RemoteLoginInformation "How to log in to a node." {
        nodeId    read text()  => "The node.";
        ipAddress read text()  => "Its address.";
        port      read int32() => "The port of SSH there.";
    }

    FileListResult "A page of an output directory." {
        value    read list(of("File")) => "Files and directories.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    File "A file or a directory." {
        name        read text() => "Its name, without the directories above.";
        fileType    read open("FileType", &["file", "directory"]) => "Which of the two it is.";
        downloadUrl read text() => "A link to it that needs no token and expires. Files only.";
        properties  may of("FileProperties") => "Size and time. Files only.";
    }

    FileProperties "Size and time of a file." {
        lastModified  read time()  => "When it was last written.";
        contentLength read int64() => "Its size in bytes.";
    }

    ListUsagesResult "All quotas." {
        value    read list(of("Usage")) => "The quotas.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    Usage "A quota and how much of it is in use." {
        unit         read open("UsageUnit", &["Count"]) => "What the numbers are.";
        currentValue read int32() => "How much is in use.";
        limit        read int64() => "The quota.";
        name         read of("UsageName") => "Which quota it is.";
    }

    UsageName "The names of a quota." {
        value          read text() => "For programs.";
        localizedValue read text() => "For people.";
    }

    OperationListResult "Everything that a role can allow." {
        value    read list(of("Operation")) => "The actions.";
        nextLink read text() => "Where the list goes on. Absent on the last page.";
    }

    Operation "Something that a role can allow." {
        name       read text() => "The action, such as Microsoft.BatchAI/workspaces/read.";
        display    may of("OperationDisplay") => "The same for people.";
        origin     read text() => "Who may do it: user,system.";
        properties may object() => "Never there.";
    }

    OperationDisplay "An action in words." {
        provider    read text() => "Whose it is.";
        operation   read text() => "What it does.";
        resource    read text() => "What it is done to.";
        description read text() => "Both in a sentence.";
    }

    OperationResult "How far a long-running operation is." {
        id         read text() => "Where this answer is from.";
        name       read text() => "The operation.";
        status     read open("OperationState", &["InProgress", "Succeeded", "Failed"]) => "How far it is.";
        startTime  read time() => "When it began.";
        endTime    read time() => "When it ended. Absent before.";
        properties read of("OperationResultProperties") => "What it was about. Present when it has succeeded.";
        error      read of("CloudErrorBody") => "Why it failed. Present when it has.";
    }

    OperationResultProperties "What a long-running operation was about." {
        resourceId read text() => "Subscription, group and names of the resource, joined by $.";
    }
}
