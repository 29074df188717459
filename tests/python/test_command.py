"""The `trainyard` command: tokens, locks, configuration, TLS, the end of servers, exit codes."""

import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import harness
import pytest
import requests
from commands import (
    cgroups_of,
    done,
    files_with,
    leave_out,
    mode,
    nodes_of,
    refused,
    resident,
    served,
    trainyard,
)
from harness import CONFIGURATION, PATIENCE, long_sleep, poll_until, running
from yards import Yard, gate

COMMANDS = [
    (),
    ("serve",),
    ("quickstart",),
    ("token",),
    ("token", "create"),
    ("token", "list"),
    ("token", "revoke"),
    ("backup",),
    ("restore",),
    ("stop",),
    ("configuration",),
    ("bench",),
    ("bench", "submit"),
]


# --- tokens


def make_token(server, name, role, scope):
    words = ("token", "create", "--data", server.data, "--name", name, "--role", role, "--scope", scope)
    ended = trainyard(*words)
    assert ended.returncode == 0, ended.stderr
    token = ended.stdout.strip()
    assert token.startswith("trainyard-") and len(token) > 40, ended.stdout
    assert token not in ended.stderr
    return ended.stderr.split()[0], token


def test_tokens_are_made_listed_and_revoked_on_a_running_server(yard):
    server, scope = yard.server, f"/subscriptions/{yard.subscription}"
    workspaces = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces"
    (reader_id, reader), (writer_id, writer) = (
        make_token(server, "looks", "Reader", scope),
        make_token(server, "works", "contributor", f"{yard.group_path}"),
    )

    def status(method, path, token, **more):
        answer = server.call(method, path, token=token, **more)
        return answer.status_code, answer.json().get("error", {}).get("code") if answer.content else None

    wish = {"location": "eastus"}
    assert status("GET", workspaces, reader) == (200, None)
    assert status("PUT", f"{workspaces}/made", reader, json=wish) == (403, "AuthorizationFailed")
    assert status("GET", f"{workspaces}/made", reader) == (404, "WorkspaceNotFound")
    assert status("PUT", f"{workspaces}/made", writer, json=wish)[0] in (200, 201)
    assert status("DELETE", f"{workspaces}/made", reader) == (403, "AuthorizationFailed")
    assert status("PUT", f"{scope}/resourcegroups/other", writer, json=wish) == (403, "AuthorizationFailed")
    # Only an owner makes tokens and stops the server.
    assert status("POST", "/trainyard/stop", writer, version=None, json={}) == (403, "AuthorizationFailed")
    made = {"name": "x", "role": "Reader", "scope": f"{yard.group_path}"}
    assert status("POST", "/trainyard/tokens", writer, json=made) == (403, "AuthorizationFailed")

    lines = [line.split("\t") for line in done("token", "list", "--data", server.data).splitlines()]
    listed = {line[0]: line[1:4] for line in lines}
    assert listed["admin"] == ["admin", "Owner", "/"]
    assert listed[reader_id] == ["looks", "Reader", scope.lower()]
    assert listed[writer_id][:2] == ["works", "Contributor"]
    assert not [line for line in lines if reader in line or writer in line]

    assert trainyard("token", "revoke", "--data", server.data, reader_id).returncode == 0
    assert status("GET", workspaces, reader) == (401, "AuthenticationFailed")
    assert status("GET", workspaces, writer) == (200, None)
    assert reader_id not in done("token", "list", "--data", server.data)
    assert "is not found" in refused(1, "token", "revoke", "--data", server.data, reader_id)
    assert "token list" in refused(1, "token", "revoke", "--data", server.data, "../stop")
    assert trainyard("token", "revoke", "--data", server.data, writer_id).returncode == 0

    assert "Boss" in refused(
        2, "token", "create", "--data", server.data, "--name", "x", "--role", "Boss", "--scope", scope
    )
    wrong = ("--name", "x", "--role", "Reader", "--scope", "/subscriptions/unknown")
    assert "scope" in refused(1, "token", "create", "--data", server.data, *wrong)
    # What is kept of a token says nothing of it.
    assert files_with(server.data, [reader, writer]) == []


