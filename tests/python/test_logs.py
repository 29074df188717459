"""Logs as an operator reads them, and signed links as a browser follows them."""

import datetime
import json
import re
import signal
from urllib.parse import parse_qs, quote, urlsplit

import requests
from commands import served
from harness import CONFIGURATION, PATIENCE, poll_until
from yards import Yard

PASSWORD = "planted-password-of-a-log"
REQUEST = "x-ms-request-id"


def put_cluster(server, yard):
    """A cluster put as plain HTTP, with a password; one good, one bad."""
    path = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/yard/clusters/planted"
    wish = {
        "vmSize": "STANDARD_D1",
        "scaleSettings": {"manual": {"targetNodeCount": 0}},
        "userAccountSettings": {"adminUserName": "yard", "adminUserPassword": PASSWORD},
    }
    good = server.call("PUT", path, json={"properties": wish})
    assert good.status_code == 200, good.text
    wish["userAccountSettings"]["adminUserPassword"] = [PASSWORD]
    bad = server.call("PUT", path, json={"properties": wish})
    assert bad.status_code == 400 and PASSWORD not in bad.text, bad.text
    stranger = server.call("GET", path, token="trainyard-planted-token-of-nobody")
    assert stranger.status_code == 401
    return good, bad, stranger


def silent(text, server):
    for secret in (PASSWORD, server.token, "planted-token", "Bearer", "Authorization", "authorization"):
        assert secret not in text, [line for line in text.splitlines() if secret in line]


def test_text_logs_name_requests_and_keep_secrets():
    with served(start=False) as server:
        server.flags = ["--log-level", "trace"]
        server.start()
        yard = Yard(server)
        yard.build(nodes=0)
        answers = put_cluster(server, yard)
        lines = server.log.read_text().splitlines()
        for answer in answers:
            about = [line for line in lines if answer.headers[REQUEST] in line]
            ends = [line for line in about if f"answered status={answer.status_code}" in line]
            assert len(ends) == 1, about
            assert "Clusters_" in ends[0] and f"{answer.request.method} " in ends[0], ends
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z +[A-Z]+ ", lines[0]), lines[0]
        silent(server.log.read_text(), server)


def test_json_logs_go_to_a_file_that_is_put_aside_when_it_is_full():
    with served(start=False) as server:
        server.flags = ["--log-format", "json", "--log-file", server.data / "logs" / "yard.log"]
        server.configure(CONFIGURATION + '[log]\nfile_bytes = "2KiB"\nkeep = 1000\n')
        server.start()
        yard = Yard(server)
        yard.build(nodes=0)
        answers = put_cluster(server, yard)
        server.terminate()
        files = sorted((server.data / "logs").iterdir())
        assert {file.name for file in files} == {f"yard.log{n}" for n in ("", *(f".{n + 1}" for n in range(len(files) - 1)))}
        assert len(files) > 1 and all(file.stat().st_size <= 2048 for file in files), files
        text = "".join(file.read_text() for file in files)
        lines = [json.loads(line) for line in text.splitlines()]
        assert all({"timestamp", "level", "target", "message"} <= set(line) for line in lines)
        for answer in answers:
            ends = [
                line
                for line in lines
                if line["message"] == "answered" and answer.headers[REQUEST] in json.dumps(line)
            ]
            assert len(ends) == 1 and ends[0]["status"] == answer.status_code, ends
        silent(text, server)
        # What goes to the file does not go to stderr too.
        assert "answered" not in server.said()


def test_sighup_opens_the_log_file_anew():
    with served(start=False) as server:
        log = server.data / "yard.log"
        server.flags = ["--log-file", log]
        server.start()
        aside = log.rename(server.data / "aside.log")
        server.process.send_signal(signal.SIGHUP)

        def asked():
            assert server.call("GET", "/nowhere").status_code == 404
            return log.exists()

        poll_until("a line is in a new file", asked)
        assert "/nowhere" in log.read_text() and "the server is ready" in aside.read_text()


def test_the_level_says_what_is_logged():
    with served(start=False) as server:
        server.flags = ["--log-level", "error"]
        server.start()
        assert server.call("GET", "/nowhere").status_code == 404
        server.terminate()
        assert server.said().splitlines() == [f"listening on {server.url}"]


def linked(yard, job, content):
    """A link to a file of that content, as listOutputFiles gives it."""
    yard.run(job, f"printf {content}")
    return yard.files(job)["stdout.txt"].download_url


def test_links_have_heads_ranges_and_an_end_that_nobody_moves():
    with served() as server:
        yard = Yard(server)
        yard.build(nodes=1)
        link = linked(yard, "linked", "0123456789")

        def ask(method="GET", url=link, **headers):
            return requests.request(method, url, headers=headers, timeout=PATIENCE)

        whole = ask()
        assert (whole.status_code, whole.content) == (200, b"0123456789")
        head = ask("HEAD")
        assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "10")
        assert head.headers["Accept-Ranges"] == "bytes" and head.headers["Last-Modified"]
        for asked, content in (("bytes=2-4", b"234"), ("bytes=-3", b"789"), ("bytes=7-", b"789"), ("bytes=8-99", b"89")):
            part = ask(Range=asked)
            assert (part.status_code, part.content) == (206, content), asked
            start = 10 - len(content) if asked != "bytes=2-4" else 2
            assert part.headers["Content-Range"] == f"bytes {start}-{start + len(content) - 1}/10"
        beyond = ask(Range="bytes=10-")
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")
        head = ask("HEAD", Range="bytes=2-4")
        assert (head.status_code, head.content) == (206, b"")
        for method in ("PUT", "POST", "DELETE"):
            assert ask(method).status_code == 405

        # Its end can be moved neither way, nor the file, nor the signature.
        end = parse_qs(urlsplit(link).query)["se"][0]
        moment = datetime.datetime.fromisoformat(end)
        assert moment.tzinfo is not None and moment > datetime.datetime.now(datetime.UTC)
        written = quote(end, safe="-._~")
        assert written in link
        for minutes in (-30, 600):
            moved = (moment + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
            answer = ask(url=link.replace(written, quote(moved, safe="-._~")))
            assert answer.status_code == 403 and answer.json()["error"]["code"] == "AuthenticationFailed", moved
        signature = link.rsplit("sig=", 1)[1]
        for wrong in (
            link.replace("stdout.txt", "stderr.txt"),
            link.replace(signature, signature[::-1]),
            link.split("?")[0],
            link + "&se=" + written,
            link.replace("stdout.txt", "..%2F..%2F..%2Fadmin-token"),
        ):
            assert ask(url=wrong).status_code == 403, wrong

        # The server's end is not the link's.
        server.terminate()
        server.start()
        assert ask().content == b"0123456789"
        # The log has the request, not the signature that opens the file.
        assert signature not in server.log.read_text() and "Files_Download" in server.log.read_text()
