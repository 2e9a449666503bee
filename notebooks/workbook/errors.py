"""Errors that say in one line what to do, and errors that are meant to come."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class WorkbookError(Exception):
    """A mistake in using the workbook. Jupyter shows its one line, no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"WorkbookError: {self}"]


@contextmanager
def expect_error(name: str) -> Iterator[None]:
    """Run a block that must fail, and print the line that matters.

    ``name`` is the name of the exception's class, or of a class above it.
    Flask-Migrate logs Alembic's errors and exits; here they count, and print once,
    as what they were. Another error passes through. Raises WorkbookError if none comes.
    """
    log = logging.getLogger("flask_migrate")
    log.addFilter(printed_below)
    try:
        yield
    except BaseException as error:
        cause = error.__context__ if isinstance(error, SystemExit) else error
        if cause is None or name not in {base.__name__ for base in type(cause).__mro__}:
            raise (cause or error) from None
        print(f"{type(cause).__name__}: {gist(cause)}")
    else:
        raise WorkbookError(
            f"{name} was expected here, but nothing failed. Was a cell skipped or run twice,"
            " or shop.restart() forgotten?"
        )
    finally:
        log.removeFilter(printed_below)


def printed_below(record: logging.LogRecord) -> bool:
    """Keep an error out of the log that expect_error prints itself."""
    return record.levelno < logging.ERROR


def gist(error: BaseException) -> str:
    """The first line of what an error says; of a database error, what the driver said."""
    said = str(getattr(error, "orig", None) or error)
    return said.strip().splitlines()[0] if said.strip() else "(no message)"
