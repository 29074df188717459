"""The vendor's clients, installed: once for each list of pins, in the build folder, so that a later run finds them."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import harness
from conftest import leave_out

HERE = Path(__file__).parent / "clients"  # pins and programs
INSTALL = 600  # seconds for one client


def tools(what, *names):
    """The paths of programs that must be here; where one is not, the test is left out."""
    paths = [shutil.which(name) for name in names]
    for name, path in zip(names, paths, strict=True):
        if path is None:
            leave_out(f"{name} is not here ({what})")
    return paths


def environment():
    """Ours, without what belongs to the tests' own Python."""
    ours = ("TRAINYARD_", "PYTHONPATH", "VIRTUAL_ENV", "AZURE_", "MSI_", "CLASSPATH", "NODE_PATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def installed(name, sources, install, told=""):
    """The folder that `install` fills; its name holds a fingerprint of the sources, so a change makes a new one."""
    sources = [HERE / source for source in sources]
    digest = hashlib.sha256(told.encode())
    for source in sources:
        digest.update(source.read_bytes())
    clients = Path(harness.binary()).resolve().parents[1] / "clients"
    folder = clients / f"{name}-{digest.hexdigest()[:16]}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for source in sources:
            shutil.copy(source, folder)
        try:
            install(folder)
        except subprocess.CalledProcessError as error:
            print(error.stdout[-4000:])
            leave_out(f"the client {name} could not be installed: {error.cmd[0]} ended with {error.returncode}")
        (folder / "complete").touch()
    return folder


def do(folder, *command, **variables):
    """One step of an installation."""
    subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**environment(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL,
        check=True,
    )


def python_of(name, requirements):
    """The Python of a virtual environment with exactly these packages."""

    def install(folder):
        do(folder, sys.executable, "-m", "venv", "--without-pip", "venv")
        pip = [sys.executable, "-m", "pip", "--python", "venv/bin/python", "install", "--quiet"]
        do(folder, *pip, "--disable-pip-version-check", "--no-deps", "-r", Path(requirements).name)

    return installed(name, [requirements], install, sys.version) / "venv/bin/python"


def node_modules():
    """The folder with the Node client and its program."""
    node, npm = tools("the Node SDK", "node", "npm")
    sources = ["node/package.json", "node/package-lock.json"]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    return node, installed("node", sources, lambda folder: do(folder, npm, "ci", *quiet))


def store(name):
    """The program of a storage service of Node's, such as Azurite: `node` and its main file go before its arguments."""
    node, npm = tools(f"the store {name}", "node", "npm")
    sources = [f"{name}/package.json", f"{name}/package-lock.json"]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    return node, installed(name, sources, lambda folder: do(folder, npm, "ci", *quiet)) / "node_modules" / name


def go_program():
    """The Go program, built."""
    (go,) = tools("the Go SDK", "go")
    sources = ["go/go.mod", "go/go.sum", "go/seed_page.go"]
    # The vendor's packages hold one folder for each version of each service: only what is imported is built.
    return installed("go", sources, lambda folder: do(folder, go, "build", "-o", "seed_page", ".")) / "seed_page"


def java_libraries():
    """The folder with the Java client's jars."""
    java, _, maven = tools("the Java SDK", "java", "javac", "mvn")

    def install(folder):
        do(folder, maven, "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=jars")

    return java, installed("java", ["java/pom.xml"], install) / "jars"
