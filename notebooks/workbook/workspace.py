"""A chapter's own copy of the shop, and the verbs of looking at it."""

from __future__ import annotations

import importlib
import logging
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Literal

import flask_migrate
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask
from flask.ctx import AppContext
from sqlalchemy import Connection, create_engine, inspect, make_url
from sqlalchemy.exc import DBAPIError

from .comparison import VERSIONS, Comparison, Snapshot, plural, take_snapshot
from .environment import ROOT
from .errors import WorkbookError
from .frames import Frame, schema_frame, table_frame
from .kernel import keep_commands_independent, nothing_of, quiet
from .pictures import Rich, difference, history_map, show, source_code, table_diagram
from .servers import POSTGRES_URL, NoServer, mariadb, postgres
from .standin import install

FRUITS = ("Apple", "Orange", "Banana")
WHERE = "WORKBOOK_WORKSPACE"
DATABASE = "sqlite:///app.db"
# What they say is the same at each command; the second one loops over a set, in no order.
NOISY_LOGGERS = ("alembic.runtime.plugins", "alembic.ddl.postgresql")
PRODUCTS = {"postgresql": "PostgreSQL", "mysql": "MariaDB", "mariadb": "MariaDB"}

Start = Literal["three fruits", "before migrations"]
Home = Literal["SQLite", "PostgreSQL"]


def workspaces() -> Path:
    """The folder of all workspaces: in the repository, or where WORKBOOK_WORKSPACE says."""
    if WHERE in os.environ:
        return Path(os.environ[WHERE]).expanduser().resolve()
    # A browser kernel cannot keep SQLite files beside the notebooks.
    in_browser = sys.platform == "emscripten"
    return (Path(tempfile.gettempdir()) if in_browser else ROOT) / "workspace"


