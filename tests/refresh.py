"""Run notebooks from top to bottom and store their outputs in the repeatable form.

The author's tool: ``python3 start.py refresh [chapter ...]``. It refreshes the chapters and
the solutions, and makes the blank exercises from the solutions. A second refresh
changes no byte.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbformat
from blanks import blank, blank_of, marked
from chapters import ROOT, chapters, code_cells, is_compared, read, solutions, write
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from repeatable import own_folders, repeatable

sys.path.append(str(ROOT / "notebooks"))

from workbook.standin import needing
from workbook.standin import stored as stored_results


def chosen(names: list[str]) -> list[Path]:
    """The notebooks of these names (any part of them will do); all of them for no name."""
    stems = [Path(name).stem for name in names]
    all_of_them = [*chapters(), *solutions()]
    found = [path for path in all_of_them if not stems or any(s in path.stem for s in stems)]
    if not found:
        raise SystemExit(f"No notebook is called {' or '.join(names)}.")
    return found


def run(path: Path, workspaces: Path) -> nbformat.NotebookNode:
    """Run a notebook in a fresh kernel and return it in its stored form."""
    return run_as(read(path), path, workspaces)


def run_as(notebook: nbformat.NotebookNode, path: Path, workspaces: Path) -> nbformat.NotebookNode:
    """Run a notebook as if it lay there, and return it in its stored form."""
    client = NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    )
    client.execute()
    for cell in code_cells(notebook):
        cell.outputs = [stored(output, workspaces) for output in merged(cell.outputs)]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def merged(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Adjacent pieces of a stream as one: how it was cut is a matter of luck."""
    whole: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = whole[-1] if whole else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            whole.append(output)
    return whole


def stored(output: nbformat.NotebookNode, workspaces: Path) -> nbformat.NotebookNode:
    """An output without what differs on each machine."""
    if output.output_type == "stream":
        output.text = repeatable(output.text, ROOT, workspaces)
    else:
        for mime, data in output.get("data", {}).items():
            if isinstance(data, str):
                output.data[mime] = repeatable(data, ROOT, workspaces)
    return output


def main(names: list[str]) -> None:
    """Refresh the notebooks of these names."""
    with own_folders() as workspaces, ThreadPoolExecutor(os.cpu_count()) as several:
        list(several.map(partial(refresh_all_of, workspaces=workspaces), chosen(names)))


def refresh_all_of(path: Path, workspaces: Path) -> None:
    """Refresh a notebook; of solutions, the blank too."""
    if path.parent.name != "solutions":
        refresh(read(path), path, workspaces)
        return
    solved = marked(read(path))
    refresh(solved, path, workspaces)
    refresh(blank(solved), blank_of(path), workspaces)


def refresh(notebook: nbformat.NotebookNode, path: Path, workspaces: Path) -> None:
    """Run a notebook, store it there, and say whether that changed anything."""
    started = time.perf_counter()
    before = path.read_bytes() if path.exists() else b""
    where = path.relative_to(ROOT / "notebooks").as_posix()
    path.parent.mkdir(exist_ok=True)
    try:
        notebook = run_as(notebook, path, workspaces)
    except CellExecutionError as error:
        raise SystemExit(f"{where} failed and is left as it was:\n{error}") from None
    if before:
        keep_what_may_differ(notebook, read(path))
    write(notebook, path)
    store_for_readers_without_mariadb(notebook, path)
    state = "the same" if path.read_bytes() == before else "changed"
    print(f"{where}: {state}, {time.perf_counter() - started:.1f} s", flush=True)


def store_for_readers_without_mariadb(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Keep the outputs of cells that need a MariaDB: standin.py shows them where it is missing."""
    cells = {cell.source.strip(): cell.outputs for cell in code_cells(notebook)}
    found = {source: cells[source] for source in needing("mariadb", cells)}
    if found and path.parent.name == "notebooks":
        file = stored_results(path.stem)
        file.parent.mkdir(exist_ok=True)
        text = json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True)
        file.write_text(text + "\n", "utf-8", newline="\n")


def keep_what_may_differ(new: nbformat.NotebookNode, old: nbformat.NotebookNode) -> None:
    """Leave the outputs that are not compared as they were, if none of their cells was changed.

    All or none: a picture and the figures beside it come from the same run.
    """
    cells = [cell for cell in code_cells(new) if not is_compared(cell)]
    before = {cell.source: cell.outputs for cell in code_cells(old) if not is_compared(cell)}
    if before.keys() == {cell.source for cell in cells} and all(before.values()):
        for cell in cells:
            cell.outputs = before[cell.source]
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = cell.execution_count


if __name__ == "__main__":
    main(sys.argv[1:])
