//! What all resources have, workspaces, experiments, and errors.

use super::notation::*;

models! {
    Resource "A resource with a region and tags." {
        id       read text() => "The whole id of the resource.";
        name     read text() => "Its name, the last segment of the id.";
        type     read text() => "Its type, such as Microsoft.BatchAI/workspaces.";
        location read text() => "Its region.";
        tags     read tags() => "Labels of the user's own.";
    }

    ProxyResource "A resource inside another one, whose region it has." {
        id   read text() => "The whole id of the resource.";
        name read text() => "Its name, the last segment of the id.";
        type read text() => "Its type, such as Microsoft.BatchAI/workspaces/clusters.";
    }

    ResourceId "Points to another resource." {
        id need text() => "The whole id of the resource meant.";
    }

    WorkspaceCreateParameters "A workspace to be made." {
        location need text() => "The region of the workspace and of all that is put into it.";
        tags     may tags()  => "Labels of the user's own.";
    }

    WorkspaceUpdateParameters "A change of a workspace." {
        tags may tags() => "The labels it is to have from now on; those it had are gone.";
    }

    Workspace : Resource "A workspace: clusters, file servers and experiments stand in it." {
        properties may of("WorkspaceProperties") => "Its life.";
    }

    WorkspaceProperties "The life of a workspace." {
        creationTime                    read time() => "When it was made.";
        provisioningState               read open("ProvisioningState", &["creating", "deleting", "succeeded", "failed"]) => "How far its making or its deletion is.";
        provisioningStateTransitionTime read time() => "Since when provisioningState is what it is.";
    }

    Experiment : ProxyResource "An experiment: jobs that belong together." {
        properties may of("ExperimentProperties") => "Its life.";
    }

    ExperimentProperties "The life of an experiment." {
        creationTime                    read time() => "When it was made.";
        provisioningState               read open("ProvisioningState", &["creating", "deleting", "succeeded", "failed"]) => "How far its making or its deletion is.";
        provisioningStateTransitionTime read time() => "Since when provisioningState is what it is.";
    }

    CloudError "The answer to a request that is refused." {
        error read of("CloudErrorBody") => "What is wrong.";
    }

    CloudErrorBody "What is wrong with a request or an operation." {
        code    read text() => "A fixed word for programs.";
        message read text() => "A sentence for people: what was asked, what was found, what to do.";
        target  read text() => "The member or parameter that it is about.";
        details read list(of("CloudErrorBody")) => "More that is wrong.";
    }

    BatchAIError "What went wrong with a node or a job." {
        code    read text() => "A fixed word for programs.";
        message read text() => "A sentence for people.";
        details read list(of("NameValuePair")) => "Facts that belong to it.";
    }

    NameValuePair "A fact with its name." {
        name  may text() => "What it is called.";
        value may text() => "What it is.";
    }

    KeyVaultSecretReference "A secret that lies in a key vault." {
        sourceVault need of("ResourceId") => "The vault.";
        secretUrl   need text()           => "Where in the vault the secret is.";
    }

    EnvironmentVariable "A variable of a process." {
        name  need text() => "Its name.";
        value need text() => "Its value.";
    }

    EnvironmentVariableWithSecretValue "A variable of a process whose value is not shown. Its value is given in one of two ways." {
        name                 need text()                     => "Its name.";
        value                secret text()                   => "Its value.";
        valueSecretReference may of("KeyVaultSecretReference") => "The vault that has its value.";
    }

    UserAccountSettings "The administrator's account on a machine. It needs a key or a password." {
        adminUserName         need text()   => "What the account is called.";
        adminUserSshPublicKey may text()    => "The public key that opens it by SSH.";
        adminUserPassword     secret text() => "The password that opens it.";
    }
}
