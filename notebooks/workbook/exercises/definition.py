"""What an exercise is made of, and how its check says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..workspace import Home, Start, Workspace

if TYPE_CHECKING:
    from .trial import Trial

MODELS = "flask_app/models.py"
NAME = "    name: Mapped[str | None] = mapped_column(String(50))\n"

# A script as the template writes it, up to upgrade().
HEAD = '''"""{message}

Revision ID: {revision}
Revises: {parent}

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '{revision}'
down_revision = '{parent}'
branch_labels = None
depends_on = None
'''

State = Literal["not attempted", "not yet", "correct"]


class NotYet(Exception):
    """The first thing that is missing in an answer, in one line."""


def need(there: Any, line: str) -> None:
    """Raise NotYet with this line unless the thing is there."""
    if not there:
        raise NotYet(line)


@contextmanager
def where(words: str) -> Iterator[None]:
    """Say of what is missing in the block where, or when, it is missing."""
    try:
        yield
    except NotYet as missing:
        raise NotYet(f"{words}: {missing}") from missing


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    ``judge`` gets a copy of the learner's workspace and raises NotYet for the first thing
    that is missing; ``shows`` is said when nothing is, ``untouched`` when all is as at the
    start. ``prepare`` puts up what differs from the usual start, in a database of its ``home``.
    """

    number: str
    title: str
    judge: Callable[[Trial], None]
    shows: str
    hints: tuple[str, ...]
    prepare: Callable[[Workspace], None] | None = None
    start: Start = "three fruits"
    home: Home = "SQLite"
    untouched: str = "Nothing has changed since the start."


@dataclass(frozen=True)
class Verdict:
    """What a check found: the state, and a line that says why."""

    state: State
    line: str
