"""Is everything here that the chapters need? (Only the standard library is imported.)"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import WorkbookError

if TYPE_CHECKING:
    from .frames import Frame

ROOT = Path(__file__).resolve().parents[2]
MEND = (
    "run `python3 start.py` in the workbook's folder"
    " (or choose the kernel of the environment that it made)"
)


def requirements() -> dict[str, str]:
    """What the chapters need, and the exact versions that their outputs were made with."""
    _, chapters, *_ = (ROOT / "requirements.in").read_text("utf-8").split("\n\n")
    names = re.findall(r"(?m)^([A-Za-z][\w.-]*)", chapters)
    pins = dict(
        re.findall(r"(?m)^([a-z0-9-]+)==([^\s;]+)", (ROOT / "requirements.txt").read_text("utf-8"))
    )
    return {name: pins[name.lower()] for name in names}


def installed(name: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def require_environment() -> None:
    """Raise WorkbookError, in one line, if something is missing."""
    if sys.version_info < (3, 11):  # noqa: UP036 (a notebook may get any kernel)
        raise WorkbookError("This kernel runs an old Python. The workbook needs 3.11: " + MEND)
    missing = [name for name in requirements() if installed(name) is None]
    if missing:
        raise WorkbookError(
            f"Not installed in this kernel: {', '.join(missing)}. To mend it, {MEND}"
        )


def check_environment() -> Frame:
    """What the workbook needs and what is here, one row a requirement.

    Columns: part, needed, state. A version that differs from the one that the
    stored outputs were made with is named; the chapters may then print differently.
    """
    from .frames import Frame

    rows = [("Python", "3.11 or newer", "ok")]
    for name, needed in requirements().items():
        found = installed(name)
        rows.append((name, needed, "ok" if found == needed else f"{found} is here"))
    return Frame(rows, columns=["part", "needed", "state"])
