"""Time the workbook, by hand and on a quiet machine: ``python tests/benchmark.py [runs]``.

Compares ``pytest --nbval`` over all chapters with plain Python running the same cells, one
process a chapter; both with two processes. Then the cells themselves, and the imports.
"""

import ast
import contextlib
import io
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import nbformat
from chapters import NOTEBOOKS, ROOT, chapters, code_cells, read
from nbclient import NotebookClient
from repeatable import own_folders


def cells(chapter: Path) -> list[str]:
    """The sources of a chapter's code cells."""
    return [cell.source for cell in code_cells(read(chapter))]


def run_plainly(source: str, names: dict[str, object]) -> None:
    """Run a cell without Jupyter, the representations of its last value included."""
    magic, _, body = source.partition("\n")
    if magic.startswith("%%writefile "):
        Path(magic.split()[1]).write_text(body, encoding="utf-8")
        return
    hidden = magic.startswith("%%capture")
    tree = ast.parse(body if hidden else source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) if hidden else contextlib.nullcontext():
        exec(compile(tree, "cell", "exec"), names)
        if last:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            for name in ("_repr_html_", "_repr_mimebundle_"):
                if hasattr(value, name):
                    getattr(value, name)()
            if value is not None:
                print(repr(value))


def plain_chapter(chapter: Path) -> None:
    """Run a chapter in this process, as one of the benchmark's children."""
    os.chdir(NOTEBOOKS)
    sys.path.insert(0, str(NOTEBOOKS))
    names: dict[str, object] = {"__name__": "__main__"}
    for source in cells(chapter):
        run_plainly(source, names)


def seconds(work: object) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started


def plain_python() -> None:
    """All chapters in plain Python, two at a time."""

    def one(chapter: Path) -> None:
        subprocess.run([sys.executable, __file__, str(chapter)], check=True, capture_output=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, chapters()))


def strict_nbval() -> None:
    """All chapters under pytest --nbval, two at a time."""
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-n", "2", str(NOTEBOOKS)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)


def cell_seconds(sources: list[str]) -> list[float]:
    """How long each cell takes in a kernel, from its start to its reply."""
    code = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=code)
    client = NotebookClient(notebook, resources={"metadata": {"path": str(NOTEBOOKS)}})
    client.execute()
    times = [cell.metadata.execution for cell in notebook.cells]
    return [
        (
            datetime.fromisoformat(t["shell.execute_reply"])
            - datetime.fromisoformat(t["iopub.execute_input"])
        ).total_seconds()
        for t in times
    ]


def main(runs: int) -> None:
    """Print the figures."""
    pairs = [(seconds(plain_python), seconds(strict_nbval)) for _ in range(runs)]
    for plain, nbval in pairs:
        print(f"plain python {plain:.2f} s, pytest --nbval {nbval:.2f} s: {nbval / plain:.2f}x")
    print(f"median ratio {statistics.median(n / p for p, n in pairs):.2f}x")
    everything = [t for chapter in chapters() for t in cell_seconds(cells(chapter))]
    print(f"{len(everything)} cells, median {statistics.median(everything) * 1000:.0f} ms")
    imports = cell_seconds(
        [f"import sys; sys.path.append({str(ROOT)!r})", "import workbook, flask_app"]
    )
    print(f"import workbook, flask_app in a kernel: {imports[1]:.2f} s")


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else "3"
    if argument.endswith(".ipynb"):
        plain_chapter(Path(argument))
    else:
        with own_folders():
            main(int(argument))
