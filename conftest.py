"""Every pytest run has its own workspaces, and nbval compares outputs in the repeatable form."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT / "notebooks"), str(ROOT / "tests")]

from own_ports import OwnPorts  # noqa: E402
from repeatable import own_folders, sanitizer  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Give the run its own folders, its own ports and its sanitizer."""
    OwnPorts.instance()
    folders = ExitStack()
    workspaces = folders.enter_context(own_folders())
    config.add_cleanup(folders.close)
    if "nbval_sanitize_with" in config.option:
        file = workspaces.with_name("sanitize.cfg")
        file.write_text(sanitizer(ROOT, workspaces), encoding="utf-8")
        config.option.nbval_sanitize_with = str(file)
