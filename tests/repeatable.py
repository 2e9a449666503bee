"""What differs on each machine, and what stands for it in a stored output."""

import os
import re
from pathlib import Path


def patterns(root: Path, workspaces: Path) -> list[tuple[str, str]]:
    """Regular expressions and their replacements, in the order in which they apply.

    Paths below the workspaces' folder and below the repository become relative,
    with slashes; the moment at which a script was made becomes a word.
    """
    slash = re.escape(os.sep)
    found = [
        (re.escape(str(workspaces)), "workspace"),
        (re.escape(str(root)) + slash, ""),
        (r"Create Date: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "Create Date: (when it was made)"),
    ]
    if os.sep == "\\":
        found.append((r"(?<=[\w.])\\+(?=[\w.])", "/"))
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
