"""`trainyard doctor` on this very machine: what it says is what the server does."""

import json
import subprocess

from harness import PATIENCE, binary, free_port, own_environment, running_server


def doctor(data, *more):
    command = [binary(), "doctor", "--data", str(data), "--json", *more]
    environment = own_environment()
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode in (0, 1), ran.stderr
    return ran.returncode, {line["about"]: line for line in json.loads(ran.stdout)}


def test_it_says_what_the_log_of_a_start_says():
    with running_server() as server:
        code, lines = doctor(server.data, "--listen", f"127.0.0.1:{server.port}")
        log = server.log.read_text()
    assert code == 0 and lines["listen"]["found"] == "A server runs on this data folder already."
    for of in ("cores", "memory", "processes"):
        line = lines[f"limit of {of}"]
        assert (line["state"] == "ok") == (f'of="{of}"' not in log), log
        assert line["state"] == "ok" or line["next"]
    assert (lines["nodes"]["state"] == "ok") == ("not kept apart" not in log), log


def test_what_a_server_cannot_do_without_is_its_exit_code(tmp_path):
    listen = f"127.0.0.1:{free_port()}"
    code, lines = doctor(tmp_path / "new", "--listen", listen)
    assert code == 0 and all(line["serves"] for line in lines.values())
    assert not (tmp_path / "new").exists(), "looking makes no data folder"
    with running_server() as server:
        code, lines = doctor(tmp_path / "new", "--listen", f"127.0.0.1:{server.port}")
    assert code == 1
    assert [about for about, line in lines.items() if not line["serves"]] == ["listen"]
    assert "could not listen" in lines["listen"]["found"]
