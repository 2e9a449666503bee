"""The private PostgreSQL: it starts anywhere, is nobody else's, and goes with its kernel."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from chapters import NOTEBOOKS
from checkout import environment
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from workbook import servers
from workbook.frames import schema_frame
from workbook.postgres_guard import Server
from workbook.servers import NoServer, PrivatePostgres, new_database
from workbook.standin import stored

posix = pytest.mark.skipif(os.name == "nt", reason="Unix sockets, modes and signals")
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="PostgreSQL refuses to be root only"
)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for the data with a path that is short enough for a socket, unlike pytest's own."""
    path = Path("/tmp" if os.name == "posix" else os.environ["TEMP"], f"pg {os.getpid()} Übung's")
    path.mkdir()
    yield path
    shutil.rmtree(path)


def asked(url: object, question: str) -> object:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(text(question)).scalar()
    finally:
        engine.dispose()


# --- One server ---


@posix
def test_it_is_private_and_leaves_nothing(short: Path) -> None:
    server = PrivatePostgres([short])
    (folder,) = short.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) in (0o700, 0o770)
    assert asked(server.url, "SHOW listen_addresses") == ""
    assert asked(server.url, "SHOW unix_socket_directories") == f'"{folder}"'
    assert asked(server.url, "SHOW wal_level") == "logical"
    server.stop()
    assert list(short.iterdir()) == []
    with pytest.raises(OperationalError):
        asked(server.url, "SELECT 1")


