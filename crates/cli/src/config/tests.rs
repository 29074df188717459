//! The layers, over real files.

use std::collections::BTreeSet;

use super::accounts::{AccountKind, Files};
use super::layers::{ConfigError, Flag, SECRET_KEY_VARIABLE, Surroundings, load};
use super::*;
use crate::config::keys::KEYS;

struct Place {
    folder: tempfile::TempDir,
    surroundings: Surroundings,
}

impl Place {
    /// An empty home with these variables.
    fn new(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = [("HOME", folder.path().to_str().unwrap())];
        let variables = home
            .iter()
            .chain(variables)
            .map(|(name, text)| (name.into(), text.into()))
            .collect();
        let surroundings = Surroundings {
            variables,
            folder: folder.path().to_owned(),
            ..Surroundings::default()
        };
        Self { folder, surroundings }
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, flags: &[(&'static str, &'static str)]) -> Result<Config, ConfigError> {
        let flags: Vec<Flag> = flags
            .iter()
            .map(|&(key, text)| Flag {
                flag: "--flag",
                key,
                text: text.to_owned(),
            })
            .collect();
        load(&self.surroundings, None, &flags)
    }

    fn refusal(&self, flags: &[(&'static str, &'static str)]) -> String {
        self.load(flags).unwrap_err().to_string()
    }
}

const DEFAULT_FILE: &str = ".local/share/trainyard/trainyard.toml";

#[test]
fn defaults_stand_alone() {
    let place = Place::new(&[]);
    let config = place.load(&[]).unwrap();
    let data = place.folder.path().join(".local/share/trainyard");
    assert_eq!(
        config,
        Config {
            data: Some(data),
            ..Config::default()
        }
    );
    let xdg = Place::new(&[("XDG_DATA_HOME", "/x")]);
    assert_eq!(
        xdg.load(&[]).unwrap().data(),
        std::path::Path::new("/x/trainyard")
    );
}

#[test]
fn each_layer_lies_over_the_one_before() {
    let place = Place::new(&[
        ("TRAINYARD_LOCAL_MAX_NODES", "8"),
        ("TRAINYARD_LOCAL_GRACE_SECONDS", "5"),
    ]);
    place.write(
        DEFAULT_FILE,
        "max_node_losses = 9\nmin_free = \"2GiB\"\n[local]\nmax_nodes = 7\ngrace_seconds = 4\n\
         [autoscale]\nidle_time = 11\n",
    );
    let config = place.load(&[("local.max_nodes", "9")]).unwrap();
    assert_eq!(config.local.max_nodes, 9, "flag over variable");
    assert_eq!(config.local.grace_seconds, 5, "variable over file");
    assert_eq!(
        (config.max_node_losses, config.autoscale.idle_time),
        (9, 11),
        "file over default"
    );
    assert_eq!(config.min_free, ByteSize(2 << 30));
    assert_eq!(config.quotas.clusters, 20, "default");
}

