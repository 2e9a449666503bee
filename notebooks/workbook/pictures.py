"""Source files, and pictures of histories and tables: drawn by Jupyter, each with a text beside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from html import escape
from pathlib import Path
from typing import Any

from alembic.script import Script
from sqlalchemy import Inspector

from .frames import TINTS

BASE = "base"


class Rich:
    """Something that Jupyter draws by its MIME type, with a text that says the same."""

    def __init__(self, mime: str, data: str | dict[str, Any], text: str) -> None:
        self.mime, self.data, self.text = mime, data, text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str | dict[str, Any]]:
        return {self.mime: self.data, "text/plain": self.text}


def show(what: Rich) -> None:
    """Show it at once, in the middle of a cell too; where there is no notebook, as text."""
    from IPython.display import display

    display(what)  # type: ignore[no-untyped-call]


CHANGES = {"-": "lost", "+": "new"}
LANGUAGES = {".py": "python", ".ini": "ini", ".mako": "python", ".sql": "sql"}


def source_code(file: Path) -> Rich:
    """A file's text, highlighted in the colours of the reader's own theme."""
    code = file.read_text("utf-8").strip()
    return Rich("text/markdown", f"```{LANGUAGES.get(file.suffix, '')}\n{code}\n```", code)


def difference(before: str, after: str, file: str) -> Rich:
    """The lines of a file that an edit took out (-) and put in (+), with those around them."""
    found = [*unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)][2:]
    lines = [line.rstrip() for line in found if not line.startswith("@@")]
    title = file if lines else f"{file} (it says so already)"
    drawn = "\n".join(
        f'<span style="{TINTS[CHANGES[line[0]]]}">{escape(line)}</span>'
        if line[:1] in CHANGES
        else escape(line)
        for line in lines
    )
    html = f"<div><strong>{escape(title)}</strong><pre>{drawn}</pre></div>"
    return Rich("text/html", html, "\n".join([title, *lines]))


def mermaid(lines: Sequence[str], text: str) -> Rich:
    """A Mermaid picture and the text that stands for it where Mermaid is not drawn."""
    return Rich("text/vnd.mermaid", "\n  ".join(lines), text)


def history_map(scripts: Sequence[Script], current: Sequence[str]) -> Rich:
    """The revisions from base to the heads; the database's own in brackets, in a thick frame.

    ``scripts`` come oldest first; ``current`` is what alembic_version holds. A
    revision in it that no script has is drawn by itself, with a broken border.
    """
    docs = {BASE: ""} | {s.revision: f": {s.doc}" for s in scripts}
    lost = sorted(set(current) - docs.keys())
    parents = {s.revision: s._versioned_down_revisions or (BASE,) for s in scripts}
    here = set(current) or {BASE}
    heads = docs.keys() - {parent for line in parents.values() for parent in line} - {BASE}

    def label(revision: str) -> str:
        name = f"[{revision}]" if revision in here else revision
        return f"{name} (head)" if revision in heads else name

    lines = [" -> ".join(map(label, path)) for path in stretches(parents)]
    lines += [f"[{revision}]: no script has it" for revision in lost]
    docs |= dict.fromkeys(lost, ": no script has it")
    text = "\n".join(lines)
    drawn = [
        "flowchart LR",
        "accTitle: The migration history",
        f"accDescr: {'; '.join(lines)}. The database is at the revision in brackets.",
        *(f'{node(r)}["{label(r)}{doc.replace(chr(34), chr(39))}"]' for r, doc in docs.items()),
        *(f"{node(p)} --> {node(child)}" for child, line in parents.items() for p in line),
        *(f"style {node(revision)} stroke-width:4px" for revision in docs if revision in here),
        *(f"style {node(revision)} stroke-dasharray:6" for revision in lost),
    ]
    return mermaid(drawn, text)


def node(revision: str) -> str:
    """A name that Mermaid takes for a revision."""
    return "r_" + re.sub(r"\W", "_", revision)


def stretches(parents: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """The history as paths that end where it branches, merges or stops."""
    children: dict[str, list[str]] = {revision: [] for revision in (BASE, *parents)}
    for child, line in parents.items():
        for parent in line:
            children[parent].append(child)
    joints = [r for r in children if r == BASE or len(children[r]) != 1 or len(parents[r]) > 1]
    paths = []
    for joint in joints:
        for revision in children[joint]:
            path = [joint, revision]
            while path[-1] not in joints:
                path += children[path[-1]]
            paths.append(path)
    return paths or [[BASE]]


def table_diagram(inspector: Inspector) -> Rich:
    """The tables, their columns and their foreign keys as an entity-relationship picture."""
    drawn, text = [], []
    for name in sorted(inspector.get_table_names()):
        keys = set(inspector.get_pk_constraint(name)["constrained_columns"])
        foreign = inspector.get_foreign_keys(name)
        pointing = {column for key in foreign for column in key["constrained_columns"]}
        drawn.append(f"{name} {{")
        text.append(name)
        for column in inspector.get_columns(name):
            marks = [m for m, s in (("PK", keys), ("FK", pointing)) if column["name"] in s]
            kind = re.sub(r"[^\w()]+", "_", str(column["type"]))
            drawn.append(f"  {kind} {column['name']} {', '.join(marks)}".rstrip())
            text.append(f"  {column['name']} {column['type']} {' '.join(marks)}".rstrip())
        drawn.append("}")
        for key in foreign:
            drawn.append(f"{key['referred_table']} ||--o{{ {name} : has")
            text.append(f"  points to {key['referred_table']}")
    if not text:
        text = ["(no tables)"]
    access = ["accTitle: The tables", f"accDescr: {'; '.join(line.strip() for line in text)}"]
    return mermaid(["erDiagram", *access, *drawn], "\n".join(text))
