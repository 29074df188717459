"""Images made on the spot, of this machine's own files, and a registry that gives one to who has a login."""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from launchers import which

BUSYBOX, BASH = Path("/bin/busybox"), Path("/bin/bash")


def need_podman():
    for program in ("podman", "busybox"):
        if not shutil.which(program):
            pytest.skip(f"left out: {program} is not here")


def libraries(files):
    """What the loader loads for them, at the paths by which they are looked for."""
    said = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    return sorted(set(re.findall(r"(?<=\s)/\S+(?= \()", said)))


def open_mpi():
    """The files of this machine's Open MPI: launcher, helpers, libraries, modules, texts. By their paths in an image."""
    which("mpirun.openmpi", "openmpi-bin")
    where = next(Path("/usr/lib").glob("*/libmpi.so.40")).parent
    modules = [path for name in ("openmpi", "pmix2", "ucx") for path in (where / name).rglob("*") if path.is_file()]
    texts = [path for name in ("/usr/share/openmpi", "/usr/share/pmix", "/etc/openmpi") for path in Path(name).rglob("*")]
    files = {"/usr/bin/mpirun": "/usr/bin/orterun", "/usr/bin/orted": "/usr/bin/orted"}
    return files | {path: path for path in [where / "libmpi.so.40", *modules, *texts] if Path(path).is_file()}


def make_root(folder, more=()):
    """A root directory with bash and busybox, as a plain archive; with `more` files, by their paths in it."""
    root = folder / "root"
    files = {BUSYBOX: BUSYBOX, BASH: BASH, **dict(more)}
    files |= {path: path for path in libraries(files.values())}
    for directory in ("bin", "etc", "tmp", "root", "proc", "sys", "dev"):
        (root / directory).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    for path, file in files.items():
        target = root / Path(path).relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in set(names) - {"busybox"}:
        with contextlib.suppress(FileExistsError):
            (root / "bin" / name).symlink_to("busybox")
    archive = folder / "root.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    shutil.rmtree(root)
    return archive


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Registry:
    """A registry of one image, for one user. Counts who was let in and who was not."""

    USER, PASSWORD = "puller", "a password of the registry"

    def __init__(self, layer):
        content = layer.read_bytes()
        config = json.dumps(
            {
                "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(content)]},
            }
        ).encode()
        kind = "application/vnd.oci.image"
        self.manifest = json.dumps(
            {
                "schemaVersion": 2, "mediaType": f"{kind}.manifest.v1+json",
                "config": {"mediaType": f"{kind}.config.v1+json", "digest": digest(config), "size": len(config)},
                "layers": [
                    {"mediaType": f"{kind}.layer.v1.tar", "digest": digest(content), "size": len(content)}
                ],
            }
        ).encode()
        self.blobs = {digest(content): content, digest(config): config}
        self.let_in = self.refused = 0

    @contextlib.contextmanager
    def serving(self):
        registry, pair = self, f"{self.USER}:{self.PASSWORD}".encode()
        login = "Basic " + base64.b64encode(pair).decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.headers.get("Authorization") != login:
                    registry.refused += 1
                    return self.answer(401, b"", ("WWW-Authenticate", 'Basic realm="yard"'))
                registry.let_in += 1
                name = self.path.rsplit("/", 1)[-1]
                if "/manifests/" in self.path:
                    kind = "application/vnd.oci.image.manifest.v1+json"
                    return self.answer(200, registry.manifest, ("Content-Type", kind))
                if "/blobs/" in self.path and name in registry.blobs:
                    return self.answer(200, registry.blobs[name])
                return self.answer(200 if self.path == "/v2/" else 404, b"{}")

            do_HEAD = do_GET

            def answer(self, status, content, *headers):
                self.send_response(status)
                for name, value in (*headers, ("Content-Length", str(len(content)))):
                    self.send_header(name, value)
                if "/manifests/" in self.path and status == 200:
                    self.send_header("Docker-Content-Digest", digest(content))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield f"127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