class Workspace:
    """A fresh copy of the shop in its own folder, running in this kernel.

    ``Workspace("03_add_a_price")`` empties workspace/03_add_a_price/, copies
    flask_app/ and migrations/ into it, moves there, upgrades a new SQLite database to
    revision 0001 and puts three fruits in. With ``start="before migrations"`` there
    is only the app, without Flask-Migrate, and no database. ``prepare`` goes on from there,
    without a word: an exercise may begin elsewhere, even in a broken project; and its
    database may be a new one in PostgreSQL, its ``home``.

    Raises WorkbookError if the folder cannot be made or emptied.
    """

    _running: Workspace | None = None

    def __init__(
        self,
        chapter: str,
        start: Start = "three fruits",
        prepare: Callable[[Workspace], None] | None = None,
        home: Home = "SQLite",
    ) -> None:
        if Workspace._running:
            Workspace._running._stop()
        Workspace._running = self
        self._context: AppContext | None = None
        self._app: Flask | None = None
        self.path = workspaces() / chapter
        self._stand_in = install(chapter)
        # Else a file that is edited twice in a second runs from a stale .pyc.
        sys.dont_write_bytecode = True
        for noisy in NOISY_LOGGERS:
            logging.getLogger(noisy).addFilter(nothing_of)
        # As in a new kernel: the commands of a chapter before may have made Alembic talkative.
        logging.getLogger("alembic").setLevel(logging.NOTSET)
        os.chdir(ROOT)  # Windows does not empty the folder that a process stands in
        self._empty()
        self._copy(start)
        sys.path[:] = [str(self.path), *(p for p in sys.path if not is_workspace(p))]
        self.home = DATABASE
        if home == "PostgreSQL":
            self.home = self.postgres(re.sub(r"\W", "_", chapter))
            if not self.home:
                return
        self._start(self.home)
        with quiet():
            if start == "three fruits":
                fill()
            if prepare:
                prepare(self)
        print(f"{self._name} is ready: {self._state()}")

    def restart(self, database: str = "") -> None:
        """Do what restarting the server would do: read flask_app again and start it.

        ``database`` is a URI, for a start on another database than the chapter's own.
        Import Product and db anew afterwards; the old ones belong to the old app.
        """
        self._stop()
        self._start(database or self.home)
        db = self._app.extensions.get("sqlalchemy") if self._app else None
        models = db.Model.registry.mappers if db else ()
        said = (f"{m.class_.__name__}({', '.join(c.key for c in m.columns)})" for m in models)
        backend = make_url(database or self.home).get_backend_name()
        product = PRODUCTS.get(backend, database)
        place = f", on {product}" if product else ""
        print(f"The shop runs again, with {', '.join(sorted(said)) or 'no models'}{place}")

    def postgres(self, database: str = "shop", server: str = "") -> str:
        """The URI of a new, empty database in PostgreSQL, for ``shop.restart(uri)``.

        The server is private to this kernel, starts at the first call in about a second and
        is gone with the kernel; its programs came with pip. If WORKBOOK_POSTGRES_URL is set, the
        database is made there instead. With ``server``, a name, it is another private one.
        Where there is no server, this says why, and the cells that need it say that they
        are skipped.
        """
        try:
            uri = postgres(self.path, database, server)
        except NoServer as reason:
            print(
                f"PostgreSQL did not start: {reason}. Set {POSTGRES_URL} to the URL of a server"
                " of yours, postgresql://user:password@host/database, and restart the kernel."
            )
            self._stand_in.miss("postgres", "PostgreSQL", see_stored=False)
            return ""
        print("PostgreSQL is ready, with a new, empty database.")
        return uri.render_as_string(hide_password=False)

    def mariadb(self, database: str = "shop") -> str:
        """The URI of a new, empty database on the server that WORKBOOK_MARIADB_URL names.

        Where none is named, the cells that need it show what they printed on one, and say so.
        """
        try:
            uri = mariadb(self.path, database)
        except NoServer as reason:
            print(f"MariaDB: {reason}, so the cells that need it show their stored results.")
            self._stand_in.miss("mariadb", "MariaDB", see_stored=True)
            return ""
        print("MariaDB is ready, with a new, empty database.")
        return uri.render_as_string(hide_password=False)

    def table(self, name: str) -> Frame:
        """All rows of a table."""
        with self._connection() as connection:
            return table_frame(connection, name)

    def schema(self, name: str) -> Frame:
        """A table's columns, as the database has them: column, type, nullable, default, key."""
        with self._connection() as connection:
            return schema_frame(connection, name)

    def snapshot(self) -> Snapshot:
        """All tables as they are now, to compare with later."""
        with self._connection() as connection:
            return take_snapshot(connection)

    def compare(self, before: Snapshot) -> Comparison:
        """What has changed in the database since the snapshot."""
        return Comparison(before, self.snapshot())

    def diagram(self) -> Rich:
        """The tables, their columns and keys, as a picture."""
        with self._connection() as connection:
            return table_diagram(inspect(connection))

    def map(self) -> Rich:
        """The map of the revisions, with the one that the database is at in brackets."""
        folder = self.path / "migrations"
        try:
            with warnings.catch_warnings(action="ignore"):  # the error below says the same
                found = ScriptDirectory(str(folder)).walk_revisions() if folder.exists() else []
                scripts = list(found)
        except (CommandError, KeyError) as error:  # a KeyError names a script that is gone
            raise WorkbookError(f"The scripts do not make a history: {error}") from error
        return history_map(scripts[::-1], self._current())

    def source(self, file: str) -> Rich:
        """A file of the workspace, as highlighted code."""
        return source_code(self._file(file))

    def edit(self, file: str, old: str, new: str) -> None:
        """Put ``new`` where ``old`` stands in a file of the workspace; show the change as a diff.

        Does nothing when it was done before. Raises WorkbookError if there is no such
        file, or if ``old`` does not stand in it exactly once.
        """
        path = self._file(file)
        before = path.read_text("utf-8")
        done = new in before and (old in new or old not in before)
        if not done and before.count(old) == 1:
            path.write_text(before.replace(old, new), "utf-8", newline="\n")
        elif not done:
            times = f"{before.count(old)} times" if old in before else "nowhere"
            raise WorkbookError(f'{file} has this text {times}, not once: "{old.strip()}"')
        show(difference(before, path.read_text("utf-8"), file))

    def files(self, folder: str = ".") -> None:
        """Print what is in a folder of the workspace, sorted."""
        top = self.path / folder
        if not top.is_dir():
            raise WorkbookError(f'There is no folder "{folder}" in {self._name}.')
        print("\n".join([f"{folder}/", *tree(top)]))

    @property
    def _name(self) -> str:
        """The folder, as messages name it."""
        return f"workspace/{self.path.relative_to(workspaces()).as_posix()}"

    def _file(self, file: str) -> Path:
        path = self.path / file
        if not path.is_file():
            raise WorkbookError(f'There is no file "{file}" in {self._name}.')
        return path

    def _empty(self) -> None:
        """Empty the folder rather than delete it: a terminal may stand in it."""
        where = self._name
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for entry in self.path.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        except OSError as error:
            if os.access(self.path, os.W_OK):
                raise WorkbookError(
                    f"{where} cannot be emptied: another program holds {error.filename} open."
                    " Shut down other kernels of this chapter, close what shows the file,"
                    " and run this cell again."
                ) from error
            raise WorkbookError(
                f"{where} cannot be written ({error.strerror}). Set the environment variable"
                f" {WHERE} to a folder of yours and start the kernel again."
            ) from error

    def _copy(self, start: Start) -> None:
        folders = ["flask_app"] if start == "before migrations" else ["flask_app", "migrations"]
        for folder in folders:
            for file in (ROOT / folder).rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    target = self.path / file.relative_to(ROOT)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)  # the bytes only: the checkout may be read-only
        if start == "before migrations":
            factory = self.path / "flask_app" / "__init__.py"
            factory.write_text(without_migrate(factory.read_text("utf-8")), "utf-8")

    def _start(self, database: str) -> None:
        os.chdir(self.path)
        forget_app()
        self._app, self._context = start_app(database)

    def _stop(self) -> None:
        if self._app and self._context:
            stop_app(self._app, self._context)
        self._app = self._context = None

    def _state(self) -> str:
        current = ", ".join(self._current())
        with self._connection() as connection:
            tables = inspect(connection).get_table_names()
        if not tables:
            return "the app, and no database yet"
        count = len(self.table("products")) if "products" in tables else 0
        return f"{f'revision {current}' if current else 'no revision'}, {plural(count, 'product')}"

    def _current(self) -> list[str]:
        """The revisions in alembic_version. (Alembic's own answer would come with log lines.)"""
        with self._connection() as connection:
            if not inspect(connection).has_table(VERSIONS):
                return []
            return list(table_frame(connection, VERSIONS)["version_num"])

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if self._app is None:
            raise WorkbookError("The shop is not running. Run shop.restart() first.")
        engine = self._app.extensions["sqlalchemy"].engine
        file = engine.url.database or ":memory:"
        if engine.dialect.name == "sqlite" and file != ":memory:" and not Path(file).exists():
            engine = create_engine("sqlite://")  # to connect would make the file; to look must not
        with engine.connect() as connection:
            yield connection


