"""A notebook passes in any order, beside others, after an accident, and wherever it lies."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from chapters import ROOT, chapters, code_cells, is_compared, name, notebooks, read
from checkout import Proving, copy_checkout, environment, prove
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell
from refresh import run

pytestmark = pytest.mark.slow

each_chapter = pytest.mark.parametrize("path", chapters(), ids=name)


def every_cell() -> set[tuple[str, int]]:
    """All code cells of all notebooks, as nbval numbers them."""
    return {(name(p), n) for p in notebooks() for n in range(len(code_cells(read(p))))}


def by_itself(path: Path) -> bool:
    """Does the chapter need no server?"""
    return not any("shop.postgres(" in cell.source for cell in code_cells(read(path)))


# --- Beside others ---


def test_all_chapters_without_servers_at_once() -> None:
    together([path for path in chapters() if by_itself(path)])


@pytest.mark.parametrize("path", [p for p in chapters() if not by_itself(p)], ids=name)
def test_twice_at_once_with_servers(path: Path) -> None:
    together([path, path])


def together(paths: list[Path]) -> None:
    """Each of these notebooks passes in a pytest of its own, all of them at the same time."""
    proofs = [proving.result() for proving in [Proving(ROOT, path, "-n0") for path in paths]]
    for path, proof in zip(paths, proofs, strict=True):
        assert proof.passed, proof.said
        assert {chapter for chapter, _ in proof.cells} == {name(path)}


# --- After an accident ---


DIE_IN_A_TRANSACTION = """
import os, signal, sqlite3
database = sqlite3.connect("instance/app.db", isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
database.execute("CREATE TABLE half_done (id INTEGER)")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@each_chapter
def test_after_its_kernel_was_killed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="killed-") as scratch:  # short: sockets lie in it
        workspaces = Path(scratch).resolve() / "workspace"
        monkeypatch.setenv("WORKBOOK_WORKSPACE", str(workspaces))
        monkeypatch.setenv("TMPDIR", scratch)
        monkeypatch.delenv("WORKBOOK_POSTGRES_URL", raising=False)
        half = read(path)
        half.cells = half.cells[: len(half.cells) // 2]
        half.cells.append(new_code_cell(DIE_IN_A_TRANSACTION, id="die"))
        client = NotebookClient(half, kernel_name="python3", timeout=60)
        client.resources = {"metadata": {"path": str(path.parent)}}
        with pytest.raises(DeadKernelError):
            client.execute()
        assert list(workspaces.rglob("instance/app.db-journal"))
        nothing_is_left(Path(scratch))
        again, stored = run(path, workspaces), read(path)
        for cell, expected in zip(code_cells(again), code_cells(stored), strict=True):
            assert cell.outputs == expected.outputs or not is_compared(expected), cell.source
        nothing_is_left(Path(scratch))


def nothing_is_left(scratch: Path, seconds: float = 60) -> None:
    """Wait until no process lives that was started from a workspace here, and no server."""
    end = time.monotonic() + seconds
    while left := [*scratch.glob("workbook-postgres-*"), *processes_in(scratch)]:
        assert time.monotonic() < end, left
        time.sleep(0.1)


def processes_in(folder: Path) -> list[str]:
    """The command lines of other living processes that work in this folder, or name it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            line = " ".join(process.cmdline())
            here = str(folder) in line or Path(process.cwd()).is_relative_to(folder)
            if here and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(line)
    return found


# --- A hostile place ---


def without_root_powers() -> tuple[str, ...]:
    """What stands before a command so that permissions count, even for root."""
    if os.name == "nt":
        pytest.skip("on Windows a folder's read-only mark stops nobody")
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")


@pytest.fixture
def locked_checkout(tmp_path: Path) -> Iterator[Path]:
    root = copy_checkout(tmp_path / "Grüne Äpfel, it's 100% [new] (1+1)")
    everything = [root, *root.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    yield root
    for path in everything:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_in_a_hostile_place(locked_checkout: Path, tmp_path: Path) -> None:
    """All notebooks, in an oddly named folder that is read-only, in reverse order.

    From the notebooks' folder; with another database and another flask_app in the
    environment, and start-up files of IPython's. PostgreSQL is the private one.
    """
    home = tmp_path / "home"
    profile = home / ".ipython" / "profile_default"
    for file, text in {
        tmp_path / "other" / "flask_app" / "__init__.py": "raise SystemExit('the wrong flask_app')",
        profile / "startup" / "00-mine.py": "print('hello from my profile'); import flask_app",
        profile / "ipython_config.py": "c.InteractiveShell.ast_node_interactivity = 'all'",
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    scratch = tmp_path / "it's 100% [tmp]"  # the workspaces lie in it
    scratch.mkdir()
    database = tmp_path / "precious.db"
    env = {
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{database}",
        "HOME": str(home),
        "USERPROFILE": str(home),
        "IPYTHONDIR": str(profile.parent),
        "PYTHONPATH": str(tmp_path / "other"),
        "WORKBOOK_POSTGRES_URL": "",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch)),
    }
    here = locked_checkout / "notebooks"
    proof = prove(
        locked_checkout,
        *(path.relative_to(here) for path in reversed(notebooks(locked_checkout))),
        cwd=here,
        prefix=without_root_powers(),
        env=env,
    )
    assert not database.exists()
    assert proof.passed, proof.said
    assert proof.cells == every_cell()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="every other test runs as such a user"
)
@pytest.mark.parametrize("number", ["14", "16"])
def test_as_an_ordinary_user(number: str) -> None:
    """Its PostgreSQL is the user's own process then, and needs no other user."""
    nobody = ("--reuid=nobody", "--regid=nogroup", "--clear-groups")
    # Root's Python may lie where nobody else can read: let this user read, and no more.
    may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    with tempfile.TemporaryDirectory(prefix="nobody-") as home:
        shutil.chown(home, "nobody")
        env = {"HOME": home, "TMPDIR": home, "WORKBOOK_POSTGRES_URL": ""}
        proof = prove(ROOT, path, "-n0", prefix=("setpriv", *nobody, *may_read), env=env)
        assert proof.passed, proof.said


OPEN_A_WORKSPACE = "from workbook import Workspace; Workspace('03_add_a_price')"


def test_read_only_checkout_without_pytest(locked_checkout: Path, tmp_path: Path) -> None:
    """What a learner's kernel does there, without and with WORKBOOK_WORKSPACE."""

    def opened(**env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*without_root_powers(), sys.executable, "-c", OPEN_A_WORKSPACE],
            cwd=locked_checkout / "notebooks",
            env=environment(**env),
            capture_output=True,
            text=True,
        )

    refused = opened()
    assert refused.returncode == 1
    line = refused.stderr.strip().splitlines()[-1]
    assert "WorkbookError: workspace/03_add_a_price cannot be written" in line
    assert "WORKBOOK_WORKSPACE" in line
    elsewhere = tmp_path / "else where"
    assert "is ready: revision 0001, 3 products" in opened(WORKBOOK_WORKSPACE=str(elsewhere)).stdout
    assert (elsewhere / "03_add_a_price" / "instance" / "app.db").exists()
