"""The rewritten fixtures of `crates/migrate` fit the real SDK: arguments bind, models know their keywords."""

import ast
import inspect
import json
from pathlib import Path

import pytest
from azure.mgmt.batchai import BatchAIManagementClient, models

FIXTURES = Path(__file__).parents[2] / "crates/migrate/tests/fixtures"
GROUPS = ("clusters", "jobs", "file_servers", "usages", "workspaces", "experiments")


def texts():
    """Every rewritten program, notebooks cell by cell, and those that needed no change."""
    for path in sorted(FIXTURES.glob("python/*.py")):
        after = path.with_name(path.stem + ".expected.py")
        if ".expected" not in path.name and path.stem not in ("broken", "others"):
            yield path.stem, (after if after.exists() else path).read_text(encoding="utf-8")
    for path in sorted(FIXTURES.glob("notebook/*.expected.ipynb")):
        for place, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and not source.startswith("%%"):
                text = "\n".join(plain(line) for line in source.split("\n"))
                if parses(text):
                    yield f"{path.stem} cell {place}", text


def plain(line):
    """A line of a cell as Python: IPython's own ones do nothing."""
    word = line.lstrip()
    own = word.startswith(("!", "%")) or word.endswith("?") or "= !" in word
    if word.startswith("%time "):
        return word[len("%time "):]
    return line[: len(line) - len(word)] + "pass" if own else line


def parses(text):
    """One cell has a comma too few, and is left to the person."""
    try:
        return bool(ast.parse(text))
    except SyntaxError:
        return False


def asked(name):
    """Lines of a program that the kit left to the person, with what stands there."""
    listed = FIXTURES / "python" / f"{name}.calls"
    if not listed.exists():
        return set()
    return {line.split()[1] for line in listed.read_text().splitlines() if line.endswith(" asked")}


class Star:
    """An argument whose value does not matter."""


def given(call):
    """Arguments of a call as they bind; None where they hide behind a star."""
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    return [Star()] * len(call.args), {word.arg: Star() for word in call.keywords if word.arg}


def operation(call):
    function = call.func
    if not isinstance(function, ast.Attribute):
        return None
    holder = function.value
    group = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
    group = {"_jobs": "jobs", "servers": "file_servers"}.get(group, group)
    return (group, function.attr) if group in GROUPS else None


@pytest.fixture(scope="module")
def client():
    return BatchAIManagementClient(Credentials(), "sub")


class Credentials:
    """Enough for a client that calls nobody."""

    def signed_session(self, session=None):
        return session


def test_calls_bind(client, fact):
    bound = 0
    for name, text in texts():
        questions = asked(name)
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            found = operation(call)
            arguments = given(call)
            if not found or arguments is None or ".".join(found) in questions:
                continue
            method = getattr(getattr(client, found[0]), found[1], None)
            if method is None or found[1].startswith("__"):
                pytest.fail(f"{name}:{call.lineno}: there is no {'.'.join(found)}")
            try:
                inspect.signature(method).bind(*arguments[0], **arguments[1])
            except TypeError as error:
                pytest.fail(f"{name}:{call.lineno}: {'.'.join(found)}: {error}")
            bound += 1
    assert bound > 50
    fact(f"calls of operations that bind to azure-mgmt-batchai 2.0.0: {bound}")


def test_models_know_their_keywords(fact):
    checked = 0
    for name, text in texts():
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            function = call.func
            word = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            model = getattr(models, word, None)
            if not inspect.isclass(model) or word.endswith(("Paged", "Client")):
                continue
            taken = inspect.signature(model.__init__).parameters
            where = f"{name}:{call.lineno}: {word}"
            assert not call.args, f"{where} takes keywords only"
            for keyword in call.keywords:
                left_to_person = keyword.arg in ("location", "priority")
                assert keyword.arg in taken or keyword.arg is None or left_to_person, f"{where} has no {keyword.arg}"
            checked += 1
    assert checked > 60
    fact(f"models that know all their keywords: {checked}")
