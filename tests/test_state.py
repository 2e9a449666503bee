"""A notebook passes beside others, after an accident, as any user, and where it cannot write."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest
from chapters import ROOT, chapters, code_cells, is_compared, read
from checkout import copy_checkout, environment, locked, prove, without_root_powers
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell
from refresh import run

pytestmark = pytest.mark.slow

ALONE = [p for p in chapters() if "shop.postgres(" not in "".join(c.source for c in read(p).cells)]
SERVED = [path for path in chapters() if path not in ALONE]
GROUPS = [ALONE, *(SERVED[first::3] for first in range(3))]

DIE_IN_A_TRANSACTION = """
import os, signal, sqlite3
database = sqlite3.connect("instance/app.db", isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
database.execute("CREATE TABLE half_done (id INTEGER)")
os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has but one, as hard
"""


@pytest.mark.parametrize("paths", GROUPS, ids=lambda paths: "-".join(p.stem[:2] for p in paths))
def test_at_once_where_their_kernels_were_killed(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chapters without servers all at the same time, the others two or three at a time."""
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:  # short: sockets lie in it
        scratch = Path(folder).resolve()
        scratch.chmod(0o755)  # where the tests are root, the server is another user
        workspaces = scratch / "workspace"
        monkeypatch.setenv("WORKBOOK_WORKSPACE", str(workspaces))
        monkeypatch.setenv("TMPDIR", str(scratch))
        monkeypatch.delenv("WORKBOOK_POSTGRES_URL", raising=False)
        with ThreadPoolExecutor(len(paths)) as at_once:
            list(at_once.map(kill_in_its_middle, paths))
            for path in paths:
                assert (workspaces / path.stem / "instance" / "app.db-journal").exists()
            nothing_is_left(scratch)
            again = list(at_once.map(partial(run, workspaces=workspaces), paths))
        for path, notebook in zip(paths, again, strict=True):
            for cell, stored in zip(code_cells(notebook), code_cells(read(path)), strict=True):
                assert cell.outputs == stored.outputs or not is_compared(stored), cell.source
        nothing_is_left(scratch)


def kill_in_its_middle(path: Path) -> None:
    """Run the first half of a notebook, and end its kernel while it writes."""
    half = read(path)
    half.cells = half.cells[: len(half.cells) // 2]
    half.cells.append(new_code_cell(DIE_IN_A_TRANSACTION, id="die"))
    client = NotebookClient(half, kernel_name="python3", timeout=60)
    client.resources = {"metadata": {"path": str(path.parent)}}
    with pytest.raises(DeadKernelError):
        client.execute()


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


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="every other test runs as such a user"
)
@pytest.mark.parametrize("number", ["14", "15"])
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


@pytest.mark.skipif(os.name == "nt", reason="a folder's read-only mark stops nobody on Windows")
def test_read_only_checkout_without_pytest(tmp_path: Path) -> None:
    """What a learner's kernel does there, without and with WORKBOOK_WORKSPACE."""
    root = copy_checkout(tmp_path / "read only")

    def opened(**env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*without_root_powers(), sys.executable, "-c", OPEN_A_WORKSPACE],
            cwd=root / "notebooks",
            env=environment(**env),
            capture_output=True,
            text=True,
        )

    with locked(root):
        refused = opened()
        assert refused.returncode == 1
        line = refused.stderr.strip().splitlines()[-1]
        assert "WorkbookError: workspace/03_add_a_price cannot be written" in line
        assert "WORKBOOK_WORKSPACE" in line
        elsewhere = tmp_path / "else where"
        said = opened(WORKBOOK_WORKSPACE=str(elsewhere)).stdout
    assert "is ready: revision 0001, 3 products" in said
    assert (elsewhere / "03_add_a_price" / "instance" / "app.db").exists()
