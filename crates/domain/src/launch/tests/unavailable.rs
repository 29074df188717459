//! What is refused, and what is not.

use super::golden::cluster;
use super::*;
use crate::launch::{cluster_unavailable, job_unavailable, vault_unavailable};

fn none() -> KeysOfRequests {
    KeysOfRequests::default()
}

fn member(error: Option<BatchAiError>) -> Option<String> {
    error.map(|error| {
        assert_eq!(error.code, "NotAvailable");
        let member = error.details[0].1.clone();
        assert!(error.message.contains(&member), "{}", error.message);
        member
    })
}

fn refused(spec: &JobSpec) -> Option<String> {
    let found = job_unavailable(spec).or_else(|| vault_unavailable(spec, &none()));
    assert_eq!(plans_of(spec, 0).err(), found, "the plans agree");
    member(found)
}

#[test]
fn file_servers_are_not_refused() {
    let mut mounting = custom("true");
    mounting.mount_volumes = Some(file_server("nfs"));
    assert_eq!(refused(&mounting), None);
}

#[test]
fn volumes_and_vaults_are_named() {
    for (mounts, expected) in [
        (
            file_share("https://acc/..", "x"),
            "properties.mountVolumes.azureFileShares[0].azureFileUrl",
        ),
        (
            container("a/b", "x"),
            "properties.mountVolumes.azureBlobFileSystems[0].containerName",
        ),
    ] {
        let mut spec = custom("true");
        spec.mount_volumes = Some(mounts);
        assert_eq!(refused(&spec).as_deref(), Some(expected));
    }

    let secrets = |sources: Vec<SecretSource>| {
        let named = |value| SecretVariable {
            name: "TOKEN".to_owned(),
            value,
        };
        sources.into_iter().map(named).collect::<Vec<_>>()
    };
    let mut spec = custom("true");
    spec.secrets = secrets(vec![key(), vault()]);
    assert_eq!(
        refused(&spec).as_deref(),
        Some("properties.secrets[1].valueSecretReference")
    );

    let mut contained = custom("true");
    contained.container_settings = Some(ContainerSettings {
        server_url: None,
        image: "private/image".to_owned(),
        credentials: Some(PrivateRegistryCredentials {
            username: "u".to_owned(),
            password: vault(),
        }),
        shm_size: None,
    });
    let error = vault_unavailable(&contained, &none()).unwrap();
    let password = "properties.containerSettings.imageSourceRegistry.credentials.password";
    assert!(
        error.message.contains(&format!("{password}.")) && error.message.contains("key vault v,"),
        "{}",
        error.message
    );
    assert_eq!(
        member(Some(error)).as_deref(),
        Some("properties.containerSettings.imageSourceRegistry.credentials.passwordSecretReference")
    );

    let task = SetupTask {
        command_line: "true".to_owned(),
        environment_variables: Vec::new(),
        secrets: secrets(vec![vault()]),
        std_out_err_path_prefix: "/x".to_owned(),
    };
    let setup = |task, mounts| {
        let setup = NodeSetup {
            setup_task: task,
            mount_volumes: mounts,
            performance_counters_settings: None,
        };
        {
            let spec = cluster(Some(setup));
            member(cluster_unavailable(&spec).or_else(|| vault_unavailable(&spec, &none())))
        }
    };
    assert_eq!(
        setup(Some(task), None).as_deref(),
        Some("properties.nodeSetup.setupTask.secrets[0].valueSecretReference")
    );
    assert_eq!(
        setup(None, Some(container("a/b", "x"))).as_deref(),
        Some("properties.nodeSetup.mountVolumes.azureBlobFileSystems[0].containerName")
    );
    // The keys of accounts are needed only where they have none of their own.
    let mut shares = file_share("https://acc.file.core.windows.net/logs", "x");
    shares.azure_file_shares[0].credentials = vault();
    assert_eq!(setup(None, Some(shares.clone())), None);
    let keys = KeysOfRequests::of(["Acc".to_owned()]);
    let mut mounting = custom("true");
    mounting.mount_volumes = Some(shares.clone());
    let error = vault_unavailable(&mounting, &keys).unwrap();
    assert_eq!(
        member(Some(error)).as_deref(),
        Some("properties.mountVolumes.azureFileShares[0].credentials.accountKeySecretReference")
    );
    shares.azure_file_shares[0].credentials = key();
    mounting.mount_volumes = Some(shares);
    assert_eq!(vault_unavailable(&mounting, &keys), None);
    assert_eq!(member(cluster_unavailable(&cluster(None))), None);
}
