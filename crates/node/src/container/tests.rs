//! What runtimes are asked for.

use std::path::PathBuf;

use trainyard_domain::ids::GpuId;
use trainyard_domain::launch::{Container, Login};

use super::call::World;
use super::find::{NoRuntime, Runtime, find};
use super::loader::Loader;
use super::order::Order;
use super::registry::{LoginFile, without_secrets};
use super::settings::{Choice, Settings};
use super::start::{Facts, arguments};

pub fn order() -> Order {
    Order {
        settings: Settings::default(),
        container: Container {
            image: "me/x:1".to_owned(),
            reference: "docker.io/me/x:1".to_owned(),
            shm_bytes: Some(1 << 30),
            login: Some(login()),
            remote_shell: "/e/remote-shell".to_owned(),
        },
        name: "n".to_owned(),
        node: PathBuf::from("/d/7"),
        mark: "/d/7:3-1".to_owned(),
        directories: ["/d/7/root", "/s/a,b"].map(str::to_owned).into(),
        shown: vec![("/d/7/root".to_owned(), "/r".to_owned())],
        isolated: None,
        gpus: Vec::new(),
        cgroup: Some("/trainyard/x/7/job/container".to_owned()),
    }
}

fn login() -> Login {
    Login {
        server: "reg.example.org".to_owned(),
        username: "me".to_owned(),
        password: "pass word".to_owned(),
    }
}

fn facts() -> Facts {
    let world = World {
        variables: Default::default(),
    };
    Facts {
        image: "4fa6".to_owned(),
        // A program that is not there has no libraries.
        loader: Loader::of(&PathBuf::from("/no/trainyard"), &world).unwrap(),
        limits: vec![("nofile", 1, 2)],
        devices: "- name: GPU-a".to_owned(),
    }
}

fn podman() -> Runtime {
    Runtime::Podman(PathBuf::from("/usr/bin/podman"))
}

fn docker() -> Runtime {
    Runtime::Docker(PathBuf::from("/usr/bin/docker"))
}

#[test]
fn podman_is_asked_for_the_container() {
    let words = arguments(&order(), &facts(), &podman()).unwrap().join(" ");
    assert_eq!(
        words,
        "run --detach --name n --label trainyard.node=/d/7 --network=host --user=0:0 --workdir=/ \
         --security-opt=label=disable --cap-drop=MKNOD --env TRAINYARD_PLACEMENT=/d/7:3-1 --entrypoint /.trainyard/bin/trainyard \
         --pull=never --systemd=false --no-healthcheck --log-driver=k8s-file \
         --cgroup-parent=/trainyard/x/7/job/container --shm-size=1073741824 --ulimit=nofile=1:2 \
         --mount type=bind,source=/d/7/root,target=/d/7/root \
         --mount type=bind,\"source=/s/a,b\",\"target=/s/a,b\" \
         --mount type=bind,source=/d/7/container/inside,target=/.trainyard/run \
         --mount type=bind,source=/d/7/container/inside/tools,target=/e,readonly \
         --mount type=bind,source=/no/trainyard,target=/.trainyard/bin/trainyard,readonly \
         4fa6 contained init /.trainyard/run"
    );
}

#[test]
fn docker_is_asked_in_its_words_and_nobody_is_told_the_password() {
    let words = arguments(&order(), &facts(), &docker()).unwrap().join(" ");
    assert!(
        !words.contains("--pull") && !words.contains("--systemd"),
        "{words}"
    );
    assert!(words.contains("type=bind,source=/d/7/root,target=/r"), "{words}");
    assert!(!words.contains("pass word"), "{words}");
}

#[test]
fn a_container_has_the_gpus_of_its_node_and_no_others() {
    let mut order = order();
    order.gpus = vec![GpuId("GPU-a".to_owned())];
    let of =
        |order: &Order, runtime: Runtime| arguments(order, &facts(), &runtime).map(|words| words.join(" "));
    let words = of(&order, podman()).unwrap();
    assert!(words.contains("--device nvidia.com/gpu=GPU-a --mount"), "{words}");
    order.gpus.push(GpuId("GPU-b".to_owned()));
    let words = of(&order, docker()).unwrap();
    assert!(words.contains("--gpus \"device=GPU-a,GPU-b\" --mount"), "{words}");
    let error = of(&order, podman()).unwrap_err();
    assert!(
        error.contains("GPU-b") && error.contains("nvidia-ctk cdi generate"),
        "{error}"
    );
}

#[test]
fn a_login_is_in_a_private_file_that_goes() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = LoginFile::write(folder.path().join("login"), &login()).unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert_eq!(
        text,
        r#"{"auths":{"reg.example.org":{"auth":"bWU6cGFzcyB3b3Jk"}}}"#
    );
    assert_eq!(
        std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(file);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let said = without_secrets("no: pass word, bWU6cGFzcyB3b3Jk", Some(&login()));
    assert_eq!(said, "no: (secret), (secret)");
}

#[test]
fn podman_comes_before_docker_and_what_is_missing_is_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let found = |runtime, program| {
        let settings = Settings {
            runtime,
            program,
            ..Settings::default()
        };
        find(&settings, &path)
    };
    let error = found(Choice::Auto, None).unwrap_err();
    assert!(matches!(&error, NoRuntime::NotFound { .. }));
    assert!(error.to_string().contains("podman and docker"), "{error}");
    assert_eq!(found(Choice::None, None), Err(NoRuntime::SwitchedOff));
    for (name, expected) in [
        ("docker", Runtime::Docker as fn(PathBuf) -> Runtime),
        ("podman", Runtime::Podman),
    ] {
        let program = folder.path().join(name);
        std::fs::write(&program, "").unwrap();
        assert_eq!(found(Choice::None, None), Err(NoRuntime::SwitchedOff));
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(found(Choice::Auto, None), Ok(expected(program.clone())));
        assert_eq!(found(Choice::Auto, Some(program.clone())), Ok(expected(program)));
    }
    let missing = PathBuf::from("/no/podman");
    assert!(matches!(
        found(Choice::Auto, Some(missing)),
        Err(NoRuntime::NoProgram { .. })
    ));
}
