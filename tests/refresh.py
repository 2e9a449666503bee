"""Run chapters from top to bottom and store their outputs in the repeatable form.

The author's tool: ``python3 start.py refresh [chapter ...]``. A second refresh
changes no byte.
"""

import sys
import time
from pathlib import Path

import nbformat
from chapters import ROOT, chapters, code_cells, read, write
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from repeatable import own_folders, repeatable


def chosen(names: list[str]) -> list[Path]:
    """The chapters of these names (any part of them will do); all of them for no name."""
    stems = [Path(name).stem for name in names]
    found = [path for path in chapters() if not stems or any(s in path.stem for s in stems)]
    if not found:
        raise SystemExit(f"No chapter is called {' or '.join(names)}.")
    return found


def run(path: Path, workspaces: Path) -> nbformat.NotebookNode:
    """Run a notebook in a fresh kernel and return it in its stored form."""
    notebook = read(path)
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
    """Each stream in one piece, standard output first: how they arrive is a matter of luck."""
    streams = {"stdout": "", "stderr": ""}
    for output in outputs:
        if output.output_type == "stream":
            streams[output.name] += output.text
    whole = [nbformat.v4.new_output("stream", name=n, text=t) for n, t in streams.items() if t]
    return whole + [output for output in outputs if output.output_type != "stream"]


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
    """Refresh the chapters of these names."""
    with own_folders() as workspaces:
        for path in chosen(names):
            started = time.perf_counter()
            before = path.read_bytes()
            try:
                notebook = run(path, workspaces)
            except CellExecutionError as error:
                raise SystemExit(f"{path.name} failed and is left as it was:\n{error}") from None
            write(notebook, path)
            state = "the same" if path.read_bytes() == before else "changed"
            print(f"{path.name}: {state}, {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