#[test]
fn variables_of_every_kind() {
    let place = Place::new(&[
        ("TRAINYARD_LISTEN", "0.0.0.0:1"),
        ("TRAINYARD_ALLOW_INSECURE_LISTEN", "true"),
        ("TRAINYARD_LOCAL_PASS_ENVIRONMENT", "A, B,"),
        ("TRAINYARD_LIMITS_BODY_BYTES", "8192"),
        ("TRAINYARD_LOCAL_MISSING_GPUS", "ignore"),
        ("TRAINYARD_QUOTAS_DEDICATED_CORES", "24"),
        ("TRAINYARD_DATA", "mine"),
    ]);
    let config = place.load(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:1");
    assert_eq!(config.local.pass_environment, ["A", "B"]);
    assert_eq!(config.limits.body_bytes, ByteSize(8192));
    assert_eq!(config.local.missing_gpus, MissingGpus::Ignore);
    assert_eq!(config.quotas.dedicated_cores, Some(24));
    assert_eq!(config.data(), place.folder.path().join("mine"));
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    for (text, key, line) in [
        (
            "listen = \"127.0.0.1:1\"\n\nlisten_on = 1\n",
            "listen_on",
            "line 3",
        ),
        ("[local]\n\nmax_node = 1\n", "max_node", "line 3"),
        (
            "[vm_sizes.A]\ncores = 1\nmemory = 1\nfamily = \"F\"\ncpu = 1\n",
            "cpu",
            "line 5",
        ),
        (
            "[storage_accounts.a]\ndirectory = \"/x\"\nkey = 1\n",
            "key",
            "line 3",
        ),
        (
            "[quotas.families.\"Standard D Family\"]\ncores = 1\n",
            "cores",
            "line 2",
        ),
    ] {
        let place = Place::new(&[]);
        place.write(DEFAULT_FILE, text);
        let said = place.refusal(&[]);
        assert!(said.contains(&format!("unknown field `{key}`")), "{said}");
        assert!(said.contains(line) && said.contains("trainyard.toml"), "{said}");
    }
}

#[test]
fn wrong_values_are_named() {
    let place = Place::new(&[]);
    place.write(DEFAULT_FILE, "\nmin_free = \"1GB\"\n");
    let said = place.refusal(&[]);
    assert!(
        said.contains("line 2") && said.contains("\"1GB\" is no size"),
        "{said}"
    );
    let said = Place::new(&[("TRAINYARD_LSTEN", "x")]).refusal(&[]);
    assert!(said.contains("TRAINYARD_LSTEN"), "{said}");
    let said = Place::new(&[("TRAINYARD_LOCAL_GRACE_SECONDS", "soon")]).refusal(&[]);
    assert!(
        said.contains("TRAINYARD_LOCAL_GRACE_SECONDS is \"soon\": a whole number"),
        "{said}"
    );
    let said = Place::new(&[("TRAINYARD_LOG_LEVEL", "loud")]).refusal(&[]);
    assert!(
        said.contains("TRAINYARD_LOG_LEVEL is \"loud\"") && said.contains("debug"),
        "{said}"
    );
    let said = Place::new(&[]).refusal(&[("listen", "here")]);
    assert!(said.contains("--flag is \"here\""), "{said}");
    let said = Place::new(&[]).refusal(&[("local.grace_seconds", "-1")]);
    assert!(said.contains("-1"), "{said}");
}

#[test]
fn listening_to_the_network_needs_tls_or_a_plain_word() {
    let place = Place::new(&[]);
    let said = place.refusal(&[("listen", "0.0.0.0:8080")]);
    assert!(
        said.contains("0.0.0.0:8080") && said.contains("allow_insecure_listen = true"),
        "{said}"
    );
    for flags in [
        &[("listen", "[::1]:8080")][..],
        &[("listen", "127.9.9.9:8080")],
        &[("listen", "0.0.0.0:1"), ("allow_insecure_listen", "true")],
        &[
            ("listen", "0.0.0.0:1"),
            ("tls.certificate", "c"),
            ("tls.key", "k"),
        ],
    ] {
        assert!(place.load(flags).is_ok(), "{flags:?}");
    }
    assert!(
        place
            .load(&[("listen", "0.0.0.0:1"), ("tls.local", "true")])
            .is_ok()
    );
    let both = [("tls.certificate", "c"), ("tls.key", "k"), ("tls.local", "true")];
    assert!(place.refusal(&both).contains("tls.local"));
    assert!(
        place
            .refusal(&[("tls.key", "k")])
            .contains("tls.certificate is missing")
    );
}

#[test]
fn values_out_of_range_are_refused() {
    let place = Place::new(&[]);
    for (key, text) in [
        ("public_url", "example.org"),
        ("public_url", "https://example.org/"),
        ("subscriptions", "a/b"),
        ("local.max_nodes", "0"),
        ("limits.body_bytes", "1"),
    ] {
        assert!(place.refusal(&[(key, text)]).starts_with(key), "{key}");
    }
    let on_a_bridge = |nodes| [("local.network", "bridge"), ("local.max_nodes", nodes)];
    place.load(&on_a_bridge("1023")).unwrap();
    place.load(&[("local.max_nodes", "1024")]).unwrap();
    let refusal = place.refusal(&on_a_bridge("1024"));
    assert!(
        refusal.starts_with("local.max_nodes is 1024") && refusal.contains("1 to 1023"),
        "{refusal}"
    );
    place.write(
        DEFAULT_FILE,
        "[vm_sizes.A]\ncores = 0\nmemory = 1\nfamily = \"F\"\n",
    );
    assert!(place.refusal(&[]).starts_with("vm_sizes.A.cores is 0"));
}

#[test]
fn paths_start_from_where_they_are_written() {
    let place = Place::new(&[]);
    let file = place.write(
        "etc/own.toml",
        "data = \"d\"\n[storage_accounts.a]\ndirectory = \"s\"\n[storage_accounts.b]\nkind = \"azure\"\n\
         key_file = \"k\"\n[file_servers]\ndirectory = \"f\"\n\
         [secrets]\nkey_file = \"k\"\n[key_vaults]\nfolder = \"v\"\n",
    );
    let flags = [Flag {
        flag: "--log",
        key: "log.file",
        text: "l".into(),
    }];
    let config = load(&place.surroundings, Some(&file), &flags).unwrap();
    let here = place.folder.path();
    assert_eq!(config.data(), here.join("etc/d"));
    assert_eq!(config.storage_accounts["a"].directory, Some(here.join("etc/s")));
    assert_eq!(config.storage_accounts["b"].key_file, Some(here.join("etc/k")));
    assert_eq!(config.file_servers.directory, Some(here.join("etc/f")));
    assert_eq!(config.key_file(), here.join("etc/k"));
    assert_eq!(config.key_vaults.folder, Some(here.join("etc/v")));
    assert_eq!(config.log.file, Some(here.join("l")));
    let named = Place::new(&[("TRAINYARD_CONFIG", "absent.toml")]).refusal(&[]);
    assert!(
        named.contains("absent.toml"),
        "a named file has to be there: {named}"
    );
    place.write(DEFAULT_FILE, "data = \"/elsewhere\"\n");
    assert!(place.refusal(&[]).contains("/elsewhere"));
}

/// The key is nobody's to see: not among the variables, not in what is printed of them.
#[test]
fn the_key_of_the_environment_is_taken_out() {
    let text = "not to be seen";
    let variables = [
        (SECRET_KEY_VARIABLE.into(), text.into()),
        ("PATH".into(), "/bin".into()),
    ];
    let found = Surroundings::new(variables.into(), "/".into());
    assert_eq!(found.secret_key.as_ref().unwrap().reveal(), text);
    assert_eq!(found.variables.len(), 1);
    assert!(!format!("{found:?}").contains(text));
}

#[test]
fn a_command_for_key_vaults_is_told_what_to_fetch() {
    let place = Place::new(&[]);
    for (command, good) in [
        ("[\"fetch\", \"{url}\"]", true),
        ("[\"fetch\", \"-x\", \"secret/{vault}/{name}\"]", true),
        ("[\"fetch\"]", false),
        ("[\"{name}\"]", false),
        ("[\"fetch\", \"{vault}\"]", false),
    ] {
        place.write(DEFAULT_FILE, &format!("[key_vaults]\ncommand = {command}\n"));
        assert_eq!(place.load(&[]).is_ok(), good, "{command}");
    }
    assert!(place.refusal(&[]).contains("{url} or {name}"));
}

#[test]
fn own_sizes_lie_over_the_catalogue() {
    let place = Place::new(&[]);
    place.write(
        DEFAULT_FILE,
        "[vm_sizes.standard_d1]\ncores = 3\nmemory = 5\nfamily = \"Mine\"\n",
    );
    let sizes = place.load(&[]).unwrap().sizes();
    assert_eq!((sizes["STANDARD_D1"].cores, sizes["STANDARD_D2"].cores), (3, 2));
    assert!(!sizes.contains_key("standard_d1"));
}

#[test]
fn a_quota_of_a_family_that_no_size_is_of_is_refused() {
    let place = Place::new(&[]);
    let quota = |family: &str| format!("[quotas.families.\"{family}\"]\ndedicated_cores = 4\n");
    for family in ["Standard NC Family", "Standard NCv3 Family"] {
        place.write(DEFAULT_FILE, &quota(family));
        let config = place.load(&[]).unwrap();
        assert_eq!(config.quotas.families[family].dedicated_cores, Some(4));
    }
    for family in ["standard nc family", "Mine"] {
        place.write(DEFAULT_FILE, &quota(family));
        let refusal = place.refusal(&[]);
        assert!(
            refusal.starts_with(&format!("quotas.families.\"{family}\"")),
            "{refusal}"
        );
    }
    let own = "[vm_sizes.A]\ncores = 1\nmemory = 1\nfamily = \"Mine\"\n";
    place.write(DEFAULT_FILE, &format!("{}{own}", quota("Mine")));
    assert_eq!(place.load(&[]).unwrap().sizes()["A"].family, "Mine");
}

#[test]
fn an_account_has_the_members_of_its_kind_and_no_others() {
    let s3 = "kind = \"s3\"\nendpoint = \"http://h:1\"\naccess_key_id = \"k\"\n";
    for (text, refused) in [
        (String::new(), "storage_accounts.a.directory is missing"),
        (
            "directory = \"d\"\nkey_file = \"k\"\n".to_owned(),
            "storage_accounts.a.key_file does not belong here: it is of kind = \"azure\"",
        ),
        (
            "kind = \"azure\"\nkey_file = \"k\"\nbucket = \"bucket\"\n".to_owned(),
            "storage_accounts.a.bucket does not belong here: it is of kind = \"s3\"",
        ),
        (
            "kind = \"azure\"\n".to_owned(),
            "storage_accounts.a.key_file is missing",
        ),
        (
            "kind = \"azure\"\nkey_file = \"k\"\nkey_variable = \"K\"\n".to_owned(),
            "storage_accounts.a.key_file is not alone",
        ),
        (
            "kind = \"azure\"\nkey_file = \"k\"\nblob_endpoint = \"h/\"\n".to_owned(),
            "storage_accounts.a.blob_endpoint is h/: write it as https://HOST",
        ),
        (
            s3.to_owned(),
            "storage_accounts.a.secret_access_key_file is missing",
        ),
        (
            format!("{s3}secret_access_key_file = \"f\"\nbucket = \"A\"\n"),
            "storage_accounts.a.bucket is A",
        ),
    ] {
        let place = Place::new(&[]);
        place.write(DEFAULT_FILE, &format!("[storage_accounts.a]\n{text}"));
        let said = place.refusal(&[]);
        assert!(said.starts_with(refused), "{said}");
    }
    let place = Place::new(&[]);
    place.write(DEFAULT_FILE, "[storage_accounts.a]\nkind = \"gcs\"\n");
    assert!(place.refusal(&[]).contains("unknown variant `gcs`"));
    let good = format!("[storage_accounts.a]\n{s3}secret_access_key_file = \"f\"\nbucket = \"lake-1\"\n");
    place.write(DEFAULT_FILE, &good);
    place.load(&[]).unwrap();
}

#[test]
fn file_servers_are_exported_to_nobody_by_an_oversight() {
    let place = Place::new(&[]);
    for (text, refused) in [
        (
            "listen = \"0.0.0.0\"\npublic_address = \"10.0.0.4\"",
            "nfs.listen is 0.0.0.0: other machines reach it",
        ),
        (
            "listen = \"0.0.0.0\"\nclients = [\"10.0.0.0/8\"]",
            "nfs.listen is 0.0.0.0: set nfs.public_address",
        ),
        ("port = 0", "nfs.port is 0"),
        ("clients = [\"*\"]", "the configuration file"),
    ] {
        place.write(DEFAULT_FILE, &format!("[nfs]\nenabled = true\n{text}\n"));
        let said = place.refusal(&[]);
        assert!(said.starts_with(refused), "{said}");
    }
    let whole = "listen = \"0.0.0.0\"\nclients = [\"10.0.0.0/8\"]\npublic_address = \"10.0.0.4\"";
    place.write(DEFAULT_FILE, &format!("[nfs]\nenabled = true\n{whole}\n"));
    assert_eq!(place.load(&[]).unwrap().nfs.clients.len(), 1);
    place.write(DEFAULT_FILE, "");
    assert!(!place.load(&[]).unwrap().nfs.enabled);
}

/// Every member set, by a literal that does not compile when one is missing.
fn full() -> Config {
    let some = || Some(PathBuf::from("x"));
    let text = || Some("x".to_owned());
    let family = FamilyQuota {
        dedicated_cores: Some(1),
        lowpriority_cores: Some(1),
    };
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 1)),
        allow_insecure_listen: true,
        public_url: Some("x".into()),
        data: some(),
        subscriptions: vec!["x".into()],
        min_free: ByteSize(1),
        max_node_losses: 1,
        tls: Tls {
            certificate: some(),
            key: some(),
            local: true,
        },
        sign_in: SignIn {
            token_minutes: 1,
            managed_identity: true,
        },
        autoscale: Autoscale { idle_time: 1 },
        local: Local {
            max_nodes: 1,
            missing_gpus: MissingGpus::Ignore,
            limits: NodeLimits::Off,
            pass_environment: vec!["x".into()],
            grace_seconds: 1,
            level: LevelWish::Plain,
            run_as: Some("x".into()),
            network: NetworkWish::Bridge,
            bridge_subnet: Ipv4Addr::new(10, 1, 0, 0),
            mount_commands: vec!["x".into()],
        },
        remote_login: RemoteLogin {
            enabled: true,
            listen: IpAddr::from([127, 0, 0, 1]),
            ports: Ports(1..=1),
            public_address: Some("x".into()),
        },
        containers: Containers {
            runtime: Choice::Docker,
            program: some(),
            images: some(),
            pull: Pull::Never,
        },
        limits: Limits {
            body_bytes: ByteSize(1),
            stdout_bytes: ByteSize(1),
            execution_log_bytes: ByteSize(1),
            job_temp_bytes: ByteSize(1),
            disk_floor: ByteSize(1),
        },
        retention: Retention {
            event_days: 1,
            events: 1,
            operation_days: 1,
            job_temp_minutes: 1,
            image_days: 1,
            every_minutes: 1,
        },
        log: Log {
            file: some(),
            file_bytes: ByteSize(1),
            keep: 1,
            format: LogFormat::Json,
            level: LogLevel::Trace,
        },
        quotas: Quotas {
            clusters: 1,
            dedicated_cores: Some(1),
            lowpriority_cores: Some(1),
            families: [("NAME".into(), family)].into(),
        },
        vm_sizes: [(
            "NAME".into(),
            VmSize {
                cores: 1,
                memory: 1,
                processes: Some(1),
                gpus: 1,
                family: "x".into(),
            },
        )]
        .into(),
        storage_accounts: [(
            "NAME".into(),
            StorageAccount {
                kind: AccountKind::S3,
                resource_group: text(),
                directory: some(),
                key_file: some(),
                key_variable: text(),
                key_of_requests: Some(true),
                blob_endpoint: text(),
                file_endpoint: text(),
                files: Some(Files::Rclone),
                endpoint: text(),
                region: text(),
                bucket: text(),
                access_key_id: text(),
                secret_access_key_file: some(),
                secret_access_key_variable: text(),
            },
        )]
        .into(),
        file_servers: FileServers { directory: some() },
        nfs: Nfs {
            enabled: true,
            listen: IpAddr::from([127, 0, 0, 1]),
            port: 1,
            clients: Client::of_this_machine(),
            public_address: Some(IpAddr::from([127, 0, 0, 1])),
            program: some(),
        },
        secrets: Secrets { key_file: some() },
        key_vaults: KeyVaults {
            folder: some(),
            command: vec!["x".into()],
            timeout_seconds: 1,
            parallel: 1,
        },
    }
}

