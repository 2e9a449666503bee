"""The exercises: each has a workspace of its own, and a check that looks at the real thing.

``exercise("3.1")`` puts it up, ``check("3.1")`` says how far it is, ``hint("3.1")`` helps a
little, ``solution("3.1")`` shows the answer, ``progress()`` shows all of them.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
from collections import Counter
from functools import cache
from pathlib import Path

from ..environment import ROOT
from ..errors import WorkbookError
from ..pictures import Rich, show
from ..servers import NoServer
from ..workspace import DATABASE, Workspace, workspaces
from .definition import Exercise, NotYet, Verdict
from .progress import Progress
from .trial import contents, copy_workspace, in_server, told, trying

__all__ = ["check", "exercise", "hint", "progress", "solution"]

# Who runs the solutions (a teacher, a test) must not touch the learner's own work.
SHELF = "solutions" if Path.cwd().name == "solutions" else "exercises"

hints_shown: Counter[str] = Counter()
homes: dict[str, str] = {}


class NotCorrect(WorkbookError, AssertionError):
    """Raised under nbgrader, which gives points for a cell that raises nothing."""


def exercise(number: str) -> Workspace:
    """Put up an exercise in its starting state and return its workspace.

    What was there before of this exercise is wiped. Raises WorkbookError if there is no
    such exercise.
    """
    one = find(number)
    shop = Workspace(f"{SHELF}/{one.number}", one.start, one.prepare, one.home)
    homes[number] = shop.home
    started = beginning(one)
    shutil.rmtree(started, ignore_errors=True)
    if shop.home:  # there may be no PostgreSQL
        copy_workspace(shop.path, started)
        for file, text in in_server(shop.home).items():
            (started / file).write_text(text, "utf-8")
    return shop


def check(number: str) -> None:
    """Say whether an exercise is not attempted, not yet right, or correct, and why.

    The check works on a copy; the learner's files and database stay as they are. Raises
    WorkbookError if there is no such exercise; under nbgrader also if the answer
    is not correct.
    """
    one = find(number)
    verdict = judge(one)
    folder = workspaces() / SHELF / ".progress"
    Progress(folder).remember(one.number, verdict.state)
    say(f"**Exercise {one.number}: {verdict.state}.** {verdict.line}")
    if verdict.state != "correct" and "NBGRADER_EXECUTION" in os.environ:
        raise NotCorrect(f"Exercise {one.number}: {verdict.state}. {verdict.line}")


def hint(number: str) -> None:
    """Show the next hint for an exercise; each says more than the one before."""
    one = find(number)
    at = min(hints_shown[number], len(one.hints) - 1)
    hints_shown[number] += 1
    more = "" if at + 1 < len(one.hints) else f' (The last one. `solution("{number}")` is left.)'
    say(f"**Hint {at + 1} of {len(one.hints)}.** {one.hints[at]}{more}")


def solution(number: str) -> None:
    """Show an answer to an exercise: one that its check calls correct.

    Raises WorkbookError if the solutions are not here: a teacher may keep them.
    """
    one = find(number)
    chapter = number.partition(".")[0].zfill(2)
    files = [*(ROOT / "notebooks" / "solutions").glob(f"{chapter}_*.ipynb")]
    if not files:
        raise WorkbookError(f"The solution of {one.number} is not in this copy of the workbook.")
    cells = json.loads(files[0].read_text("utf-8"))["cells"]
    blocks = [f"```python\n{block}\n```" for block in answers(cells, number)]
    say("\n\n".join([f"**A solution of {one.number}, {one.title}**", *blocks]))


def progress(chapter: int | None = None) -> Progress:
    """The exercises (of one chapter, or all) with their states, and a bar. It is remembered."""
    if chapter is not None and chapter not in chapters():
        raise WorkbookError(f"Chapter {chapter} has no exercises.")
    chosen = exercises() if chapter is None else of_chapter(chapter)
    return Progress(workspaces() / SHELF / ".progress", [*chosen.values()])


def chapters() -> list[int]:
    """The chapters that have exercises."""
    return sorted(int(path.stem[-2:]) for path in Path(__file__).parent.glob("chapter_??.py"))


@cache
def of_chapter(chapter: int) -> dict[str, Exercise]:
    """A chapter's exercises by their number."""
    module = importlib.import_module(f"{__name__}.chapter_{chapter:02}")
    return {one.number: one for one in module.EXERCISES}


def exercises() -> dict[str, Exercise]:
    """All exercises by their number, in the order of the chapters."""
    return {number: one for chapter in chapters() for number, one in of_chapter(chapter).items()}


def find(number: str) -> Exercise:
    """The exercise of this number."""
    chapter = number.partition(".")[0]
    known = of_chapter(int(chapter)) if chapter in map(str, chapters()) else {}
    if number not in known:
        there = ", ".join(known or exercises())
        raise WorkbookError(f'There is no exercise "{number}". There are: {there}.')
    return known[number]


def beginning(one: Exercise) -> Path:
    """Where the copy of an exercise's starting state is kept."""
    return workspaces() / SHELF / ".started" / one.number


def judge(one: Exercise) -> Verdict:
    """Look at the answer that stands in the exercise's workspace."""
    here, started = workspaces() / SHELF / one.number, beginning(one)
    # A database in PostgreSQL is gone with the kernel that put it up.
    home = DATABASE if one.home == "SQLite" else homes.get(one.number, "")
    if not home or not started.is_dir() or not here.is_dir():
        return Verdict("not attempted", f'Run `exercise("{one.number}")` first.')
    waiting = ""
    try:
        if contents(here) | in_server(home) == contents(started):
            return Verdict("not attempted", one.untouched + uncommitted(here))
        with trying(here, home, started) as trial:
            waiting = trial.waiting
            one.judge(trial)
    except NotYet as missing:
        return Verdict("not yet", with_reminder(str(missing), waiting) + uncommitted(here))
    except NoServer as error:
        return Verdict("not yet", f"The database cannot be read: {str(error).rstrip('.')}.")
    except (Exception, SystemExit) as error:
        return Verdict("not yet", f"The check cannot make sense of it: {told(error)}")
    return Verdict("correct", one.shows)


def with_reminder(line: str, waiting: str) -> str:
    """The line, and that a script was not run, unless the line speaks of that itself."""
    return line if "fails: " in line or "The database is at" in line else line + waiting


def uncommitted(path: Path) -> str:
    """A reminder, if the exercise's own session holds changes that no other connection sees."""
    shop = Workspace._running
    if shop and shop.path == path and shop._app:
        session = shop._app.extensions["sqlalchemy"].session
        if session.new or session.dirty or session.deleted:
            return " (The session has changes: is a db.session.commit() missing?)"
    return ""


def answers(cells: list[dict[str, object]], number: str) -> list[str]:
    """The solution's code in the cells between an exercise's start and its check."""
    blocks: list[str] = []
    inside = False
    for cell in cells:
        source = "".join(cell["source"])  # type: ignore[arg-type]
        inside = (
            inside or f'exercise("{number}")' in source
        ) and f'check("{number}")' not in source
        if inside and "### BEGIN SOLUTION" in source:
            blocks.append(re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", source).strip())
    return blocks


def say(markdown: str) -> None:
    """Show a text as Markdown."""
    show(Rich("text/markdown", markdown, re.sub(r"\*\*|`", "", markdown)))
