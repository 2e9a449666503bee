"""What is wrong with a notebook: each check returns a list of complaints, empty if all is well."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import unquote, urlsplit

from blanks import STUB, blank, marked
from chapters import (
    FENCES,
    chapters,
    code_cells,
    headings,
    minutes,
    prose,
    read,
    text_cells,
    title,
)
from nbformat import NotebookNode

Complaints = list[str]
Check = Callable[[NotebookNode], Complaints]

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FOLDED = {"jupyter": {"source_hidden": True}}
ANNOUNCED = "the three dots open the file"
LONGEST_LINE = 100
REASON = "# Why not compared: "
UNCOMPARED = re.compile(
    r"NBVAL_(IGNORE_OUTPUT|SKIP|RAISES_EXCEPTION)|PYTEST_VALIDATE_IGNORE_OUTPUT"
    r"|nbval-(ignore-output|skip|raises-exception)|raises-exception"
)


# --- What a cell says ---


def outputs(notebook: NotebookNode) -> Iterator[tuple[str, str, str]]:
    """Each stored output as the id of its cell, its kind and its text."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "stream":
                yield cell.id, output.name, output.text
            elif output.output_type == "error":
                yield cell.id, "error", "\n".join([output.evalue, *output.traceback])
            else:
                for mime, data in output.data.items():
                    yield cell.id, mime, data if isinstance(data, str) else repr(data)


def texts(notebook: NotebookNode) -> Iterator[tuple[str, str, str]]:
    """Everything that a reader sees: the cells' sources and their outputs."""
    for cell in notebook.cells:
        yield cell.id, "source", cell.source
    yield from outputs(notebook)


def found(where: Iterator[tuple[str, str, str]], pattern: str, what: str) -> Complaints:
    """A complaint for each text in which the pattern is found."""
    return [
        f"cell {cell}, {kind}: {what}: {hit[0]}"
        for cell, kind, text in where
        if (hit := re.search(pattern, text))
    ]


def long_lines(notebook: NotebookNode) -> Complaints:
    """Lines of code of which JupyterLab cuts the end off."""
    return [
        f"cell {cell.id}: a line of {len(line)} characters: {line}"
        for cell in code_cells(notebook)
        for line in cell.source.splitlines()
        if len(line) > LONGEST_LINE
    ]


# --- Was it run, and is what it printed the same everywhere? ---


