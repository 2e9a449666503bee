"""The blank exercises: a notebook of solutions with the answers cut out, and nbgrader's marks."""

import copy
import re
from pathlib import Path

from chapters import code_cells
from nbformat import NotebookNode

REGION = re.compile(r"(?ms)^(?P<indent>[ ]*)### BEGIN SOLUTION[ ]*\n.*?^[ ]*### END SOLUTION[ ]*$")
STUB = "# Write your code here."


def marked(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the metadata by which nbgrader knows what a cell is for.

    Answers may be changed; what puts an exercise up is locked; a check is locked and
    gives a point.
    """
    result = copy.deepcopy(notebook)
    for cell in code_cells(result):
        cell.metadata = {}
        is_answer = "### BEGIN SOLUTION" in cell.source or STUB in cell.source
        is_check = bool(re.search(r'(?m)^check\("', cell.source))
        if not (is_answer or is_check or re.search(r'\bexercise\("', cell.source)):
            continue
        marks = {"grade": is_check, "grade_id": cell.id, "locked": not is_answer}
        marks |= {"schema_version": 3, "solution": is_answer, "task": False}
        if is_check:
            marks["points"] = 1
        cell.metadata["nbgrader"] = dict(sorted(marks.items()))
    return result


def blank(solved: NotebookNode) -> NotebookNode:
    """The notebook for learners: each solution replaced by a line that asks for it."""
    result = copy.deepcopy(solved)
    result.cells[0].source = result.cells[0].source.replace("# Solutions:", "# Exercises:", 1)
    for cell in code_cells(result):
        cell.source = REGION.sub(rf"\g<indent>{STUB}", cell.source)
        cell.outputs, cell.execution_count = [], None
    return result


def blank_of(path: Path) -> Path:
    """Where the blank of a notebook of solutions lies."""
    return path.parents[1] / "exercises" / path.name