def test_each_database_is_new_and_empty(short: Path) -> None:
    server = PrivatePostgres([short])
    url = new_database(server.url, "shop")
    connected = create_engine(url).connect()  # whoever is connected does not hold it up
    connected.execute(text("CREATE TABLE here (id INTEGER)"))
    connected.commit()
    again = new_database(server.url, "shop")
    assert again == url
    assert asked(again, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    connected.invalidate()
    server.stop()


def test_an_enum_is_no_text_in_a_schema(short: Path) -> None:
    server = PrivatePostgres([short])
    with create_engine(new_database(server.url, "shop")).begin() as connection:
        connection.execute(text("CREATE TYPE taste AS ENUM ('sweet', 'sour')"))
        connection.execute(text("CREATE TABLE products (taste taste, listed VARCHAR(5))"))
        types = schema_frame(connection, "products")["type"].tolist()
    assert types == ["ENUM taste", "VARCHAR(5)"]
    server.stop()


def test_two_at_once(short: Path) -> None:
    one, other = PrivatePostgres([short]), PrivatePostgres([short])
    new_database(one.url, "shop")
    assert asked(other.url, "SELECT count(*) FROM pg_database WHERE datname = 'shop'") == 0
    one.stop()
    assert asked(other.url, "SELECT 1") == 1
    other.stop()
    assert list(short.iterdir()) == []


@posix
def test_a_dead_server_is_started_anew(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "folders", lambda _: [short])
    monkeypatch.delenv(servers.POSTGRES_URL, raising=False)
    workspace = short / "workspace"
    servers.postgres(workspace, "shop", "mortal")
    (pid,) = short.glob("*/data/postmaster.pid")
    os.kill(int(pid.read_text().splitlines()[0]), signal.SIGKILL)
    assert asked(servers.postgres(workspace, "shop", "mortal"), "SELECT 1") == 1
    PrivatePostgres.forget("mortal")
    assert list(short.iterdir()) == []


# --- The end of the kernel ---

START_AND = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from workbook.servers import PrivatePostgres
server = PrivatePostgres([Path(sys.argv[2])])
"""


@pytest.mark.parametrize(
    "end",
    [
        "pass",
        "sys.exit('an error')",
        "os._exit(1)",
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", marks=posix),
        pytest.param("os.kill(os.getpid(), signal.SIGTERM)", marks=posix),
    ],
)
def test_it_goes_with_its_kernel(short: Path, end: str) -> None:
    subprocess.run(
        [sys.executable, "-c", START_AND + end, str(NOTEBOOKS), str(short)], capture_output=True
    )
    emptied(short)


@posix
def test_it_goes_when_the_kernel_dies_while_it_starts(short: Path) -> None:
    kernel = subprocess.Popen([sys.executable, "-c", START_AND, str(NOTEBOOKS), str(short)])
    end = time.monotonic() + 20
    while not list(short.glob("*/data")) and time.monotonic() < end:
        time.sleep(0.01)
    assert list(short.glob("*/data"))
    kernel.kill()
    kernel.wait()
    emptied(short)


def emptied(folder: Path, seconds: float = 20) -> None:
    """Wait until the folder is empty: the guard has stopped the server and removed its data."""
    end = time.monotonic() + seconds
    while any(folder.iterdir()):
        assert time.monotonic() < end, [*folder.iterdir()]
        time.sleep(0.05)


# --- Places that will not do ---


@posix
def test_the_next_folder_is_taken(short: Path) -> None:
    too_long = short / ("long" * 30)
    too_long.mkdir()
    server = PrivatePostgres([Path("/dev/null"), Path("/nowhere"), too_long, short])
    assert len(list(short.iterdir())) == 2
    assert list(too_long.iterdir()) == []
    server.stop()


@posix
def test_no_folder_will_do(short: Path) -> None:
    too_long = short / ("long" * 30)
    too_long.mkdir()
    with pytest.raises(NoServer) as reason:
        PrivatePostgres([Path("/nowhere"), too_long])
    assert "/nowhere: " in str(reason.value)
    assert "too long for a socket's path" in str(reason.value)
    assert "\n" not in str(reason.value)
    assert list(too_long.iterdir()) == []


@posix
def test_programs_that_do_not_run(short: Path) -> None:
    broken = short / "package" / "pginstall" / "bin"
    broken.mkdir(parents=True)
    for program in ("initdb", "postgres"):
        (broken / program).write_text("#!/bin/sh\necho 'initdb: error: out of luck'; exit 1\n")
        (broken / program).chmod(0o755)
    with pytest.raises(RuntimeError, match="initdb: error: out of luck"):
        Server(broken, short)
    assert [entry.name for entry in short.iterdir()] == ["package"]


@root_only
def test_roots_own_programs_are_copied(short: Path) -> None:
    locked = short / "locked"
    package = servers.binaries().parents[1]
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, locked / part.name, symlinks=True)
    locked.chmod(0o700)
    data = short / "data"
    data.mkdir()
    server = Server(locked / servers.binaries().relative_to(package.parent), data)
    assert (server.folder / "programs").is_dir()
    assert server.binaries.is_relative_to(server.folder)
    server.stop()
    assert list(data.iterdir()) == []


@root_only
def test_a_folder_that_is_closed_to_all_but_root(short: Path) -> None:
    """As $TMPDIR is where each user has one of their own."""
    closed, data = short / "closed", short / "data"
    closed.mkdir(mode=0o700)
    data.mkdir()
    server = PrivatePostgres([closed, data])
    assert len(list(data.iterdir())) == 1
    server.stop()
    assert list(closed.iterdir()) == list(data.iterdir()) == []


@root_only
def test_root_without_its_powers(short: Path) -> None:
    """As in a container whose root may not enter what others have closed."""
    powers = "--bounding-set=-dac_override,-dac_read_search,-fowner"
    done = subprocess.run(
        ["setpriv", powers, sys.executable, "-c", START_AND, str(NOTEBOOKS), str(short)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    emptied(short)


# --- What the cells say ---

FIRST = """
from workbook import Workspace

shop = Workspace("99_servers")
"""
CELLS = (
    FIRST,
    "postgres = shop.postgres()",
    "shop.restart(postgres)",
    "%%writefile flask_app/mine.py\nimport nowhere",
    "1 / 0",
    "shop.restart()",
    "len(shop.table('products'))",
    "mariadb = shop.mariadb()",
    "shop.restart(mariadb)",
    "shop.restart(postgres)",
    FIRST,
    "6 * 7",
)


def run(tmp_path: Path, *cells: str, **env: str) -> list[str]:
    """What these cells say in a kernel of their own, each in one text."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, kernel_name="python3", timeout=60)
    client.resources = {"metadata": {"path": str(NOTEBOOKS)}}
    env = environment(WORKBOOK_WORKSPACE=str(tmp_path), **env)
    env.pop(servers.MARIADB_URL, None)
    env.pop("WORKBOOK_STORED_UNMARKED", None)
    client.execute(env=env)
    return [said(cell) for cell in notebook.cells]


def said(cell: nbformat.NotebookNode) -> str:
    return "".join(
        output.text if output.output_type == "stream" else output.data["text/plain"]
        for output in cell.outputs
    )


NOBODY_LISTENS = "postgresql+psycopg://shop@127.0.0.1:1/shop"


@pytest.mark.parametrize(
    ("url", "reason"),
    [(NOBODY_LISTENS, "connection failed: "), ("nonsense", "WORKBOOK_POSTGRES_URL is no URL")],
)
def test_without_postgres_its_cells_are_skipped(tmp_path: Path, url: str, reason: str) -> None:
    lines = run(tmp_path, *CELLS, WORKBOOK_POSTGRES_URL=url)
    ready = "workspace/99_servers is ready: revision 0001, 3 products\n"
    on_sqlite = "The shop runs again, with Product(id, name)\n"
    skipped = "skipped: no PostgreSQL\n"
    assert lines[1].startswith(f"PostgreSQL did not start: {reason}")
    assert lines[1].count("\n") == 1
    assert "Set WORKBOOK_POSTGRES_URL to the URL of a server of yours" in lines[1]
    assert lines[7].startswith("MariaDB: WORKBOOK_MARIADB_URL is not set")
    no_mariadb = "skipped: no MariaDB\n"  # it is no cell of a chapter, so nothing is stored
    rest = [*lines[:1], *lines[2:7], *lines[8:]]
    assert rest == [
        ready, skipped, skipped, skipped, on_sqlite, "3", no_mariadb, skipped, ready, "42"
    ]  # fmt: skip


def test_without_mariadb_its_cells_show_what_is_stored(tmp_path: Path) -> None:
    """And say so; a cell that its reader has changed is skipped."""
    cells = json.loads(stored("15_halfway").read_text("utf-8"))
    source = next(source for source in cells if "shop.compare(before)" in source)
    first = FIRST.replace("99_servers", "15_halfway")
    lines = run(tmp_path, first, "mariadb = shop.mariadb()", source, f"{source}  # mine")
    assert lines[2].startswith("(stored result: no MariaDB here)\nThe shop runs again")
    assert "Duplicate column name" in lines[2]
    assert "Apple, fresh" in lines[2]
    assert lines[3] == "skipped: no MariaDB\n"


def test_the_url_is_used(tmp_path: Path, short: Path) -> None:
    server = PrivatePostgres([short])
    url = make_url(server.url).render_as_string(hide_password=False)
    cells = (*CELLS[:3], "from flask_app import db", "db.engine.url.database[:13]")
    lines = run(tmp_path, *cells, WORKBOOK_POSTGRES_URL=url)
    assert lines[1] == "PostgreSQL is ready, with a new, empty database.\n"
    assert lines[2] == "The shop runs again, with Product(id, name), on PostgreSQL\n"
    assert lines[4] == "'workbook_shop'"
    left = asked(server.url, "SELECT count(*) FROM pg_database WHERE datname LIKE 'workbook%'")
    assert left == 0, "the kernel's database is dropped when it ends"
    server.stop()