def run_top_to_bottom(notebook: NotebookNode) -> Complaints:
    """A cell that was not run has no output to compare with: nbval would let it pass."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    complaints = [] if counts else ["it has no code cell"]
    if any(cell.outputs == [] for cell in code_cells(notebook)) and not any(outputs(notebook)):
        complaints.append("no output is stored")
    for expected, cell in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != expected:
            complaints.append(
                f"cell {cell.id} was run as number {cell.execution_count}, not {expected}:"
                " python3 start.py refresh"
            )
            break
    return complaints


def output_counts(notebook: NotebookNode) -> Complaints:
    return [
        f"cell {cell.id}: an output of run {output.execution_count}, not {cell.execution_count}"
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.get("execution_count", cell.execution_count) != cell.execution_count
    ]


POSIX_HOMES = r"(/home/|/Users/|/root/|/tmp/|/var/folders/)[\w.-]*"
POSIX_PATH = r"(?<![\w.:/<~)\]}>-])/[\w.-]+(?:/[\w.-]+)+"
WINDOWS_PATH = r"(?<![A-Za-z0-9])[A-Za-z]:(\\\\?|/)\w[^\s\"']*"
# A tag and a MIME type look like paths; they are none.
MARKUP = re.compile(r"</?\w[^>]*>")


def absolute_paths(notebook: NotebookNode) -> Complaints:
    plain = ((cell, kind, MARKUP.sub(" ", text)) for cell, kind, text in outputs(notebook))
    return [
        *found(texts(notebook), POSIX_HOMES, "an absolute path"),
        *found(texts(notebook), WINDOWS_PATH, "an absolute path"),
        *found(plain, POSIX_PATH, "an absolute path"),
    ]


def dates(notebook: NotebookNode) -> Complaints:
    moment = r"(Create Date: \d\S*|\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d)"
    return found(outputs(notebook), moment, "a date")


def memory_addresses(notebook: NotebookNode) -> Complaints:
    return found(outputs(notebook), r"\b0x[0-9a-fA-F]{6,}", "a memory address")


def tracebacks(notebook: NotebookNode) -> Complaints:
    printed = r"Traceback \(most recent call last\)|File \S+, line \d+"
    errors = [
        f"cell {cell}: an error is stored" for cell, k, _ in outputs(notebook) if k == "error"
    ]
    return errors + found(outputs(notebook), printed, "a traceback")


def bitmaps(notebook: NotebookNode) -> Complaints:
    """nbval does not compare them, and they swell the repository."""
    stored = [
        f"cell {cell}: a stored {kind}"
        for cell, kind, _ in outputs(notebook)
        if kind.startswith("image/") and kind != "image/svg+xml"
    ]
    attached = [
        f"cell {cell.id}: an attachment" for cell in notebook.cells if "attachments" in cell
    ]
    return stored + attached


def uncompared(notebook: NotebookNode) -> Complaints:
    """A cell that nbval does not compare says why, in a line of its own, and asserts something."""
    complaints = []
    for cell in code_cells(notebook):
        if UNCOMPARED.search(" ".join([cell.source, *cell.metadata.get("tags", [])])):
            if not re.search(rf"(?m)^{REASON}\w", cell.source):
                complaints.append(f"cell {cell.id} is not compared: add a line `{REASON}...`")
            if not re.search(r"(?m)^\s*assert ", cell.source):
                complaints.append(f"cell {cell.id} is not compared: it needs an assert")
    return complaints


# --- What Jupyter and readers without eyes need ---


def heading_order(notebook: NotebookNode) -> Complaints:
    levels = headings(prose(notebook))
    ones = [text for level, text in levels if level == 1]
    complaints = [] if len(ones) == 1 else [f"{len(ones)} headings of the first level, not one"]
    if levels and levels[0][0] != 1:
        complaints.append(f'it begins with "{levels[0][1]}", not with the title')
    for (before, _), (level, text) in pairwise(levels):
        if level > before + 1:
            complaints.append(f'"{text}" skips from level {before} to {level}')
    if re.search(r"<h[1-6]", prose(notebook)):
        complaints.append("a heading is written in HTML")
    return complaints


def pictures_without_alt_text(text: str) -> Complaints:
    missing = re.findall(r"!\[\s*\]\([^)]*\)", text)
    for tag in re.findall(r"<img\b[^>]*>", text):
        if not re.search(r"""\balt=(["'])\s*[^\s"']""", tag):
            missing.append(tag)
    return [f"a picture without alt text: {picture}" for picture in missing]


def alt_texts(notebook: NotebookNode) -> Complaints:
    shown = (text for _, kind, text in outputs(notebook) if kind != "text/plain")
    return pictures_without_alt_text("\n".join([prose(notebook), *shown]))


def cell_ids(notebook: NotebookNode) -> Complaints:
    ids = [cell.get("id", "") for cell in notebook.cells]
    random = re.compile(r"(?=[a-f]*\d)[0-9a-f]{8}")
    word = re.compile(r"(?=.*[a-z]{3})[a-z][a-z0-9]*(-[a-z0-9]+)*")
    complaints = [
        f'the id "{i}" is not made of words'
        for i in ids
        if random.fullmatch(i) or not word.fullmatch(i)
    ]
    return complaints + [f'the id "{i}" is not the only one' for i in set(ids) if ids.count(i) > 1]


def metadata(notebook: NotebookNode) -> Complaints:
    complaints = [] if notebook.metadata == KERNEL else [f"its metadata are {notebook.metadata}"]
    for cell, expected in zip(notebook.cells, marked(notebook).cells, strict=True):
        ours = {"tags", "nbgrader", *(FOLDED if writes_a_file(cell) else ())}
        if more := cell.metadata.keys() - ours:
            complaints.append(f"cell {cell.id} has metadata: {', '.join(sorted(more))}")
        if cell.metadata.get("nbgrader") != expected.metadata.get("nbgrader"):
            complaints.append(f"cell {cell.id} has wrong marks for nbgrader: refresh it")
    return complaints


def folds(notebook: NotebookNode) -> Complaints:
    """A cell that JupyterLab opens folded is announced, and only such a cell is."""
    complaints = []
    for text, cell in pairwise(notebook.cells):
        folded = {name: cell.metadata[name] for name in FOLDED if name in cell.metadata}
        if folded and folded != FOLDED:
            complaints.append(f"cell {cell.id} is folded in a way of its own: {folded}")
        if bool(folded) != (text.cell_type == "markdown" and ANNOUNCED in text.source):
            complaints.append(f"cell {cell.id}: `{ANNOUNCED}` before it, and folded, or neither")
    return complaints


# --- Links ---


def links(markdown: str) -> list[str]:
    """The targets of all links and pictures, those in code left out."""
    plain = re.sub(r"`[^`\n]*`", "", FENCES.sub("", markdown))
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", plain)
    targets += re.findall(r"(?m)^\[[^\]]+\]:\s*(\S+)", plain)
    return targets + re.findall(r"""\b(?:href|src|srcset)=["']([^"']+)""", plain)


def dead_links(markdown: str, file: Path, root: Path) -> Complaints:
    """Links from this file to files or headings that are not there."""
    complaints = []
    for link in links(markdown):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        if not target.exists():
            complaints.append(f"{link}: there is no such file")
        elif not target.is_relative_to(root.resolve()):
            complaints.append(f"{link} leads out of the repository")
        elif parts.fragment and unquote(parts.fragment) not in anchors(target):
            complaints.append(f"{link}: there is no such heading")
    return complaints


def anchors(file: Path) -> set[str]:
    """What a link can name: headings as Jupyter spells them, or as GitHub does."""
    if file.suffix == ".ipynb":
        return {text.replace(" ", "-") for _, text in headings(prose(read(file)))}
    found = [text for _, text in headings(file.read_text("utf-8"))]
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in found}


# --- How a chapter is built ---


def sections(notebook: NotebookNode) -> list[str]:
    """The text cells' words, divided where a heading of the first or second level begins."""
    return re.split(r"(?m)^(?=##? )", prose(notebook))[1:]


def top(notebook: NotebookNode) -> Complaints:
    first = sections(notebook)[0] if notebook.cells[0].source.startswith("# ") else ""
    wanted = {
        "its title at the top": first,
        "`N minutes` below the title": minutes(notebook),
        "`**You will learn**` below the title": "**You will learn**" in first,
        "`**You need**` below the title": "**You need**" in first,
    }
    return [f"it lacks {what}" for what, there in wanted.items() if not there]


TABLE = re.compile(r"(?m)^\|.+\|\n\|[-| :]+\|\n(\|.+\|(\n|$))+")
QUESTION = re.compile(r"<details>\s*<summary>.+?</summary>\s+\S.*?</details>", re.DOTALL)


def end(notebook: NotebookNode) -> Complaints:
    last = [section.strip() for section in sections(notebook)[-3:]]
    recap, questions, exercises = ["", "", "", *last][-3:]
    asked = len(QUESTION.findall(questions))
    wanted = {
        "`## What you ...` with a table, third heading from the end": recap.startswith(
            "## What you"
        )
        and TABLE.search(recap),
        "`## Check yourself`, second from the end": questions.startswith("## Check yourself"),
        f"three questions with folded answers (there are {asked})": asked == 3,
        "`## Try it`, the place for exercises, at the end": exercises.startswith("## Try it"),
    }
    return [f"it lacks {what}" for what, there in wanted.items() if not there]


def way(path: Path) -> set[str]:
    """What leads to the chapters before and after this one, and to the contents."""
    order = chapters(path.parents[1])
    at = order.index(path)

    def link(word: str, to: int) -> str:
        return f"{word}: [{title(read(order[to]))}]({order[to].name})"

    steps = set()
    if at > 0:
        steps |= {link("Previous", at - 1), f"[Contents]({order[0].name}#The-chapters)"}
    if at + 1 < len(order):
        steps.add(link("Next", at + 1))
    return steps


def ways(path: Path) -> Complaints:
    """All of that stands below the title and in the last line."""
    notebook = read(path)
    places = {
        "below the title": notebook.cells[0].source.partition("\n\n")[2].partition("\n")[0],
        "in the last line": notebook.cells[-1].source.strip().splitlines()[-1],
    }
    complaints = []
    for place, line in places.items():
        steps = {step for step in line.split(" · ") if "](" in step}
        complaints += [f"{place}: missing: {step}" for step in sorted(way(path) - steps)]
        complaints += [f"{place}: wrong: {step}" for step in sorted(steps - way(path))]
    return complaints


def map_of_chapters(markdown: str, file: Path, root: Path) -> Complaints:
    """The table of chapters names those that exist, with their numbers, titles and minutes."""
    row = re.compile(
        r"(?m)^\|\s*(\d+)\. \[([^\]]+)\]\(([^)]+\.ipynb)\)\s*\|.*?\|\s*(\d+)[^|]*\|\s*$"
    )
    said = [(int(n), text, link, int(time)) for n, text, link, time in row.findall(markdown)]
    expected = []
    for number, path in enumerate(chapters(root)):
        notebook = read(path)
        link = path.relative_to(file.parent).as_posix()
        expected.append((number, title(notebook), link, minutes(notebook)))
    wrong = [f"the map has {line}, no such chapter" for line in said if line not in expected]
    wrong += [f"the map lacks {line}" for line in expected if line not in said]
    return wrong or ([] if said == expected else ["the map is not in reading order"])


# --- How a notebook of exercises is built ---

STATE = re.compile(r"Exercise (\d+\.\d+): (correct|not yet|not attempted)\.")


def exercise_form(notebook: NotebookNode, numbers: list[str]) -> Complaints:
    """Each of these exercises is put up, answered and checked, in this order, below its heading."""
    found: list[str] = []
    for cell in notebook.cells:
        source = cell.source
        if cell.cell_type == "markdown":
            found += [f"heading {n}" for n in re.findall(r"(?m)^## (\d+\.\d+) \w", source)]
            continue
        found += [f"start {n}" for n in re.findall(r'\bexercise\("([\d.]+)"\)', source)]
        if "### BEGIN SOLUTION" in source or STUB in source:
            found += ["answer"] if not found or found[-1] != "answer" else []
        found += [f"check {n}" for n in re.findall(r'(?m)^check\("([\d.]+)"\)', source)]
    expected = [
        step for n in numbers for step in (f"heading {n}", f"start {n}", "answer", f"check {n}")
    ]
    complaints = [] if found == expected else [f"its steps are {found}, not {expected}"]
    if not re.fullmatch(r"progress\(\d+\)", code_cells(notebook)[-1].source):
        complaints.append("its last cell does not show the progress")
    return complaints


def states(notebook: NotebookNode) -> dict[str, str]:
    """What the checks of a notebook of exercises said."""
    plain = (text for _, kind, text in outputs(notebook) if kind == "text/plain")
    return {n: state for text in plain for n, state in STATE.findall(text)}


def exercise_head(path: Path) -> Complaints:
    """The title, the minutes, and the links to the chapter, the contents and the neighbours."""
    notebook = read(path)
    root = path.parents[2]
    chapter = root / "notebooks" / path.name
    if not chapter.exists():
        return ["there is no chapter of this name"]
    kind = path.parent.name.capitalize()
    order = sorted(path.parent.glob("[0-9][0-9]_*.ipynb"))
    at = order.index(path)
    wanted = [
        f"# {kind}: {title(read(chapter))}\n",
        f"Chapter: [{title(read(chapter))}](../{chapter.name})",
        "[Contents](../00_start_here.ipynb#The-chapters)",
    ]
    for word, to in (("Previous", at - 1), ("Next", at + 1)):
        if 0 <= to < len(order):
            named = title(read(root / "notebooks" / order[to].name))
            wanted.append(f"{word}: [{named}]({order[to].name})")
    complaints = [
        f"its first cell lacks {w.strip()}" for w in wanted if w not in notebook.cells[0].source
    ]
    return complaints if minutes(notebook) else [*complaints, "it does not say how long it takes"]


def is_blank_of(given: NotebookNode, solved: NotebookNode) -> Complaints:
    """A blank has the cells of its solutions, with the answers cut out."""
    expected = blank(marked(solved)).cells
    if [cell.id for cell in given.cells] != [cell.id for cell in expected]:
        return ["its cells are not those of the solutions: python3 start.py refresh"]
    return [
        f"cell {cell.id} is not the solution's with the answer cut out: python3 start.py refresh"
        for cell, other in zip(given.cells, expected, strict=True)
        if (cell.source, cell.metadata) != (other.source, other.metadata)
    ]


# --- How long it is ---


def words(markdown: str) -> int:
    """What a reader reads: without code blocks, tags, and the targets of links."""
    text = re.sub(r"<[^>]+>", " ", FENCES.sub(" ", markdown))
    text = re.sub(r"\]\([^)]*\)", " ", text)
    return len(re.findall(r"\w[\w'.()/-]*", text))


def lines(cell: NotebookNode) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def writes_a_file(cell: NotebookNode) -> bool:
    return cell.source.startswith("%%writefile")


def longest_tenth(values: list[int]) -> float:
    """What nine in ten of the values do not exceed."""
    return quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]


