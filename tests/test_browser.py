"""Every chapter and exercise in a real JupyterLab: opened, run by the menu, seen in light and dark.

Not the solutions: they are the exercises with the answers, which nbval runs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import browser
import pytest
from chapters import ROOT, blanks, chapters, code_cells, is_compared, name, read
from nbformat import NotebookNode
from repeatable import repeatable

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

PICTURES = Path(os.environ.get("WORKBOOK_SCREENSHOTS", ROOT / "screenshots"))

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Chapter:
    """A notebook as it is stored, and as it ran in the open page."""

    name: str
    stored: list[NotebookNode]
    ran: list[NotebookNode]
    notebook: browser.OpenNotebook


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Lab]:
    missing = browser.what_is_missing()
    if missing:
        (pytest.fail if "WORKBOOK_MUST_BROWSE" in os.environ else pytest.skip)(missing)
    with browser.serve(tmp_path_factory.mktemp("browser")) as lab:
        yield lab


@pytest.fixture(scope="module")
def chromium(lab: browser.Lab) -> Iterator[BrowserContext]:
    with browser.chromium() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def page(lab: browser.Lab, chromium: BrowserContext) -> Iterator[browser.OpenNotebook]:
    """JupyterLab in one page, as a learner has it open, who goes from notebook to notebook."""
    first = chapters()[0].relative_to(ROOT).as_posix()
    with browser.open_lab(chromium, lab, f"/lab/workspaces/chapters/tree/{first}?reset") as page:
        yield page


@pytest.fixture(scope="module", params=[*chapters(), *blanks()], ids=name)
def chapter(
    request: pytest.FixtureRequest, lab: browser.Lab, page: browser.OpenNotebook
) -> Chapter:
    """A notebook, opened and run; it stays open for all of its tests."""
    file = request.param.relative_to(ROOT)
    stored = code_cells(read(lab.root / file))
    page.turn_to(file.as_posix())
    page.run_all()
    return Chapter(name(file).replace("/", "-"), stored, code_cells(page.model()), page)


def test_start_opens_the_first_chapter_and_no_dialog(
    lab: browser.Lab, chromium: BrowserContext
) -> None:
    with browser.open_lab(chromium, lab, "/") as notebook:
        assert notebook.path() == "notebooks/00_start_here.ipynb"
        notebook.page.wait_for_timeout(1000)  # a message comes by itself, and a little later
        assert notebook.interruptions() == []
        assert notebook.strangers == []


def test_every_cell_runs(chapter: Chapter) -> None:
    outputs = [output for cell in chapter.ran for output in cell.outputs]
    assert [o.evalue for o in outputs if o.output_type == "error"] == []
    counts = [cell.execution_count for cell in chapter.ran]
    assert counts == list(range(1, len(chapter.stored) + 1))


def test_outputs_are_the_stored_ones(chapter: Chapter, lab: browser.Lab) -> None:
    for stored, ran in zip(chapter.stored, chapter.ran, strict=True):
        if is_compared(stored):
            assert words(ran, lab) == words(stored, lab), stored.source


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_outputs_are_drawn_and_readable(chapter: Chapter, theme: str) -> None:
    notebook = chapter.notebook
    notebook.put_on(theme)
    maps = len(outputs_with("text/vnd.mermaid", chapter.ran))
    drawn = eventually(notebook.drawn_maps, maps)
    notebook.unfold()
    PICTURES.mkdir(parents=True, exist_ok=True)
    notebook.photograph(PICTURES / f"{chapter.name}-{theme}.png")
    assert notebook.out_of_sight() == 0
    assert drawn == maps
    assert notebook.rows_of_tables() == rows_of_tables(chapter.ran)
    assert notebook.broken_images() == []
    assert notebook.barriers() == []


def test_nothing_is_asked_of_other_machines(chapter: Chapter) -> None:
    assert chapter.notebook.strangers == []


def words(cell: NotebookNode, lab: browser.Lab) -> list[str]:
    """All text that a cell has put out: each stream in one piece, then each result."""
    streams = {"stdout": "", "stderr": ""}
    for output in cell.outputs:
        if output.output_type == "stream":
            streams[output.name] += output.text
    said = [f"{stream}: {text}" for stream, text in streams.items() if text]
    said += outputs_with("text/plain", [cell])
    return [repeatable(text, lab.root, lab.workspaces) for text in said]


def outputs_with(mime: str, cells: list[NotebookNode]) -> list[str]:
    """The outputs that have this MIME type, in it."""
    outputs = [output.get("data", {}) for cell in cells for output in cell.outputs]
    return [data[mime] for data in outputs if mime in data]


def rows_of_tables(cells: list[NotebookNode]) -> list[int]:
    """How many rows each frame in the outputs has, its heads included."""
    html = "".join(outputs_with("text/html", cells))
    tables = re.findall(r'(?s)<table[^>]*class="dataframe".*?</table>', html)
    return [table.count("<tr") for table in tables]


def eventually(look: Callable[[], Any], wanted: Any, seconds: float = 10) -> Any:
    """What is seen once it is what was wanted, or when the time is over."""
    end = time.monotonic() + seconds
    while (found := look()) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    return found
