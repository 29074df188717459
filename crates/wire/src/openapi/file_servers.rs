//! File servers.

use super::notation::*;

models! {
    FileServerCreateParameters "A file server to be made." {
        properties may of("FileServerBaseProperties") => "What it is to be like.";
    }

    FileServerBaseProperties "What a file server is to be like." {
        vmSize           need text()                 => "The size of its machine.";
        sshConfiguration need of("SshConfiguration") => "Who may log in, and from where.";
        dataDisks        need of("DataDisks")        => "The disks that it serves.";
        subnet           may of("ResourceId")        => "The subnet in which it is to be.";
    }

    FileServer : ProxyResource "A file server: disks that clusters and jobs can mount." {
        properties may of("FileServerProperties") => "What it is like and how it is.";
    }

    FileServerProperties like FileServerBaseProperties "What a file server is like and how it is." {
        mountSettings                   read of("MountSettings") => "Where to mount it from. Absent until it is ready.";
        provisioningStateTransitionTime read time() => "Since when provisioningState is what it is.";
        creationTime                    read time() => "When it was made.";
        provisioningState               read open("FileServerProvisioningState", &["creating", "updating", "deleting", "succeeded", "failed"]) => "How far its making or its deletion is.";
    }

    MountSettings "Where a file server can be mounted from." {
        mountPoint           may text() => "The path that it exports.";
        fileServerPublicIP   may text() => "Its address for those outside.";
        fileServerInternalIP may text() => "Its address for the nodes.";
    }

    SshConfiguration "Who may log in to a machine, and from where." {
        publicIPsToAllow    may list(text()) => "Addresses and ranges that may connect, at most 400. Without it, all may.";
        userAccountSettings need of("UserAccountSettings") => "The administrator's account.";
    }

    DataDisks "The disks of a file server." {
        diskSizeInGB       need int32() => "The size of each in GB.";
        cachingType        may closed("CachingType", &["none", "readonly", "readwrite"]).default("none") => "What the host keeps in memory.";
        diskCount          need int32() => "How many; several are used as one.";
        storageAccountType need open("StorageAccountType", &["Standard_LRS", "Premium_LRS"]) => "What kind of disk it is.";
    }
}
