"""nbval compares: a word changed in a stored output fails that very cell, whatever its kind.

And nothing else fails, wherever the workbook lies, and whatever ran before in the same kernel.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from chapters import (
    ROOT,
    chapters,
    code_cells,
    is_compared,
    name,
    notebooks,
    read,
    solutions,
    write,
)
from checkout import Proof, copy_checkout, locked, prove, without_root_powers
from hygiene import run_top_to_bottom
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

WORD = re.compile(r"[A-Za-z]{4,}")


def with_answers(root: Path = ROOT) -> list[Path]:
    """The chapters and the solutions. (A blank is its solution without the answer.)"""
    return [*chapters(root), *solutions(root)]


def kinds(cell: NotebookNode) -> list[str]:
    """The kinds of output that a cell has and that hold a word: stdout, text/html, ..."""
    found = []
    for output in cell.outputs:
        texts = {output.name: output.text} if output.output_type == "stream" else output.data
        found += [kind for kind, text in texts.items() if WORD.search(text)]
    return found


def change_one_word(cell: NotebookNode, kind: str) -> None:
    """Change the last word of the cell's output of this kind."""
    for output in cell.outputs:
        texts = output if output.output_type == "stream" else output.data
        key = "text" if output.get("name") == kind else kind
        if key in texts:
            start, stop = list(WORD.finditer(texts[key]))[-1].span()
            texts[key] = f"{texts[key][:start]}spoilt{texts[key][stop:]}"


def spoil(cells: list[NotebookNode]) -> dict[int, str]:
    """Change a word of each kind of output, each in a cell of its own; say in which cells.

    And take all outputs away from one more cell, which still counts as run.
    """
    compared = [(n, cell) for n, cell in enumerate(cells) if is_compared(cell)]
    counts = Counter(kind for _, cell in compared for kind in kinds(cell))
    rare_first = [kind for kind, _ in reversed(counts.most_common())]
    spoilt: dict[int, str] = {}
    for kind in rare_first:
        free = (n for n, cell in compared if n not in spoilt and kind in kinds(cell))
        if (number := next(free, None)) is not None:
            change_one_word(cells[number], kind)
            spoilt[number] = kind
    emptied = next(n for n, cell in compared if n not in spoilt and cell.outputs)
    cells[emptied].outputs = []
    return spoilt | {emptied: "no output"}


@dataclass(frozen=True)
class Ordeal:
    """What nbval said of the notebooks, and in which cells a word had been changed."""

    proof: Proof
    spoilt: dict[str, dict[int, str]]
    precious: Path


