"""What differs on each machine, and what stands for it in a stored output."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote


@contextmanager
def own_folders() -> Iterator[Path]:
    """Give this process and its children folders of their own, and remove them afterwards.

    A learner may have the same chapter open: its kernel works in workspace/, these do not. Nor
    do they read the user's IPython start-up files. Yields the folder of the workspaces.
    """
    with tempfile.TemporaryDirectory(prefix="workbook-", ignore_cleanup_errors=True) as folder:
        workspaces = Path(folder).resolve() / "workspace"
        os.environ["WORKBOOK_WORKSPACE"] = str(workspaces)
        os.environ["WORKBOOK_STORED_UNMARKED"] = "1"
        os.environ["IPYTHONDIR"] = str(workspaces.with_name("ipython"))
        yield workspaces


def patterns(root: Path, workspaces: Path) -> list[tuple[str, str]]:
    """Regular expressions and their replacements, in the order in which they apply.

    Paths below the workspaces' folder and below the repository become relative,
    with slashes; the moment at which a script was made becomes a word.
    """
    slash = re.escape(os.sep)
    found = [
        (re.escape(str(workspaces)), "workspace"),
        (re.escape(quote(str(workspaces), safe=" +/")), "workspace"),  # as in a database's URL
        (re.escape(str(root)) + slash, ""),
        (r"Create Date: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "Create Date: (when it was made)"),
        # Without a MariaDB its cells show their stored results; this line says so.
        (r"MariaDB: .* stored results\.", "MariaDB is ready, with a new, empty database."),
    ]
    if os.sep == "\\":
        found.append((r"(?<=[\w.])(?:\\|%5C)+(?=[\w.])", "/"))
    return found


def repeatable(text: str, root: Path, workspaces: Path) -> str:
    """The text without what differs on each machine."""
    for pattern, replacement in patterns(root, workspaces):
        text = re.sub(pattern, replacement, text)
    return text


def sanitizer(root: Path, workspaces: Path) -> str:
    """The same patterns as the file that ``--nbval-sanitize-with`` reads."""
    lines = (f"regex: {p}\nreplace: {r}\n" for p, r in patterns(root, workspaces))
    return "\n".join(lines)
