"""Every notebook is stored as it should be; every check finds what it looks for."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from chapters import NOTEBOOKS, ROOT, chapters, code_cells, name, notebooks, prose, read, write
from checkout import copy_checkout
from hygiene import (
    ANNOUNCED,
    EVERY_CHAPTER,
    EVERY_NOTEBOOK,
    FOLDED,
    REASON,
    absolute_paths,
    alt_texts,
    bitmaps,
    cell_ids,
    dates,
    dead_links,
    end,
    folds,
    heading_order,
    long_lines,
    map_of_chapters,
    memory_addresses,
    metadata,
    output_counts,
    over_budget,
    pictures_without_alt_text,
    run_top_to_bottom,
    size,
    top,
    tracebacks,
    uncompared,
    ways,
)
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from workbook.standin import needing, stored

START = NOTEBOOKS / "00_start_here.ipynb"
README = ROOT / "README.md"
TEXTS = [README, ROOT / "CONTRIBUTING.md"]

# Chapters that may break a limit of the size budget: (chapter, measure): why.
MANY_COMMANDS = "nine looking commands and four disagreements, each seen live"
THREE_WAYS = "three ways out, each with its failure and its way back"
RENAMES = "column, table, leftovers, model only and side by side, each with loss and cure"
DATA = "two whole data migrations and three kinds of downgrade"
FORTY_ONE = "41 changes in three lists, and five settings tried on the shop"
TWO_HISTORIES = "merge, rebase, conflict and labels each need two histories first"
ONE_BY_ONE = "a dozen independent features, each shown live"
CONSTRAINTS = "two more tables, three attempts at one script, two losses with their cures"
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("00_start_here", "words"): "the map of all chapters stands here",
    ("06_where_am_i", "cells"): MANY_COMMANDS,
    ("06_where_am_i", "code cells"): MANY_COMMANDS,
    ("06_where_am_i", "words"): MANY_COMMANDS,
    ("07_required_columns", "cells"): THREE_WAYS,
    ("07_required_columns", "code cells"): THREE_WAYS,
    ("08_renames", "cells"): RENAMES,
    ("08_renames", "code cells"): RENAMES,
    (
        "08_renames",
        "lines in the median code cell",
    ): "an edit, a copy, a restart and a migrate are one step",
    ("08_renames", "words"): RENAMES,
    ("09_keys_and_constraints", "cells"): CONSTRAINTS,
    (
        "09_keys_and_constraints",
        "lines in the median code cell",
    ): "an edit of two files is one step",
    ("09_keys_and_constraints", "code cells"): CONSTRAINTS,
    ("09_keys_and_constraints", "words"): CONSTRAINTS,
    ("10_data_migrations", "cells"): DATA,
    ("10_data_migrations", "code cells"): DATA,
    ("10_data_migrations", "words"): DATA,
    ("11_what_autogenerate_sees", "cells"): FORTY_ONE,
    ("11_what_autogenerate_sees", "code cells"): FORTY_ONE,
    ("11_what_autogenerate_sees", "words"): FORTY_ONE,
    ("11_what_autogenerate_sees", "lines in the median code cell"): "a setting, a restart, a trial",
    ("12_team_work", "cells"): TWO_HISTORIES,
    ("12_team_work", "code cells"): TWO_HISTORIES,
    ("12_team_work", "words"): TWO_HISTORIES,
    ("13_sql_for_the_dba", "cells"): ONE_BY_ONE,
    ("13_sql_for_the_dba", "code cells"): ONE_BY_ONE,
    ("13_sql_for_the_dba", "words"): ONE_BY_ONE,
}
LENGTH = ("cells", "code cells", "words")
LINES = "lines in the median code cell"
LONG_CELLS = "lines in the longest tenth of code cells"
# Chapters about real servers: a setting, a restart and an attempt are one step, and a
# cell that is not compared has two lines more, and an assert.
PART_3 = {
    "14_postgresql": ("a move, three enum traps, two kinds of schema, each cured", LONG_CELLS),
    "15_halfway": ("one failure on three databases, two ways out, two cures", LONG_CELLS),
    "16_without_downtime": ("five naive migrations and their cures under load", LONG_CELLS),
    "17_at_scale": ("two databases and two servers, each loss with its cure", LONG_CELLS),
    "18_many_databases": ("failures at the second, the third, and at a commit", LINES),
    "19_ship_it": ("four tests, a race, two locks, seeds and a squash", LONG_CELLS),
    "20_field_guide": ("twenty-five errors, each by itself", LONG_CELLS),
    "21_field_guide_on_servers": ("sixteen errors, each by itself", LONG_CELLS),
}
for _chapter, (_reason, _measure) in PART_3.items():
    EXCEPTIONS |= dict.fromkeys(((_chapter, m) for m in (*LENGTH, LINES, _measure)), _reason)

each_chapter = pytest.mark.parametrize("path", chapters(), ids=name)


def by_name(function: Callable[..., object]) -> str:
    return function.__name__


def test_there_are_chapters() -> None:
    assert [path.name[:2] for path in chapters()] == [f"{n:02}" for n in range(len(chapters()))]
    assert START in chapters()


@pytest.mark.parametrize("path", notebooks(), ids=name)
@pytest.mark.parametrize("check", EVERY_NOTEBOOK, ids=by_name)
def test_notebook(check: Callable[[NotebookNode], list[str]], path: Path) -> None:
    assert not check(read(path))


@pytest.mark.parametrize("path", [*notebooks(), *TEXTS], ids=name)
def test_links_are_alive(path: Path) -> None:
    text = prose(read(path)) if path.suffix == ".ipynb" else path.read_text("utf-8")
    assert not dead_links(text, path, ROOT)


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_pictures_have_alt_text(path: Path) -> None:
    assert not pictures_without_alt_text(path.read_text("utf-8"))


@each_chapter
@pytest.mark.parametrize("check", EVERY_CHAPTER, ids=by_name)
def test_chapter(check: Callable[[NotebookNode], list[str]], path: Path) -> None:
    assert not check(read(path))


@each_chapter
def test_chapter_leads_to_its_neighbours(path: Path) -> None:
    assert not ways(path)


@each_chapter
def test_size_budget(path: Path) -> None:
    allowed = {measure for chapter, measure in EXCEPTIONS if chapter == path.stem}
    over = over_budget(read(path))
    assert not [line for measure, line in over.items() if measure not in allowed]
    assert not allowed - over.keys(), "these exceptions are not needed any more"


@each_chapter
def test_results_of_mariadb_are_kept_for_those_without(path: Path) -> None:
    """A refresh writes them; standin.py shows them where there is no MariaDB."""
    cells = {cell.source.strip(): cell.outputs for cell in code_cells(read(path))}
    expected = {source: cells[source] for source in needing("mariadb", cells)}
    file = stored(path.stem)
    assert (json.loads(file.read_text("utf-8")) if file.exists() else {}) == expected


def test_exceptions_name_a_chapter_a_measure_and_a_reason() -> None:
    measures = size(read(START))
    for (chapter, measure), reason in EXCEPTIONS.items():
        assert (NOTEBOOKS / f"{chapter}.ipynb").exists()
        assert measure in measures
        assert len(reason.split()) >= 3


@pytest.mark.parametrize("path", [START, README], ids=name)
def test_map_of_the_chapters(path: Path) -> None:
    text = prose(read(path)) if path.suffix == ".ipynb" else path.read_text("utf-8")
    assert not map_of_chapters(text, path, ROOT)


# --- The checks themselves: a sound notebook passes, each fault is found ---

QUESTION = "<details><summary>Why?</summary>\n\nBecause.\n</details>"


def sound() -> NotebookNode:
    """A notebook with nothing to complain about."""
    frame = new_output(
        "execute_result",
        {"text/plain": "id  name\n1   Apple", "text/html": "<td>1</td><td>and/or</td>"},
        execution_count=2,
    )
    print_of_path = new_output("stream", name="stdout", text="Generating workspace/a/b.py ... done")
    cells = [
        new_markdown_cell("# A title\n\n10 minutes", id="title"),
        new_markdown_cell("**You will learn** this.\n\n**You need** that.", id="goals"),
        new_markdown_cell("## Do it\n\n![a cat](cat.svg) See `/`, 1/2 and `[x](y)`.", id="text"),
        new_code_cell("migrate()", id="run", execution_count=1, outputs=[print_of_path]),
        new_markdown_cell("Look:", id="look-text"),
        new_code_cell("table()", id="look", execution_count=2, outputs=[frame]),
        new_markdown_cell("## What you did\n\n| a | b |\n|---|---|\n| c | d |", id="recap"),
        new_markdown_cell("\n\n".join(["## Check yourself", *[QUESTION] * 3]), id="questions"),
        new_markdown_cell("## Try it", id="exercises"),
        new_markdown_cell("Next: ...", id="next"),
    ]
    notebook = copy.deepcopy(read(START))
    notebook.cells = cells
    return notebook


def prints(text: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[3].outputs.append(
        new_output("stream", name="stderr", text=text)
    )


def says(text: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[2].update(source=text)


def types(text: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[3].update(source=text)


def cell(number: int, **values: object) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[number].update(values)


def stores(mime: str, text: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[5].outputs[0].data.update({mime: text})


def fails(notebook: NotebookNode) -> None:
    notebook.cells[3].outputs = [new_output("error", ename="E", evalue="no", traceback=["E: no"])]


def clears(notebook: NotebookNode) -> None:
    for one in notebook.cells:
        if one.cell_type == "code":
            one.update(outputs=[], execution_count=None)


def python_version(notebook: NotebookNode) -> None:
    notebook.metadata.language_info.version = "3.11.7"


FAULTS = [
    (run_top_to_bottom, cell(5, execution_count=None), "cell look was run as number None, not 2"),
    (run_top_to_bottom, cell(5, execution_count=7), "number 7, not 2"),
    (run_top_to_bottom, clears, "no output is stored"),
    (output_counts, cell(5, execution_count=3), "an output of run 2, not 3"),
    (long_lines, types("x = " + "1" * 100), "a line of 104 characters"),
    (absolute_paths, prints("Generating /home/ann/shop/a.py"), "/home/ann"),
    (absolute_paths, prints("Generating /data/shop/a.py"), "/data/shop/a.py"),
    (absolute_paths, prints("sqlite:////tmp/app.db"), "/tmp/app.db"),
    (absolute_paths, prints(r"Generating C:\shop\a.py"), r"C:\shop\a.py"),
    (absolute_paths, prints("Generating C:/shop/a.py"), "C:/shop/a.py"),
    (absolute_paths, says("Open /Users/ann/shop."), "/Users/ann"),
    (absolute_paths, types(r"open('D:\\shop')"), "D:"),
    (dates, prints("Create Date: 2026-11-22 22:45:09.746001"), "Create Date: 2026-11-22"),
    (dates, prints("made 2026-11-22T22:45"), "2026-11-22T22:45"),
    (memory_addresses, prints("<object at 0x7f12ab34cd56>"), "0x7f12ab34cd56"),
    (tracebacks, prints("Traceback (most recent call last):"), "a traceback"),
    (tracebacks, prints('  File "a.py", line 3, in f'), "a traceback"),
    (tracebacks, fails, "cell run: an error is stored"),
    (bitmaps, stores("image/png", "iVBORw0KGgo="), "cell look: a stored image/png"),
    (bitmaps, stores("image/jpeg", "/9j/4AAQ"), "cell look: a stored image/jpeg"),
    (bitmaps, cell(2, attachments={"a.png": {}}), "cell text: an attachment"),
    (uncompared, types("# NBVAL_IGNORE_OUTPUT\ntime()"), f"add a line `{REASON}"),
    (uncompared, types("#NBVAL_SKIP\ntime()"), "cell run is not compared"),
    (uncompared, cell(3, metadata={"tags": ["nbval-skip"]}), "cell run is not compared"),
    (uncompared, cell(3, metadata={"tags": ["raises-exception"]}), "cell run is not compared"),
    (heading_order, says("#### Deep"), '"Deep" skips from level 1 to 4'),
    (heading_order, says("# Again"), "2 headings of the first level"),
    (heading_order, cell(0, source="No title"), "0 headings of the first level"),
    (heading_order, cell(0, source="## Early\n\n# Late"), 'begins with "Early"'),
    (heading_order, says("<h2>Do it</h2>"), "a heading is written in HTML"),
    (alt_texts, says("![](cat.svg)"), "![](cat.svg)"),
    (alt_texts, says('<img src="cat.svg">'), "a picture without alt text"),
    (alt_texts, says('<img src="cat.svg" alt="">'), "a picture without alt text"),
    (alt_texts, stores("text/html", "<img src=x>"), "a picture without alt text"),
    (cell_ids, cell(2, id="3f9a2b1c"), 'the id "3f9a2b1c"'),
    (cell_ids, cell(2, id="a"), 'the id "a"'),
    (cell_ids, cell(2, id="title"), 'the id "title" is not the only one'),
    (metadata, python_version, "3.11.7"),
    (metadata, cell(3, metadata={"scrolled": True}), "cell run has metadata: scrolled"),
    (metadata, cell(3, metadata=FOLDED), "cell run has metadata: jupyter"),
    (folds, cell(3, metadata=FOLDED), f"cell run: `{ANNOUNCED}` before it"),
    (folds, says(f"Here {ANNOUNCED}."), f"`{ANNOUNCED}` before it"),
    (folds, cell(3, metadata={"jupyter": {"outputs_hidden": True}}), "in a way of its own"),
    (top, cell(0, source="10 minutes"), "it lacks its title"),
    (top, cell(0, source="# A title"), "it lacks `N minutes`"),
    (top, cell(1, source="**You need** that."), "`**You will learn**`"),
    (top, cell(1, source="**You will learn** this."), "`**You need**`"),
    (end, cell(6, source="## What you did"), "with a table"),
    (end, cell(7, source=f"## Check yourself\n\n{QUESTION}"), "(there are 1)"),
    (end, cell(8, source="## More"), "`## Try it`"),
]


@pytest.mark.parametrize("check", [*EVERY_NOTEBOOK, *EVERY_CHAPTER], ids=by_name)
def test_a_sound_notebook_passes(check: Callable[[NotebookNode], list[str]]) -> None:
    assert check(sound()) == []


@pytest.mark.parametrize(
    ("check", "spoil", "complaint"),
    FAULTS,
    ids=[f"{check.__name__}-{number}" for number, (check, _, _) in enumerate(FAULTS)],
)
def test_a_fault_is_found(
    check: Callable[[NotebookNode], list[str]],
    spoil: Callable[[NotebookNode], None],
    complaint: str,
) -> None:
    notebook = sound()
    spoil(notebook)
    assert complaint in "\n".join(check(notebook))


def test_every_check_has_a_fault() -> None:
    assert {check for check, _, _ in FAULTS} == {*EVERY_NOTEBOOK, *EVERY_CHAPTER}


def test_a_reason_and_an_assert_excuse_an_uncompared_cell() -> None:
    notebook = sound()
    reason = f"# NBVAL_IGNORE_OUTPUT\n{REASON}it tells the time"
    types(f"{reason}\nassert time()")(notebook)
    assert uncompared(notebook) == []
    types(f"{reason}\ntime()")(notebook)
    assert uncompared(notebook) == ["cell run is not compared: it needs an assert"]


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        ("chapter.ipynb", ""),
        ("chapter.ipynb#Do-it", ""),
        ("#Do-it", ""),
        ("https://example.org/nowhere", ""),
        ("gone.ipynb", "there is no such file"),
        ("chapter.ipynb#Gone", "there is no such heading"),
        ("../..", "leads out of the repository"),
    ],
)
@pytest.mark.parametrize("form", ["[x]({})", '<a href="{}">x</a>', "![x]({})", "[x]: {}"])
def test_a_dead_link_is_found(form: str, link: str, complaint: str, tmp_path: Path) -> None:
    chapter = tmp_path / "notebooks" / "chapter.ipynb"
    chapter.parent.mkdir()
    write(sound(), chapter)
    said = "\n".join(dead_links(form.format(link), chapter, tmp_path))
    assert complaint in said
    assert bool(said) == bool(complaint)


def test_the_size_budget_tells_by_how_much() -> None:
    notebook = sound()
    says("word " * 1200)(notebook)
    over = over_budget(notebook)
    assert over["cells"] == "10 cells, 15 short of 25"
    assert (
        over["words"] == f"{size(notebook)['words'][0]} words, {over['words'].split()[2]} over 1100"
    )
    assert "over 110" in over["words in the longest tenth of text cells"]
    types("\n".join(["x = 1"] * 20))(notebook)
    assert "over 3" in over_budget(notebook)["lines in the median code cell"]
    assert "over 8" in over_budget(notebook)["lines in the longest tenth of code cells"]
    types("%%writefile a.py\n" + "\n".join(["x = 1"] * 20))(notebook)
    assert "lines in the median code cell" not in over_budget(notebook)
    del notebook.cells[4]
    assert "% of code cells after prose" in over_budget(notebook)


def test_a_wrong_map_or_way_is_found(tmp_path: Path) -> None:
    root = copy_checkout(tmp_path, notebooks=False)
    first, second = root / "notebooks/00_start_here.ipynb", root / "notebooks/01_next.ipynb"
    write(sound(), first)
    write(sound(), second)
    row = "| 0. [A title](00_start_here.ipynb) | begin | 10 |\n"
    other = "| 1. [A title](01_next.ipynb) | go on | 10 |\n"
    assert map_of_chapters(row + other, first, root) == []
    assert "lacks" in map_of_chapters(row, first, root)[0]
    assert "no such chapter" in map_of_chapters(row + other.replace("10", "11"), first, root)[0]
    assert "not in reading order" in map_of_chapters(other + row, first, root)[0]
    step = "Next: [A title](01_next.ipynb)"
    assert ways(first) == [
        f"below the title: missing: {step}",
        f"in the last line: missing: {step}",
    ]
    shutil.copy(START, first)
    assert f"below the title: missing: {step}" in ways(first)
    assert "below the title: wrong: Next: [The shop](01_the_shop.ipynb)" in ways(first)
