//! File servers in the tables: who mounts them, what they leave behind, and how the rows of the version before
//! are read.

use jiff::Timestamp;
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{GroupName, Name, Region, SubscriptionId};
use trainyard_domain::resource_id::{GroupPath, ResourceId};
use trainyard_domain::spec::*;
use trainyard_domain::state::*;
use trainyard_store::db::{Db, InlineHandle};
use trainyard_store::seal::{SealKey, system_random};
use trainyard_store::{MIGRATIONS, NewCluster, NewFileServer, NewJob, Store, StoreError, Tx};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn name(text: &str) -> Name {
    Name::new(text, "name").expect("a name")
}

fn id(text: &str) -> ResourceId {
    ResourceId::new(text, "id").expect("an id")
}

fn store(handle: &InlineHandle) -> Store {
    let key = SealKey::from_bytes(&[7; 32], system_random());
    Store::inline(handle.clone(), key).expect("opens")
}

fn write<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    store.write(work).wait().expect("written")
}

fn account() -> UserAccountSettings {
    UserAccountSettings {
        admin_user_name: "u".to_owned(),
        admin_user_ssh_public_key: Some("k".to_owned()),
        admin_user_password: None,
    }
}

fn server_spec() -> FileServerSpec {
    FileServerSpec {
        vm_size: "STANDARD_D1".to_owned(),
        ssh_configuration: SshConfiguration {
            public_ips_to_allow: None,
            user_account_settings: account(),
        },
        data_disks: DataDisks {
            disk_size_in_gb: 1,
            caching_type: CachingType::None,
            disk_count: 1,
            storage_account_type: "Standard_LRS".to_owned(),
        },
        subnet: None,
        flat: trainyard_domain::spec::FlatFileServer::default(),
    }
}

fn cluster_spec() -> ClusterSpec {
    ClusterSpec {
        vm_size: "STANDARD_D1".to_owned(),
        vm_priority: VmPriority::Dedicated,
        scale: Scale::Manual {
            target_node_count: 0,
            node_deallocation_option: DeallocationOption::Requeue,
        },
        image: ImageReference::default(),
        node_setup: None,
        user_account_settings: account(),
        subnet: None,
        flat: trainyard_domain::spec::FlatCluster::default(),
    }
}

fn job_spec() -> JobSpec {
    JobSpec {
        priority: Priority::NORMAL,
        cluster: id("/clusters/c"),
        mount_volumes: None,
        node_count: 1,
        container_settings: None,
        toolkit: Toolkit::Custom(None),
        job_preparation: None,
        std_out_err_path_prefix: "/x".to_owned(),
        input_directories: Vec::new(),
        output_directories: Vec::new(),
        environment_variables: Vec::new(),
        secrets: Vec::new(),
        max_wall_clock_seconds: 60,
        flat: trainyard_domain::spec::FlatJob::default(),
    }
}

fn workspace(tx: &Tx<'_>) -> Result<Workspace, StoreError> {
    let path = GroupPath {
        subscription: SubscriptionId::new("s").expect("an id"),
        group: GroupName::new("g").expect("a name"),
    };
    let region = Region::new("eastus", "location").expect("a region");
    if let Some(group) = tx.group(&path.subscription, &path.group)?
        && let Some(found) = tx.workspace(group.uid, &name("w"))?
    {
        return Ok(found);
    }
    let group = tx.insert_group(&path, &region, &Tags::new(), NOW)?;
    tx.insert_workspace(&group, &name("w"), &region, &Tags::new(), NOW)
}

fn server(tx: &Tx<'_>, called: &str, folder: Option<&str>) -> Result<FileServer, StoreError> {
    let settings = MountSettings {
        mount_point: "/data".to_owned(),
        public_ip: "127.0.0.1".to_owned(),
        internal_ip: "127.0.0.1".to_owned(),
    };
    let new = NewFileServer {
        workspace: &workspace(tx)?,
        name: &name(called),
        spec: &server_spec(),
        made_subnet: id("/subnets/made"),
        made: folder.map(|folder| (folder.to_owned(), settings)),
    };
    tx.insert_file_server(new, NOW)
}

fn cluster(tx: &Tx<'_>, called: &str) -> Result<Uid, StoreError> {
    let status = ClusterStatus {
        allocation: Allocation::Steady,
        allocation_since: NOW,
        wanted_nodes: 0,
        shortage: None,
        std_out_err_path_suffix: String::new(),
        last_node_number: 0,
        setback: None,
        subnet: None,
    };
    let new = NewCluster {
        workspace: &workspace(tx)?,
        name: &name(called),
        spec: &cluster_spec(),
        status,
    };
    Ok(tx.insert_cluster(new, NOW)?.meta.uid)
}

fn job(tx: &Tx<'_>, called: &str) -> Result<Job, StoreError> {
    let workspace = workspace(tx)?;
    let experiment = match tx.experiment(workspace.meta.uid, &name("e"))? {
        Some(found) => found,
        None => tx.insert_experiment(&workspace, &name("e"), NOW)?,
    };
    let new = NewJob {
        experiment: &experiment,
        name: &name(called),
        cluster: Uid(1),
        spec: &job_spec(),
        status: JobStatus::new(String::new(), std::collections::BTreeMap::new(), NOW),
    };
    tx.insert_job(new, NOW)
}

