"""The chapters: which there are, and what is in one."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"

NOT_COMPARED = re.compile(r"(?m)^\s*#\s*NBVAL_IGNORE_OUTPUT")  # as nbval finds it
FENCES = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def notebooks(root: Path = ROOT) -> list[Path]:
    """Every notebook, a chapter or not."""
    found = (root / "notebooks").rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def chapters(root: Path = ROOT) -> list[Path]:
    """The chapters in reading order."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def solutions(root: Path = ROOT) -> list[Path]:
    """The notebooks of exercises with their solutions, in the order of the chapters."""
    return sorted((root / "notebooks" / "solutions").glob("[0-9][0-9]_*.ipynb"))


def blanks(root: Path = ROOT) -> list[Path]:
    """The notebooks of exercises without solutions, made from those with."""
    return sorted((root / "notebooks" / "exercises").glob("[0-9][0-9]_*.ipynb"))


def name(path: Path) -> str:
    """A notebook's name, for the ids of parametrized tests."""
    shelf = path.parent.name
    return f"{shelf}/{path.stem}" if shelf in ("solutions", "exercises") else path.stem


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def write(notebook: NotebookNode, path: Path) -> None:
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_compared(cell: NotebookNode) -> bool:
    """Does nbval compare this cell's outputs?"""
    tags = cell.metadata.get("tags", [])
    return "nbval-ignore-output" not in tags and not NOT_COMPARED.search(cell.source)


def text_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def prose(notebook: NotebookNode) -> str:
    """All text cells as one, without fenced code."""
    return FENCES.sub("", "\n\n".join(cell.source for cell in text_cells(notebook)))


def headings(markdown: str) -> list[tuple[int, str]]:
    """The level and the text of each heading."""
    found = re.findall(r"(?m)^(#{1,6})[ \t]+(.+?)[ \t]*#*$", FENCES.sub("", markdown))
    return [(len(marks), text) for marks, text in found]


def title(notebook: NotebookNode) -> str:
    """The chapter's H1."""
    return next((text for level, text in headings(prose(notebook)) if level == 1), "")


def minutes(notebook: NotebookNode) -> int | None:
    """How long the chapter takes, as its first cell says."""
    found = re.search(r"(?m)^(\d+) minutes\b", notebook.cells[0].source)
    return int(found[1]) if found else None
