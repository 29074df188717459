"""The page on moving to workspaces says the same in both languages, and what it says is there."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from azure.mgmt.batchai import BatchAIManagementClient
from commands import done, leave_out
from msrest.authentication import BasicTokenAuthentication
from pages import blocks

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH, KOREAN = (DOCS / name for name in ("migrating.md", "migrating.ko.md"))
HANGUL = re.compile("[가-힣]")

# Names that the vendor's page made up for examples, and ours.
NAMES = {
    "resource-group-name": "GROUP",
    "workspace-name": "WORKSPACE",
    "experiment-name": "EXPERIMENT",
    "cluster-name": "CLUSTER",
    "fileserver-name": "FILE_SERVER",
    "job-name": "JOB",
    "migrated-<region>": "migrated-REGION",
    "resource_group_name": "group",
    "workspace_name": "workspace",
    "experiment_name": "experiment",
    "cluster_create_parameters": "parameters",
    "fileserver_create_parameters": "parameters",
    "job_create_parameters": "parameters",
    "cluster_name": "name",
    "fileserver_name": "name",
    # Its two slips: a comma is missing, and no SDK has a member of that name.
    "job_name parameters": "name, parameters",
    "job_name": "name",
    "client.fileservers": "client.file_servers",
}

# What stands for which argument of the SDK on the page; `name` for that of the resource itself.
MEANINGS = {
    "resource_group_name": ["group"],
    "workspace_name": ["workspace", "'migrated-REGION'"],
    "experiment_name": ["experiment", "'migrated'"],
    "location": ["location"],
    "parameters": ["parameters"],
}


def page(path):
    return blocks(path.read_text(encoding="utf-8"))


def codes(path):
    return [code for block in page(path) for code in block.codes]


def trainyard_lines():
    return sorted({code for code in codes(ENGLISH) if code.startswith("trainyard ")})


def links():
    return sorted({link for path in (ENGLISH, KOREAN) for block in page(path) for link in block.links})


# --- the two pages


def test_both_pages_have_the_same_headings_tables_and_rows():
    def outline(path):
        return [(block.kind, block.level, [len(part) for part in block.parts]) for block in page(path)]

    for english, korean in zip(outline(ENGLISH), outline(KOREAN), strict=False):
        assert english == korean
    assert len(outline(ENGLISH)) == len(outline(KOREAN))


def test_both_pages_have_the_same_code_and_links_in_the_same_places():
    for english, korean in zip(page(ENGLISH), page(KOREAN), strict=True):
        where = f"lines {english.line} and {korean.line}"
        if english.kind == "code":
            assert english.texts == korean.texts, where
            continue
        # Within a text the order may differ, as that of the words does.
        for one, other in zip(english.texts, korean.texts, strict=True):
            assert sorted(re.findall("`[^`]+`", one)) == sorted(re.findall("`[^`]+`", other)), f"{where}: {one}"
        if english.links != [KOREAN.name]:
            assert sorted(english.links) == sorted(korean.links), where


def test_each_page_is_in_its_language_and_names_the_other():
    for english, korean in zip(page(ENGLISH), page(KOREAN), strict=True):
        if english.kind in ("paragraph", "list") and english.links != [KOREAN.name]:
            assert not HANGUL.search(" ".join(english.texts)), f"line {english.line}"
            assert all(HANGUL.search(text) for text in korean.texts), f"line {korean.line}"
    assert [KOREAN.name] in [block.links for block in page(ENGLISH)]
    assert [ENGLISH.name] in [block.links for block in page(KOREAN)]


# --- what they say


@pytest.mark.parametrize("link", links())
def test_every_link_leads_to_a_page(link):
    assert (DOCS / link).is_file()


def test_the_page_is_linked_from_the_readme_and_the_page_on_the_api():
    assert "](docs/migrating.md)" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert "](migrating.md)" in (DOCS / "api.md").read_text(encoding="utf-8")


def commands_in(text):
    """What a help text lists beneath `Commands:`."""
    _, _, listed = text.partition("\nCommands:\n")
    return re.findall(r"^  (\S+)", listed.partition("\n\n")[0], re.MULTILINE)


@pytest.mark.parametrize("line", trainyard_lines())
def test_every_command_and_option_exists(line):
    words, path = line.split()[1:], []
    text = done("--help")
    while listed := commands_in(text):
        assert words, f"{line} lacks a command: there are {listed}"
        path.append(words.pop(0))
        assert path[-1] in listed, f"{line}: there are {listed}"
        text = done(*path, "--help")
    for word in words:
        if word.startswith("-"):
            assert re.search(rf"(^|\s){re.escape(word)}(?![\w-])", text, re.MULTILINE), f"{line}: no {word}"
    if any(not word.startswith("-") for word in words):
        assert re.search(r"<|\[[A-Z]", text), f"{line}: it takes no arguments"


def test_every_new_python_call_fits_the_vendors_sdk():
    client = BatchAIManagementClient(BasicTokenAuthentication({"access_token": "t"}), "s")
    checked = 0
    for block in page(ENGLISH):
        for row in block.parts:
            if block.kind != "table" or len(row) != 5 or not row[3].startswith("`client."):
                continue
            tree = ast.parse(row[3].strip("`"), mode="eval").body
            call = tree.func.value if ast.unparse(tree).endswith(".result()") else tree
            operations, method = call.func.value.attr, call.func.attr
            signature = inspect.signature(getattr(getattr(client, operations), method))
            bound = signature.bind(*[ast.unparse(argument) for argument in call.args]).arguments
            for argument, value in bound.items():
                assert value in MEANINGS.get(argument, ["name"]), f"{row[3]}: {argument} would be {value}"
            checked += 1
    assert checked == 11


def normal(line):
    """A line of code as it is compared: without the names of the examples, and what its result is called."""
    for theirs, ours in NAMES.items():
        line = line.replace(theirs, ours)
    return re.sub(r"^\w+ = ", "", line.strip())


def lines_of_the_vendors_page(reference):
    seed = reference.parent / "seed" / "migrate-to-new-api.ko.md"
    if not seed.is_file():
        leave_out("../shared is not here (the vendor's page)")
    text = seed.read_text(encoding="utf-8")
    pieces = re.findall(r"^```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for piece in pieces for line in piece.splitlines() if line.strip()]


@pytest.mark.parametrize("path", [ENGLISH, KOREAN], ids=lambda path: path.name)
def test_every_line_of_code_of_the_vendors_page_is_there(path, reference):
    sought = lines_of_the_vendors_page(reference)
    assert len(sought) == 17
    there = set(codes(path))
    missing = [line for line in sought if normal(line) not in there]
    assert missing == []