fn flatten(prefix: &str, value: &toml::Value, names: &mut BTreeSet<String>) {
    match value.as_table() {
        Some(table) => table.iter().for_each(|(name, value)| {
            let dot = if prefix.is_empty() { "" } else { "." };
            flatten(&format!("{prefix}{dot}{name}"), value, names);
        }),
        None => drop(names.insert(prefix.to_owned())),
    }
}

#[test]
fn every_member_has_its_key_and_every_key_its_member() {
    let mut members = BTreeSet::new();
    flatten("", &toml::Value::try_from(full()).unwrap(), &mut members);
    let keys: BTreeSet<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    assert_eq!(members, keys);
    let variables: BTreeSet<String> = KEYS.iter().filter_map(keys::Key::variable).collect();
    assert_eq!(
        variables.len(),
        KEYS.iter().filter(|key| key.variable().is_some()).count(),
        "two share one"
    );
}

#[test]
fn fixed_defaults_are_told_rightly() {
    let table = toml::Table::try_from(Config::default()).unwrap();
    for key in KEYS {
        let found = key
            .name
            .split('.')
            .try_fold(toml::Value::Table(table.clone()), |value, name| {
                value.get(name).cloned()
            });
        let told = match found {
            Some(toml::Value::String(text)) => text,
            Some(toml::Value::Array(_)) | None => continue,
            Some(other) => other.to_string(),
        };
        assert_eq!(key.default, told, "{}", key.name);
    }
}