def test_the_admin_token_stays_in_its_file(server):
    assert mode(server.data / "admin-token") == 0o600
    assert mode(server.data / "secret-key") == 0o600
    assert mode(server.data) == 0o700
    done("token", "list", "--data", server.data)
    token = server.token
    assert token not in server.log.read_text()
    assert harness.processes(token) == {}, "the token stands in the list of processes"
    assert [file for file, _ in files_with(server.data, [token])] == [str(server.data / "admin-token")]


# --- one server on a folder


def test_a_second_server_on_the_folder_is_refused_and_disturbs_nothing():
    with served() as server:
        before = {path: path.read_bytes() for path in server.data.glob("*") if path.is_file()}
        words = ("serve", "--listen", "127.0.0.1:0", "--data", server.data)
        text = refused(1, *words)
        assert f"pid {server.process.pid}" in text and str(server.data) in text, text
        assert "in use" in text and "another folder" in text, text
        assert server.subscription() and server.process.poll() is None
        done("token", "list", "--data", server.data)  # by the socket, which is still the first server's
        after = {path: path.read_bytes() for path in server.data.glob("*") if path.is_file()}
        steady = [path for path in before if "trainyard.db" not in path.name]
        assert {path: after.get(path) for path in steady} == {path: before[path] for path in steady}
        # The address alone in use: as clear.
        with served(start=False) as other:
            text = refused(1, "serve", "--listen", f"127.0.0.1:{server.port}", "--data", other.data)
            assert f"127.0.0.1:{server.port}" in text and "--listen" in text, text


# --- configuration


def test_what_the_configuration_cannot_mean_is_named():
    with served(start=False) as server:
        data = ("serve", "--data", server.data, "--listen", f"127.0.0.1:{server.port}")
        text = CONFIGURATION + "[limits]\nbody_byte = 5\n"
        server.configure(text)
        line = 1 + text.splitlines().index("body_byte = 5")
        said = refused(2, *data)
        assert "body_byte" in said and f"line {line}" in said and "trainyard.toml" in said, said
        assert "body_bytes" in said, f"the keys that there are are not told: {said}"
        server.configure("min_free =\n")
        assert "line 1" in refused(2, *data)
        server.configure(CONFIGURATION)
        for variables, words in (
            ({"TRAINYARD_LISTN": "x"}, ("TRAINYARD_LISTN",)),
            ({"TRAINYARD_LOG_LEVEL": "loud"}, ("TRAINYARD_LOG_LEVEL", "loud", "debug")),
            ({"TRAINYARD_MIN_FREE": "much"}, ("TRAINYARD_MIN_FREE", "much")),
            ({"TRAINYARD_CONFIG": "/nowhere.toml"}, ("/nowhere.toml",)),
        ):
            said = refused(2, *data, variables=variables)
            assert all(word in said for word in words), said
        said = refused(2, *data[:3], "--listen", f"0.0.0.0:{server.port}")
        assert "0.0.0.0" in said and "tls.certificate" in said and "allow_insecure_listen" in said, said
        said = refused(2, *data[:3], "--listen", f"[::]:{server.port}")
        assert "allow_insecure_listen" in said, said
        assert "tls.key" in refused(2, *data, "--tls-certificate", "x.pem")
        said = refused(1, *data, "--tls-certificate", "no.pem", "--tls-key", "no.key")
        assert "no.pem" in said, said
        # A variable sets what the file does not, a flag goes above both.
        server.variables = {"TRAINYARD_PUBLIC_URL": "https://above.example", "TRAINYARD_LISTEN": "127.0.0.1:1"}
        server.start()


def make_group(server, name):
    path = f"/subscriptions/{server.subscription()}/resourcegroups/{name}"
    assert server.call("PUT", path, json={"location": "eastus"}).status_code in (200, 201)
    made = server.call(
        "PUT", f"{path}/providers/Microsoft.BatchAI/workspaces/w", json={"location": "eastus"}
    )
    assert made.status_code == 200, made.text
    return path