def size(notebook: NotebookNode) -> dict[str, tuple[float, float, float]]:
    """Each measure of a chapter: how much, at least, at most."""
    code = code_cells(notebook)
    text = [words(cell.source) for cell in text_cells(notebook)]
    typed = [lines(cell) for cell in code if not writes_a_file(cell)] or [0]
    after_prose = [
        cell
        for before, cell in pairwise(notebook.cells)
        if cell.cell_type == "code" and before.cell_type == "markdown"
    ]
    return {
        "cells": (len(notebook.cells), 25, 40),
        "code cells": (len(code), 10, 15),
        "words": (sum(text), 700, 1100),
        "words in the median text cell": (median(text), 0, 60),
        "words in the longest tenth of text cells": (longest_tenth(text), 0, 110),
        "lines in the median code cell": (median(typed), 0, 3),
        "lines in the longest tenth of code cells": (longest_tenth(typed), 0, 8),
        "% of code cells after prose": (round(100 * len(after_prose) / len(code)), 90, 100),
    }


def over_budget(notebook: NotebookNode) -> dict[str, str]:
    """Each limit of the size budget that a chapter breaks, and by how much."""
    complaints = {}
    for measure, (value, least, most) in size(notebook).items():
        if value > most:
            complaints[measure] = f"{value:g} {measure}, {value - most:g} over {most}"
        elif value < least:
            complaints[measure] = f"{value:g} {measure}, {least - value:g} short of {least}"
    return complaints


EVERY_NOTEBOOK: tuple[Check, ...] = (
    run_top_to_bottom,
    output_counts,
    long_lines,
    absolute_paths,
    dates,
    memory_addresses,
    tracebacks,
    bitmaps,
    uncompared,
    heading_order,
    alt_texts,
    cell_ids,
    metadata,
    folds,
)
EVERY_CHAPTER: tuple[Check, ...] = (top, end)