def forget_app() -> dict[str, ModuleType]:
    """Take flask_app out of sys.modules, so that the next import reads its files again."""
    names = [name for name in sys.modules if name.partition(".")[0] == "flask_app"]
    importlib.invalidate_caches()
    return {name: sys.modules.pop(name) for name in names}


def start_app(database: str = DATABASE) -> tuple[Flask, AppContext]:
    """Start the shop that sys.path leads to, and push its context."""
    shop = importlib.import_module("flask_app")
    # Named here, so that a database in the environment is never touched.
    app = shop.create_app({"SQLALCHEMY_DATABASE_URI": database})
    context = app.app_context()
    context.push()
    if "migrate" in app.extensions:
        app.extensions["migrate"].migrate.configure(keep_commands_independent)
    return app, context


def stop_app(app: Flask, context: AppContext) -> None:
    """Close its connections and pop its context."""
    if db := app.extensions.get("sqlalchemy"):
        with suppress(DBAPIError):  # the database may have been replaced by a new one
            db.session.remove()
        for engine in db.engines.values():
            engine.dispose()
    context.pop()


def fill() -> None:
    """Make the shop's table by its migrations, and put the fruits in."""
    flask_migrate.upgrade()
    shop = importlib.import_module("flask_app")
    shop.db.session.add_all([shop.Product(name=fruit) for fruit in FRUITS])
    shop.db.session.commit()


def without_migrate(source: str) -> str:
    """The app's factory as it was before Flask-Migrate: without the lines that name it."""
    lines = source.splitlines(keepends=True)
    return "".join(line for line in lines if "migrate" not in line.lower())


def is_workspace(path: str) -> bool:
    """Is this entry of sys.path a chapter's workspace?"""
    return bool(path) and workspaces() in Path(path).parents


def tree(folder: Path, indent: str = "") -> Iterator[str]:
    """The lines of a folder's tree, sorted, without Python's caches."""
    entries = sorted(e for e in folder.iterdir() if e.name != "__pycache__")
    for entry in entries:
        last = entry == entries[-1]
        slash = "/" if entry.is_dir() else ""
        yield f"{indent}{'└── ' if last else '├── '}{entry.name}{slash}"
        if entry.is_dir():
            yield from tree(entry, indent + ("    " if last else "│   "))