def links_of_a_deletion(server, path):
    """What the answer to a deletion tells to follow."""
    answer = server.call("DELETE", path)
    assert answer.status_code in (200, 202, 204), answer.text
    return [answer.headers[name] for name in ("Azure-AsyncOperation", "Location") if name in answer.headers]


def test_public_url_stands_in_links():
    with served(start=False) as server:
        server.flags = ["--public-url", "https://trains.example.org:8443/batch"]
        server.start()
        base = "https://trains.example.org:8443/batch/subscriptions/"
        path = make_group(server, "linked")
        for name in "ab":
            made = server.call(
                "PUT", f"{path}/providers/Microsoft.BatchAI/workspaces/{name}", json={"location": "eastus"}
            )
            assert made.status_code == 200, made.text
        listed = server.call(
            "GET", f"{path}/providers/Microsoft.BatchAI/workspaces?maxresults=1"
        )
        assert listed.json()["nextLink"].startswith(base), listed.text
        links = links_of_a_deletion(server, path)
        assert links and all(link.startswith(base) for link in links), links


def test_tls_is_served_and_stands_in_links(tmp_path):
    if shutil.which("openssl") is None:
        leave_out("openssl is not here (the server with TLS)")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=yard"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)
    with served(start=False) as server:
        # With TLS an address that others reach is fine.
        server.host, server.flags = "0.0.0.0", ["--tls-certificate", certificate, "--tls-key", key]
        server.url = f"https://127.0.0.1:{server.port}"
        server.start(wait=False)
        trusted = ssl.create_default_context(cafile=str(certificate))

        def ask(path, method="GET", body=None):
            request = urllib.request.Request(server.url + path, method=method, data=body)
            request.add_header("Authorization", f"Bearer {server.token}")
            request.add_header("Content-Type", "application/json")
            return urllib.request.urlopen(request, timeout=PATIENCE, context=trusted)

        def poll_ready():
            assert server.process.poll() is None, server.said()
            try:
                return ask("/healthz").status == 200
            except (urllib.error.URLError, FileNotFoundError):
                return False

        poll_until("the server answers over TLS", poll_ready)
        subscription = json.load(ask("/subscriptions?api-version=2016-06-01"))["value"][0]["subscriptionId"]
        group = f"/subscriptions/{subscription}/resourcegroups/g"
        version = "api-version=2018-05-01"
        for path in (group, f"{group}/providers/Microsoft.BatchAI/workspaces/w"):
            assert ask(f"{path}?{version}", "PUT", b'{"location": "eastus"}').status in (200, 201)
        gone = ask(f"{group}?{version}", "DELETE")
        links = [gone.headers[name] for name in ("Azure-AsyncOperation", "Location") if gone.headers[name]]
        assert links and all(link.startswith(server.url + "/") for link in links), links
        # Without TLS nobody is heard there, and no token leaves the machine by mistake.
        with pytest.raises(requests.RequestException):
            requests.get(f"http://127.0.0.1:{server.port}/healthz", timeout=PATIENCE)
        with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", server.port)) as plain:
            ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")
        # The commands of this machine need no certificate.
        done("token", "list", "--data", server.data)
        done("stop", "--data", server.data)
        assert server.process.wait(PATIENCE) == 0
        server.host, server.flags, server.url = "127.0.0.1", [], f"http://127.0.0.1:{server.port}"


# --- the end


def nothing_left(server):
    """No process, no directory in the cgroup tree, no socket anyone could mistake for a server."""
    assert server.left() == {}
    assert cgroups_of(server) == []
    assert not (server.data / "admin.sock").exists()
    assert not (server.data / "server.json").exists()


def busy(server, command):
    """A yard whose one job runs `command` now."""
    yard = Yard(server)
    yard.build(nodes=1)
    yard.submit("long", command)
    yard.wait_job("long", ("running",))
    return yard