@pytest.fixture(scope="module")
def ordeal(tmp_path_factory: pytest.TempPathFactory) -> Ordeal:
    """Chapters and solutions twice in one kernel, with changed words the second time.

    And in a hostile place: an oddly named folder in which nothing can be written, with another
    database and another flask_app in the environment, and start-up files of IPython's. In
    reverse order, from the notebooks' folder.
    """
    scratch = tmp_path_factory.mktemp("ordeal")
    home = scratch / "home"
    profile = home / ".ipython" / "profile_default"
    temporary = scratch / "it's 100% [tmp]"  # the workspaces lie in it
    temporary.mkdir()
    for file, text in {
        scratch / "other" / "flask_app" / "__init__.py": "raise SystemExit('the wrong flask_app')",
        profile / "startup" / "00-mine.py": "print('hello from my profile'); import flask_app",
        profile / "ipython_config.py": "c.InteractiveShell.ast_node_interactivity = 'all'",
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    precious = scratch / "precious.db"
    env = {
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{precious}",
        "HOME": str(home),
        "USERPROFILE": str(home),
        "IPYTHONDIR": str(profile.parent),
        "PYTHONPATH": str(scratch / "other"),
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
    }
    root = copy_checkout(scratch / "Grüne Äpfel, it's 100% [new] (1+1)")
    paths = with_answers(root)
    spoilt = {name(path): twice(path) for path in paths}
    here = root / "notebooks"
    paths = [path.relative_to(here) for path in reversed(paths)]
    with locked(root):
        proof = prove(root, *paths, cwd=here, prefix=without_root_powers(), env=env)
    return Ordeal(proof, spoilt, precious)


def twice(path: Path) -> dict[int, str]:
    """Append to a notebook all of its cells, spoilt; say which of all cells are."""
    notebook, again = read(path), read(path)
    first = len(code_cells(notebook))
    spoilt = {first + number: kind for number, kind in spoil(code_cells(again)).items()}
    for cell in again.cells:
        cell.id += "-second-time"
    notebook.cells += again.cells
    write(notebook, path)
    return spoilt


@pytest.mark.slow
@pytest.mark.parametrize("path", with_answers(), ids=name)
def test_it_passes_twice_in_a_hostile_place_but_where_a_word_was_changed(
    path: Path, ordeal: Ordeal
) -> None:
    expected = ordeal.spoilt[name(path)]
    assert {"stdout", "text/plain", "no output"} <= set(expected.values())
    failed = {number: why for (of, number), why in ordeal.proof.failed.items() if of == name(path)}
    assert failed.keys() == expected.keys(), [failed[n] for n in failed.keys() - expected.keys()]
    ran = {number for notebook, number in ordeal.proof.cells if notebook == name(path)}
    assert ran == set(range(2 * len(code_cells(read(path)))))


@pytest.mark.slow
def test_a_database_that_the_environment_names_is_left_alone(ordeal: Ordeal) -> None:
    assert not ordeal.precious.exists()


def test_the_chapters_have_every_kind_of_output() -> None:
    spoilt = {kind for path in chapters() for kind in spoil(code_cells(read(path))).values()}
    assert {
        "stdout",
        "text/plain",
        "text/html",
        "text/markdown",
        "text/vnd.mermaid",
    } <= spoilt


MIMES = ("text/plain", "text/html", "text/markdown", "text/vnd.mermaid", "image/svg+xml")


def shown(mime: str) -> NotebookNode:
    return new_output("display_data", {mime: "seen"})


def made_up() -> NotebookNode:
    """A notebook with an output of each kind, those too that no chapter has."""
    shows = [
        (
            "import sys; print('seen', file=sys.stderr)",
            new_output("stream", name="stderr", text="seen\n"),
        ),
        ("print('seen')", new_output("stream", text="seen\n")),
        *((f"display({{{m!r}: 'seen'}}, raw=True)", shown(m)) for m in MIMES),
        ("None", None),
    ]
    notebook = read(chapters()[0])
    notebook.cells = [
        new_code_cell(source, id=f"cell-{n}", execution_count=n, outputs=[output] if output else [])
        for n, (source, output) in enumerate(shows, start=1)
    ]
    return notebook


@pytest.mark.slow
def test_every_kind_of_output_is_compared(tmp_path: Path) -> None:
    root = copy_checkout(tmp_path, notebooks=False)
    sound, spoilt = made_up(), made_up()
    for cell in code_cells(spoilt):
        for kind in kinds(cell):
            change_one_word(cell, kind)
    code_cells(spoilt)[-1].outputs = [new_output("stream", text="never printed\n")]
    write(sound, root / "notebooks" / "98_sound.ipynb")
    write(spoilt, root / "notebooks" / "99_spoilt.ipynb")
    proof = prove(root, "notebooks")
    assert proof.failed.keys() == {("99_spoilt", n) for n in range(len(spoilt.cells))}
    assert len(proof.cells) == 2 * len(sound.cells)


def clear(notebook: NotebookNode) -> None:
    for cell in code_cells(notebook):
        cell.update(outputs=[], execution_count=None)


def clear_one(notebook: NotebookNode) -> None:
    code_cells(notebook)[-1].update(outputs=[], execution_count=None)


@pytest.mark.parametrize("path", notebooks(), ids=name)
@pytest.mark.parametrize("clearing", [clear, clear_one])
def test_cleared_outputs_are_caught_by_the_hygiene(
    clearing: Callable[[NotebookNode], None], path: Path
) -> None:
    notebook = read(path)
    assert run_top_to_bottom(notebook) == []
    clearing(notebook)
    assert run_top_to_bottom(notebook)
