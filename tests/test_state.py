"""A notebook passes in any order, beside others, again and again, and wherever it lies."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chapters import ROOT, chapters, code_cells, name, notebooks, read, write
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


# --- Order ---


def test_in_reverse_order() -> None:
    proof = prove(ROOT, *reversed(notebooks()))
    assert proof.passed, proof.said
    assert proof.cells == every_cell()


def test_all_chapters_at_once() -> None:
    together([*chapters()])


@each_chapter
def test_alone_and_twice_at_once(path: Path) -> None:
    together([path, path])


def together(paths: list[Path]) -> None:
    """Each of these notebooks passes in a pytest of its own, all of them at the same time."""
    proofs = [proving.result() for proving in [Proving(ROOT, path, "-n0") for path in paths]]
    for path, proof in zip(paths, proofs, strict=True):
        assert proof.passed, proof.said
        assert {chapter for chapter, _ in proof.cells} == {name(path)}


# --- State ---


def test_twice_in_one_kernel(tmp_path: Path) -> None:
    root = copy_checkout(tmp_path)
    for path in notebooks(root):
        notebook = read(path)
        again = read(path).cells
        for cell in again:
            cell.id += "-second-time"
        notebook.cells += again
        write(notebook, path)
    proof = prove(root, "notebooks")
    assert proof.passed, proof.said
    assert len(proof.cells) == 2 * len(every_cell())


DIE_IN_A_TRANSACTION = """
import os, signal, sqlite3
database = sqlite3.connect("instance/app.db", isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
database.execute("CREATE TABLE half_done (id INTEGER)")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@each_chapter
def test_after_its_kernel_was_killed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspaces = tmp_path.resolve() / "workspace"
    monkeypatch.setenv("WORKBOOK_WORKSPACE", str(workspaces))
    half = read(path)
    half.cells = half.cells[: len(half.cells) // 2]
    half.cells.append(new_code_cell(DIE_IN_A_TRANSACTION, id="die"))
    client = NotebookClient(half, kernel_name="python3", timeout=60)
    client.resources = {"metadata": {"path": str(path.parent)}}
    with pytest.raises(DeadKernelError):
        client.execute()
    assert list(workspaces.rglob("instance/app.db-journal"))
    again = run(path, workspaces)
    assert [c.outputs for c in code_cells(again)] == [c.outputs for c in code_cells(read(path))]


# --- Place ---


def test_folder_with_an_odd_name(tmp_path: Path) -> None:
    root = copy_checkout(tmp_path / "Grüne Äpfel, it's 100% [new] (1+1)")
    scratch = root / "tmp"  # the workspaces lie in it
    scratch.mkdir()
    env = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    proof = prove(root, "notebooks", env=env)
    assert proof.passed, proof.said
    assert proof.cells == every_cell()


def test_from_the_notebooks_folder() -> None:
    proof = prove(ROOT, *chapters(), cwd=ROOT / "notebooks")
    assert proof.passed, proof.said


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
    root = copy_checkout(tmp_path / "locked")
    everything = [root, *root.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    yield root
    for path in everything:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_read_only_checkout(locked_checkout: Path) -> None:
    proof = prove(locked_checkout, "notebooks", prefix=without_root_powers())
    assert proof.passed, proof.said
    assert proof.cells == every_cell()


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


# --- A hostile environment ---


def test_what_others_left_in_the_environment(tmp_path: Path) -> None:
    """Another database, another flask_app on PYTHONPATH, start-up files of IPython's."""
    home = tmp_path / "home"
    profile = home / ".ipython" / "profile_default"
    for file, text in {
        tmp_path / "other" / "flask_app" / "__init__.py": "raise SystemExit('the wrong flask_app')",
        profile / "startup" / "00-mine.py": "print('hello from my profile'); import flask_app",
        profile / "ipython_config.py": "c.InteractiveShell.ast_node_interactivity = 'all'",
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    database = tmp_path / "precious.db"
    env = {
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{database}",
        "HOME": str(home),
        "USERPROFILE": str(home),
        "IPYTHONDIR": str(profile.parent),
        "PYTHONPATH": str(tmp_path / "other"),
    }
    proof = prove(ROOT, "notebooks", env=env)
    assert not database.exists()
    assert proof.passed, proof.said
    assert proof.cells == every_cell()
