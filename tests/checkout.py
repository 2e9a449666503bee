"""Copies of the checkout to spoil, to move and to lock, and nbval run in them."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chapters import ROOT

WHAT_NBVAL_NEEDS = (
    "flask_app",
    "migrations",
    "notebooks",
    "tests",
    "conftest.py",
    "pyproject.toml",
    "requirements.in",
    "requirements.txt",
)


def copy_checkout(folder: Path, *, notebooks: bool = True) -> Path:
    """Copy into this folder what it takes to run chapters."""
    unwanted = ["__pycache__", ".ipynb_checkpoints", "instance"]
    unwanted += [] if notebooks else ["*.ipynb"]
    for name in WHAT_NBVAL_NEEDS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*unwanted))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Within the block nobody may write in this folder; see without_root_powers, too."""
    everything = [root, *root.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        yield
    finally:
        for path in everything:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def without_root_powers() -> tuple[str, ...]:
    """What stands before a command so that permissions count, even for root; if it can be had."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("setpriv"):
        return ()
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")


def environment(**more: str) -> dict[str, str]:
    """The environment for another pytest, without what the one that we run in has set."""
    ours = ("PYTEST_", "WORKBOOK_WORKSPACE", "IPYTHONDIR", "FLASK_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return kept | more


@dataclass(frozen=True)
class Proof:
    """What nbval said: the cells that it ran, as (chapter, number), and why some failed."""

    cells: frozenset[tuple[str, int]]
    failed: dict[tuple[str, int], str]
    said: str

    @property
    def passed(self) -> bool:
        return bool(self.cells) and not self.failed


def prove(
    root: Path,
    *arguments: str | Path,
    cwd: Path | None = None,
    prefix: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> Proof:
    """Run ``pytest --nbval`` there to its end, after the words of ``prefix``."""
    with tempfile.TemporaryDirectory(prefix="workbook-proof-") as scratch:
        Path(scratch).chmod(0o777)  # ``prefix`` may make it another user who writes there
        report = Path(scratch, "junit.xml")
        line = [*prefix, sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*line, f"--junitxml={report}", *map(str, arguments)],
            cwd=cwd or root,
            env=environment(**(env or {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=1200,
        )
        cells, failed = set(), {}
        if report.exists():
            for case in ET.parse(report).iter("testcase"):
                *_, folder, stem, _ = ["", *case.get("classname", "").split(".")]
                shelf = f"{folder}/" if folder in ("solutions", "exercises") else ""
                cell = (shelf + stem, int(case.get("name", "0")[5:]))
                cells.add(cell)
                for reason in [*case.iter("failure"), *case.iter("error")]:
                    failed[cell] = reason.text or ""
    if done.returncode not in (0, 1) or bool(failed) != bool(done.returncode):
        raise AssertionError(f"pytest exited with {done.returncode}:\n{done.stdout}")
    return Proof(frozenset(cells), failed, done.stdout)
