"""Every pytest run has its own workspaces, and nbval compares outputs in the repeatable form."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT / "notebooks"), str(ROOT / "tests")]

from own_ports import OwnPorts  # noqa: E402
from repeatable import sanitizer  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Give the run its own folders, its own ports and its sanitizer."""
    OwnPorts.instance()
    # A learner may have the same chapter open: its kernel works in workspace/, these do not.
    scratch = Path(tempfile.mkdtemp(prefix="workbook-")).resolve()
    workspaces = scratch / "workspace"
    os.environ["WORKBOOK_WORKSPACE"] = str(workspaces)
    os.environ["IPYTHONDIR"] = str(scratch / "ipython")  # no start-up files of the user's
    config.add_cleanup(lambda: shutil.rmtree(scratch, ignore_errors=True))
    if "nbval_sanitize_with" in config.option:
        file = scratch / "sanitize.cfg"
        file.write_text(sanitizer(ROOT, workspaces), encoding="utf-8")
        config.option.nbval_sanitize_with = str(file)
