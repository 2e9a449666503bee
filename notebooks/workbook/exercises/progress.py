"""How far a learner is: remembered in a folder, a small file an exercise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..frames import Cell, Frame, html_table
from .definition import Exercise, State

BAR = 24  # characters


class Progress:
    """The states of exercises, as a frame with a bar below."""

    def __init__(self, folder: Path, exercises: Sequence[Exercise] = ()) -> None:
        self.folder, self.exercises = folder, exercises

    def remember(self, number: str, state: State) -> None:
        """Note a state. What was once correct stays so, and what was not tried leaves no note."""
        if state == "not attempted" or self.state(number) == "correct":
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / number).write_text(state, "utf-8")

    def state(self, number: str) -> str:
        """The state of an exercise."""
        file = self.folder / number
        return file.read_text("utf-8") if file.exists() else "not attempted"

    @property
    def frame(self) -> Frame:
        """One row an exercise: exercise, title, state."""
        rows = [(one.number, one.title, self.state(one.number)) for one in self.exercises]
        return Frame(rows, columns=["exercise", "title", "state"])

    def __repr__(self) -> str:
        done, of = self.counts()
        full = round(BAR * done / of)
        return f"{self.frame!r}\n[{'#' * full}{'.' * (BAR - full)}] {done} of {of} correct"

    def _repr_html_(self) -> str:
        done, of = self.counts()
        frame = self.frame
        tint = {"correct": "new", "not yet": "changed"}
        lines = [
            [Cell(row.exercise), Cell(row.title), Cell(row.state, tint.get(row.state, ""))]
            for row in frame.itertuples()
        ]
        words = f"{done} of {of} correct"
        bar = f'<progress max="{of}" value="{done}" aria-label="{words}"></progress>'
        table = html_table([[Cell(column) for column in frame.columns]], lines)
        return f"{table}<p>{bar} {words}</p>"

    def counts(self) -> tuple[int, int]:
        """How many are correct, and how many there are."""
        return sum(self.state(one.number) == "correct" for one in self.exercises), len(
            self.exercises
        )