#[test]
fn a_file_server_reads_back_and_leaves_its_folder_behind() {
    let store = store(&InlineHandle::memory().expect("a database"));
    let (one, failed) = write(&store, |tx| {
        Ok((server(tx, "one", Some("f-1"))?, server(tx, "two", None)?))
    });
    assert_eq!(one.subnet(), Some(&id("/subnets/made")));
    assert_eq!(failed.meta.provisioning, Provisioning::Failed);
    let read = store.read(|s| s.all_file_servers());
    assert_eq!(read.expect("readable"), [one.clone(), failed.clone()]);
    write(&store, move |tx| {
        tx.remove_file_server(one.meta.uid)?;
        tx.remove_file_server(failed.meta.uid)
    });
    let left = |store: &Store| {
        store
            .read(|s| -> Result<_, StoreError> { Ok((s.folders_to_remove(10)?, s.deletions_are_due()?)) })
            .expect("readable")
    };
    assert_eq!(left(&store), (vec!["f-1".to_owned()], true));
    write(&store, |tx| tx.folder_is_removed("f-1"));
    assert_eq!(left(&store), (Vec::new(), false));
}

#[test]
fn no_two_file_servers_have_one_folder() {
    let store = store(&InlineHandle::memory().expect("a database"));
    write(&store, |tx| server(tx, "one", Some("f-1")));
    let refused = store.write(|tx| server(tx, "two", Some("f-1"))).wait();
    assert!(refused.is_err());
}

#[test]
fn mounts_end_with_their_cluster_and_with_the_end_of_their_job() {
    let store = store(&InlineHandle::memory().expect("a database"));
    let (servers, cluster, jobs) = write(&store, |tx| {
        let servers = [server(tx, "one", Some("f-1"))?, server(tx, "two", Some("f-2"))?].map(|s| s.meta.uid);
        let cluster = cluster(tx, "c")?;
        tx.insert_mounts(cluster, &[servers[1], servers[0], servers[1]])?;
        let jobs = [job(tx, "over")?, job(tx, "removed")?, job(tx, "running")?];
        for job in &jobs {
            tx.insert_mounts(job.meta.uid, &servers[..1])?;
        }
        Ok((servers, cluster, jobs))
    });
    let users = |of: Uid| store.read(|s| s.file_server_users(of, 10)).expect("readable");
    let [over, removed, running] = jobs.map(|job| (job.meta.uid, job));
    assert_eq!(users(servers[0]), [cluster, over.0, removed.0, running.0]);
    assert_eq!(users(servers[1]), [cluster]);
    let first = store.read(|s| s.file_server_users(servers[0], 1));
    assert_eq!(first.expect("readable"), [cluster]);
    let folders = store.read(|s| s.mounted_folders(cluster)).expect("readable");
    let expected = [(0, "f-2"), (1, "f-1"), (2, "f-2")].map(|(entry, folder)| (entry, folder.to_owned()));
    assert_eq!(folders, expected.into());

    let (mut ended, mut begun) = (over.1, running.1);
    write(&store, move |tx| {
        ended.status.phase = JobPhase::Failed;
        tx.set_job_status(&ended)?;
        begun.status.phase = JobPhase::Running;
        tx.set_job_status(&begun)?;
        tx.remove_job(removed.0)
    });
    assert_eq!(users(servers[0]), [cluster, running.0]);
    write(&store, move |tx| tx.remove_cluster(cluster));
    assert_eq!(users(servers[0]), [running.0]);
    assert_eq!(users(servers[1]), []);

    // Gone with its workspace: what mounts it finds nothing there.
    write(&store, move |tx| tx.remove_file_server(servers[0]));
    let folders = store.read(|s| s.mounted_folders(running.0)).expect("readable");
    assert!(folders.is_empty());
}

#[test]
fn a_file_server_of_the_version_before_is_read_and_gets_a_folder() {
    let handle = InlineHandle::memory().expect("a database");
    drop(Db::inline(handle.clone(), &MIGRATIONS[..1]).expect("the first version"));
    handle.with_connection(|conn| {
        let row = r#"
            INSERT INTO resource_groups VALUES (1, 's', 's', 'g', 'g', 'eastus', '{}', 'succeeded', 0);
            INSERT INTO workspaces VALUES (2, 1, 'w', 'w', 'eastus', '{}', 0, 0, 0, 'succeeded', 0);
            INSERT INTO file_servers VALUES (3, 2, 'old', 'old', 0, 0, 0, 'succeeded', 0, '{"v": 1, "is": {
                "vmSize": "STANDARD_D1",
                "sshConfiguration": {"publicIpsToAllow": null, "userAccountSettings": {"adminUserName": "u",
                    "adminUserSshPublicKey": "k", "adminUserPassword": null}},
                "dataDisks": {"diskSizeInGb": 1, "cachingType": "none", "diskCount": 1,
                    "storageAccountType": "Standard_LRS"},
                "subnet": null}}', NULL,
                '{"v": 1, "is": {"mountPoint": "/data", "publicIp": "127.0.0.1", "internalIp": "127.0.0.1"}}');"#;
        conn.execute_batch(row).expect("an old row");
    });
    let store = store(&handle);
    let read = || store.read(|s| s.all_file_servers()).expect("readable").remove(0);
    let old = read();
    assert_eq!((old.folder.clone(), old.subnet()), (None, None));
    assert_eq!(old.spec, server_spec());
    let uid = old.meta.uid;
    write(&store, move |tx| tx.set_file_server_folder(uid, "f-9"));
    write(&store, move |tx| tx.set_file_server_folder(uid, "f-10"));
    assert_eq!(read().folder.as_deref(), Some("f-9"), "the first one stays");
}
