//! Volumes.

use super::notation::*;

models! {
    MountVolumes "Volumes that a cluster or a job mounts." {
        azureFileShares      may list(of("AzureFileShareReference"))      => "File shares of storage accounts.";
        azureBlobFileSystems may list(of("AzureBlobFileSystemReference")) => "Blob containers of storage accounts.";
        fileServers          may list(of("FileServerReference"))          => "File servers of a workspace.";
        unmanagedFileSystems may list(of("UnmanagedFileSystemReference")) => "File systems of one's own.";
    }

    AzureStorageCredentialsInfo "What opens a storage account. The key is given in one of two ways." {
        accountKey                secret text() => "The key.";
        accountKeySecretReference may of("KeyVaultSecretReference") => "The vault that has the key.";
    }

    AzureFileShareReference "A file share of a storage account." {
        accountName       need text() => "The storage account.";
        azureFileUrl      need text() => "The share, as https://ACCOUNT.file.core.windows.net/SHARE.";
        credentials       need of("AzureStorageCredentialsInfo") => "What opens the account; in answers, without the key.";
        relativeMountPath need text() => "Where it appears beneath the mount root.";
        fileMode          may text().default("0777") => "The mode of its files.";
        directoryMode     may text().default("0777") => "The mode of its directories.";
    }

    AzureBlobFileSystemReference "A blob container of a storage account." {
        accountName       need text() => "The storage account.";
        containerName     need text() => "The container.";
        credentials       need of("AzureStorageCredentialsInfo") => "What opens the account; in answers, without the key.";
        relativeMountPath need text() => "Where it appears beneath the mount root.";
        mountOptions      may text()  => "Options of the mount.";
    }

    FileServerReference "A file server of a workspace." {
        fileServer        need of("ResourceId") => "The file server.";
        sourceDirectory   may text()  => "The directory of it that is mounted. Without it, all.";
        relativeMountPath need text() => "Where it appears beneath the mount root.";
        mountOptions      may text()  => "Options of the mount.";
    }

    UnmanagedFileSystemReference "A file system of one's own." {
        mountCommand      need text() => "The command that mounts it, without the path, which is put behind it.";
        relativeMountPath need text() => "Where it appears beneath the mount root.";
    }
}
