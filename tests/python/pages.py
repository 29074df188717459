"""A page of Markdown as a list of blocks: what is needed to compare two pages and to look at their code."""

import re
from dataclasses import dataclass, field

CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)]+)\)")


@dataclass
class Block:
    """A heading, paragraph, list, table or piece of code; `parts` are its items or rows, each a list of texts."""

    kind: str
    line: int
    level: int = 0
    parts: list = field(default_factory=list)

    @property
    def texts(self):
        return [text for part in self.parts for text in part]

    @property
    def codes(self):
        """Code in it: whole lines of a piece of code, what stands in back-ticks elsewhere."""
        if self.kind == "code":
            return self.texts
        return [code for text in self.texts for code in CODE.findall(text)]

    @property
    def links(self):
        return [] if self.kind == "code" else [link for text in self.texts for link in LINK.findall(text)]


def cells(row):
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def blocks(text):
    """The blocks of a page, in order. A rule beneath the head of a table is no row."""
    found, open_code = [], False

    def add(kind, number, part, level=0):
        last = found[-1] if found else None
        if last and last.kind == kind and last.level == level and not last.closed:
            last.parts.append(part)
        else:
            found.append(Block(kind, number, level, [part]))
            found[-1].closed = kind == "heading"

    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if not open_code:
                found.append(Block("code", number, parts=[[line]]))
                found[-1].closed = False
            else:
                found[-1].closed = True
            open_code = not open_code
        elif open_code:
            found[-1].parts.append([line])
        elif not line.strip():
            if found:
                found[-1].closed = True
        elif line.startswith("#"):
            add("heading", number, [line.lstrip("#").strip()], len(line) - len(line.lstrip("#")))
        elif line.startswith("|"):
            if not re.fullmatch(r"[|\-: ]+", line):
                add("table", number, cells(line))
        elif line.startswith("- "):
            add("list", number, [line[2:]])
        elif found and not found[-1].closed and found[-1].kind in ("list", "paragraph"):
            found[-1].parts[-1][-1] += " " + line.strip()
        else:
            add("paragraph", number, [line])
    assert not open_code, "a piece of code does not end"
    return found