def test_sigterm_ends_the_server_cleanly_and_leaves_the_job():
    with served() as server:
        sleep = long_sleep()
        yard = busy(server, f"{sleep} & {gate('end')}; kill $!; exit 7")
        poll_until("the job runs", lambda: running(sleep) == 1)
        nodes = nodes_of(server)
        # Neither a connection that is kept nor half a request keeps the server from ending.
        kept = requests.Session()
        assert kept.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200
        half = socket.create_connection(("127.0.0.1", server.port))
        half.sendall(b"PUT /subscriptions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{")
        local = socket.socket(socket.AF_UNIX)
        local.connect(str(server.data / "admin.sock"))
        local.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert time.monotonic() - begun < 10
        for one in (kept, half, local):
            one.close()
        assert "the server has ended" in server.said()
        assert not (server.data / "admin.sock").exists() and not (server.data / "server.json").exists()
        # The job goes on and ends without its server; the next one reports how.
        assert running(sleep) == 1 and nodes_of(server) == nodes and len(nodes) == 1
        yard.open_gate("end")
        poll_until("the job has ended", lambda: running(sleep) == 0)
        server.start()
        job = yard.wait_job("long", ("failed",))
        assert job.execution_info.exit_code == 7
        assert nodes_of(server) == nodes, "the node was not found again"


def test_stop_leaves_jobs_and_stop_with_nodes_leaves_nothing():
    with served() as server:
        sleep = long_sleep()
        busy(server, sleep)
        poll_until("the job runs", lambda: running(sleep) == 1)
        done("stop", "--data", server.data)
        # `stop` comes back when the server has really gone: its folder is free at once.
        assert server.process.wait(0.5) == 0
        assert running(sleep) == 1 and len(nodes_of(server)) == 1
        assert "no server runs" in refused(1, "stop", "--data", server.data)
        # Without a live server.
        done("stop", "--nodes", "--data", server.data)
        assert running(sleep) == 0
        nothing_left(server)
        # And with one, which has a job again.
        server.start()
        poll_until("the job runs again", lambda: running(sleep) == 1)
        done("stop", "--nodes", "--data", server.data)
        assert server.process.wait(0.5) == 0, "stop came back before the server had ended"
        assert running(sleep) == 0
        nothing_left(server)
        done("stop", "--nodes", "--data", server.data)  # there is nothing to end, which is fine


def test_stop_with_nodes_after_a_kill_of_the_server():
    with served() as server:
        sleep = long_sleep()
        busy(server, f"trap '' TERM; {sleep}; {sleep}")
        poll_until("the job runs", lambda: running(sleep) == 1)
        server.kill()
        assert "no server runs" in refused(1, "token", "list", "--data", server.data)
        done("stop", "--nodes", "--data", server.data)
        assert running(sleep) == 0 and server.left() == {} and cgroups_of(server) == []


@pytest.mark.parametrize("killed", [False, True], ids=["by the server", "without it"])
def test_nodes_that_have_just_been_started_end_too(killed):
    """Between its start and its first word a node is known by its process alone."""
    with served() as server:
        for number in range(8):
            path = make_group(server, f"g{number}") + "/providers/Microsoft.BatchAI/workspaces/w/clusters/c"
            wish = {
                "vmSize": "STANDARD_D1",
                "scaleSettings": {"manual": {"targetNodeCount": 2}},
                "userAccountSettings": {"adminUserName": "yard", "adminUserPassword": "a password"},
            }
            made = server.call("PUT", path, json={"properties": wish})
            assert made.status_code == 200, made.text
            if killed:
                poll_until("a node is started", lambda: nodes_of(server))
                server.kill()
            done("stop", "--nodes", "--data", server.data)
            server.process.wait(PATIENCE)
            assert server.left() == {} and cgroups_of(server) == []
            server.start()
            assert server.call("DELETE", path).status_code in (200, 202)


@pytest.mark.parametrize("when", ["while the job runs", "while it serves"])
def test_ctrl_c_in_quickstart_ends_everything(when):
    with served(start=False) as server:
        command = [harness.binary(), "quickstart", "--data", str(server.data)]
        command += ["--listen", f"127.0.0.1:{server.port}"]
        with open(server.log, "ab") as log:
            show = subprocess.Popen(command, stdout=log, stderr=log, env=harness.own_environment())
        sought = "serving until Ctrl-C" if when == "while it serves" else "job ranks-"
        try:

            def poll_shown():
                assert show.poll() is None, server.log.read_text()
                return sought in server.log.read_text()

            poll_until(f"quickstart says {sought}", poll_shown)
            show.send_signal(signal.SIGINT)
            assert show.wait(PATIENCE) == 0, server.log.read_text()
        finally:
            show.kill()
            show.wait(PATIENCE)
        nothing_left(server)


# --- figures, help, exit codes


def test_an_idle_server_and_its_nodes_are_small(fact):
    with served(start=False) as server:
        begun = time.monotonic()
        server.start()
        ready = time.monotonic() - begun
        yard = Yard(server)
        yard.build(nodes=2)
        yard.run("one", "true")
        serves, serves_own = resident(server.process.pid), own_memory(server.process.pid)
        node = max(nodes_of(server), key=resident)
        holds, own = resident(node), own_memory(node)
        fact(
            f"start to ready {ready:.2f} s; resident: server {serves / 1e6:.1f} MB, of which {serves_own / 1e6:.1f} MB are "
            f"its own, node {holds / 1e6:.1f} MB, of which {own / 1e6:.1f} MB are its own"
        )
        assert serves_own < 20_000_000 and own < 5_000_000
        # Without optimisation the code alone, which all processes share, is larger than all the rest.
        if Path(harness.binary()).parent.name != "debug":
            assert serves < 40_000_000 and holds < 10_000_000


def own_memory(pid):
    """What a process shares with no file."""
    return resident(pid) - resident(pid, "RssFile")


def test_bench_submit_gives_all_figures(tmp_path):
    words = ("bench", "submit", "--jobs", "20", "--nodes", "2", "--json")
    figures = json.loads(done(*words, variables={"TMPDIR": str(tmp_path)}))
    assert (figures["jobs"], figures["connections"], figures["nodes"]) == (20, 30, 2)
    measured = figures["server"]
    assert measured["failed"] == 0
    assert 0 < measured["put_median_ms"] <= measured["put_99th_ms"]
    for rate in (
        measured["puts_per_second"],
        measured["runs_per_second"],
        *figures["bare_before"].values(),
        *figures["bare_after"].values(),
        figures["ratio"],
    ):
        assert rate > 0, figures
    assert harness.processes(str(tmp_path)) == {} and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_documents_every_flag(words):
    text = done(*words, "--help")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 130, max(lines, key=len)
    options = [at for at, line in enumerate(lines) if re.match(r"\s+(-\w, )?--\w", line)]
    assert options, text
    for at in options:
        flag, _, meaning = lines[at].strip().partition("  ")
        following = lines[at + 1].strip() if at + 1 < len(lines) else ""
        assert meaning.strip() or following, f"{flag} has no meaning"
    for at, line in enumerate(lines):
        if line == "Commands:":
            for command in lines[at + 1 :]:
                if not command.strip():
                    break
                assert len(command.split()) > 1, f"{command} has no meaning"


def test_exit_codes():
    assert done("--version").startswith("trainyard ")
    for words in ((), ("nonsense",), ("serve", "--port", "1"), ("bench", "submit", "--jobs", "0")):
        refused(2, *words)
    assert "--data" in refused(1, "token", "list", "--data", "/nowhere/at/all")
    assert "/nowhere" in refused(1, "backup", "--data", "/nowhere", "--to", "/tmp/never")
    assert "/nowhere" in refused(1, "restore", "--data", "/nowhere", "--from", "/nowhere/file")
    assert "no server runs" in refused(1, "stop", "--data", "/nowhere")
    # Who reads no further is no reason to fall over.
    for words in (("configuration",), ("--help",)):
        command = subprocess.Popen(
            [harness.binary(), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=harness.own_environment()
        )
        command.stdout.close()
        with command:
            said = command.stderr.read().decode()
        assert "panicked" not in said and command.returncode in (0, 1), (command.returncode, said)
