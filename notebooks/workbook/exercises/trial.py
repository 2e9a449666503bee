"""A copy of a learner's workspace, in which a check may try anything."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import flask_migrate
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Inspector, String, create_engine, inspect, make_url, text

from ..comparison import Snapshot, TableState, plural, take_snapshot, take_state
from ..errors import gist
from ..frames import NULL
from ..kernel import quiet
from ..servers import dump, load, new_database
from ..workspace import forget_app, start_app, stop_app
from .definition import NotYet, need, where

SQLITE_FILES = (".db", ".sqlite", ".sqlite3")
DUMP = "in-postgresql.sql"
PASSING = ("__pycache__", ".ipynb_checkpoints", "*-journal", "*-wal", "*-shm")


class Trial:
    """A copy of a workspace with its app running; the workspace itself is never touched.

    ``path`` is the copy's folder, and the current one. ``start`` holds the tables as the
    exercise put them up; ``waiting`` tells of scripts that were not run. Verbs that begin
    with ``need`` raise NotYet, with a line for the learner, if their thing is not there; so
    do the commands if they fail.
    """

    def __init__(
        self, path: Path, home: str, start: Snapshot, scripts_at_start: Iterable[str]
    ) -> None:
        self.path, self.home, self.start = path, home, start
        self._is_open = False
        self.scripts_at_start = frozenset(scripts_at_start)
        self._serve(home)
        self.waiting = self._waiting()

    def _waiting(self) -> str:
        """A reminder that a script was not run, or that one is gone which was."""
        try:
            here, scripts = self.current, self.scripts
            for revision in here:
                if revision not in scripts:
                    said = f"The database says that {revision} has run"
                    return f" ({said}, but there is no such script here.)"
            ran = {one for revision in here for one in self.history(revision)}
        except NotYet:
            return ""
        missing = [revision for revision in scripts if revision not in ran]
        if not missing:
            return ""
        *others, last = missing
        were = f"{', '.join(others)} and {last} were" if others else f"{last} was"
        return f" (The database is at {', '.join(here) or 'base'}, and {were} not run.)"

    def _serve(self, database: str) -> None:
        try:
            self.app, self._context = start_app(database)
        except (Exception, SystemExit) as error:
            raise NotYet(f"The app does not start: {told(error)}") from error
        self._is_open = True
        if "sqlalchemy" not in self.app.extensions:
            self.close()
            raise NotYet("The app has no database: connect(app) is missing.")

    def close(self) -> None:
        """Stop the copy's app, if it runs."""
        if self._is_open:
            self._is_open = False
            stop_app(self.app, self._context)

    # --- Looking ---

    @property
    def db(self) -> Any:
        """The copy's own ``db``."""
        return self.app.extensions["sqlalchemy"]

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection to the copy's database; what is written is committed at the end."""
        self.db.session.remove()
        with self.db.engine.begin() as connection:
            yield connection

    @property
    def now(self) -> Snapshot:
        """The tables as they are at this moment."""
        with self.connection() as connection:
            return take_snapshot(connection)

    @property
    def table_names(self) -> list[str]:
        """The tables that there are at this moment, by name."""
        return sorted(self.inspector.get_table_names())

    @property
    def inspector(self) -> Inspector:
        """SQLAlchemy's inspector, fresh."""
        inspector: Inspector = inspect(self.db.engine)
        return inspector

    def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, if it gives any."""
        with self.connection() as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    @property
    def models(self) -> Any:
        """The copy's flask_app package."""
        return importlib.import_module("flask_app")

    @property
    def scripts(self) -> dict[str, Script]:
        """The scripts by their revision, the oldest first."""
        return self.history("heads")

    def history(self, to: str) -> dict[str, Script]:
        """This revision and all before it, the oldest first."""
        self.need_migrate()
        config = self.app.extensions["migrate"].migrate.get_config()
        need((self.path / "migrations").is_dir(), "There is no folder migrations/: run init().")
        try:
            found = [*ScriptDirectory.from_config(config).walk_revisions(head=to)]
        except Exception as error:
            raise NotYet(f"The scripts do not make a history: {told(error)}") from error
        return {script.revision: script for script in reversed(found)}

    @property
    def new_scripts(self) -> dict[str, Script]:
        """The scripts that were not there at the start."""
        return {r: s for r, s in self.scripts.items() if r not in self.scripts_at_start}

    @property
    def heads(self) -> list[str]:
        """The heads of the scripts."""
        return [revision for revision, script in self.scripts.items() if script.is_head]

    @property
    def current(self) -> list[str]:
        """What alembic_version holds; empty at base."""
        if not self.inspector.has_table("alembic_version"):
            return []
        return [row[0] for row in self.sql("SELECT version_num FROM alembic_version ORDER BY 1")]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """A table's rows in the order of its key; None for NULL."""
        return without_null(self.state(table))

    # --- Trying ---

    def upgrade(self, revision: str = "heads") -> None:
        """Upgrade the copy."""
        self._run("upgrade", revision)

    def downgrade(self, revision: str) -> None:
        """Downgrade the copy."""
        self._run("downgrade", revision)

    def _run(self, command: str, revision: str) -> None:
        self.need_migrate()
        self.db.session.remove()
        try:
            getattr(flask_migrate, command)(revision=revision)
        except (Exception, SystemExit) as error:
            raise NotYet(f'{command}(revision="{revision}") fails: {told(error)}') from error

    @contextmanager
    def empty_database(self) -> Iterator[None]:
        """Within the block, be on a new database: a colleague's, or the test suite's."""
        self.close()
        if is_postgres(self.home):
            colleagues = again(self.home, "colleague")
        else:
            (self.path / "instance" / "colleague.db").unlink(missing_ok=True)
            colleagues = "sqlite:///colleague.db"
        try:
            self._serve(colleagues)
            yield
        finally:
            self.close()
            self._serve(self.home)

    # --- What most answers need ---

    def need_migrate(self) -> None:
        """The app has Flask-Migrate."""
        need("migrate" in self.app.extensions, "The app has no Migrate(app, db) yet.")

    def need_table(self, name: str) -> None:
        """The table is there."""
        need(name in self.table_names, f'The database has no table "{name}".')

    def state(self, table: str) -> TableState:
        """A table's columns and rows; it is there."""
        self.need_table(table)
        with self.connection() as connection:
            return take_state(connection, table)

    def need_column(self, table: str, column: str) -> dict[str, Any]:
        """The column is there; returns what SQLAlchemy's inspector says of it."""
        self.need_table(table)
        columns = {found["name"]: found for found in self.inspector.get_columns(table)}
        need_in(columns, table, column)
        return dict(columns[column])

    def need_text(self, table: str, column: str, length: int) -> dict[str, Any]:
        """The column is there, and is a text of this length; returns what the inspector says."""
        found = self.need_column(table, column)
        fits = isinstance(found["type"], String) and found["type"].length == length
        need(fits, f"The {column} should be a text of at most {length} characters.")
        return found

    def need_no_column(self, table: str, column: str) -> None:
        """The column is not there."""
        self.need_table(table)
        there = [found["name"] for found in self.inspector.get_columns(table)]
        need(column not in there, f'The table {table} still has a column "{column}".')

    def need_no_table(self, name: str) -> None:
        """The table is not there."""
        need(name not in self.table_names, f'The database still has a table "{name}".')

    def need_rows_kept(self, table: str = "products", columns: Iterable[str] = ()) -> None:
        """The rows of the start are there, with the same values in these (or all) columns."""
        wanted = self.start.tables[table]
        names = [*columns] or [*wanted.columns]
        found = self.state(table).rows
        for row in wanted.rows:
            said = ", ".join(str(row[name]) for name in names)
            kept = any(all(n in other and other[n] == row[n] for n in names) for other in found)
            need(kept, f"The table {table} has lost a row that it had: {said}.")

    def need_one_head(self) -> str:
        """The history has one head; returns it."""
        heads = self.heads
        need(heads, "There is no script yet.")
        said = f"The history has {plural(len(heads), 'head')}, {', '.join(sorted(heads))}."
        need(len(heads) == 1, said)
        return heads[0]

    def need_at_head(self) -> None:
        """The database is at the head, or at all of the heads."""
        here, heads = self.current, self.heads
        need(heads, "There is no script yet.")
        said = f"The database is at {', '.join(here) or 'base'}, not at {', '.join(heads)}"
        need(sorted(here) == sorted(heads), f"{said}.")

    def need_models_agree(self) -> None:
        """Autogenerate, with the app's own settings, finds models and database alike."""
        self.need_migrate()
        with self.connection() as connection:
            settings = self.app.extensions["migrate"].configure_args
            context = MigrationContext.configure(connection, opts=settings)
            found = compare_metadata(context, self.db.metadata)
        if found:
            first = found[0][0] if isinstance(found[0], list) else found[0]
            raise NotYet(f"Models and database do not agree: migrate() would write {words(first)}.")

    def need_way_back(self, to: str, keep: Mapping[str, Iterable[str]] | None = None) -> None:
        """Downgrade to a revision and upgrade again work, and keep these columns' values.

        ``keep`` names columns by table; every row's values in them are the same afterwards.
        """
        kept = {table: [*columns] for table, columns in (keep or {"products": ["name"]}).items()}
        before = {table: self.values(table, columns) for table, columns in kept.items()}
        self.downgrade(to)
        self.upgrade()
        for table, columns in kept.items():
            after = self.values(table, columns)
            said = f"After downgrade to {to} and upgrade, {', '.join(columns)} in {table}"
            need(after == before[table], f"{said} are not what they were.")

    def values(self, table: str, columns: Iterable[str]) -> list[tuple[Any, ...]]:
        """The values of these columns, row by row."""
        names, state = [*columns], self.state(table)
        for name in names:
            need_in(state.columns, table, name)
        return [tuple(row[name] for name in names) for row in without_null(state)]

    def need_from_empty(self) -> None:
        """All scripts run on an empty database too, and make what the models say."""
        with where("On an empty database"), self.empty_database():
            self.upgrade()
            self.need_models_agree()


def need_in(columns: Mapping[str, Any], table: str, column: str) -> None:
    """The column is one of these, which are the table's."""
    need(column in columns, f'The table {table} has no column "{column}".')


def without_null(state: TableState) -> list[dict[str, Any]]:
    """The rows of a table, None for NULL."""
    return [{c: None if v is NULL else v for c, v in row.items()} for row in state.rows]


def told(error: BaseException) -> str:
    """An error in one line; for Flask-Migrate's exit, the reason of it."""
    cause = error.__context__ if isinstance(error, SystemExit) and error.__context__ else error
    return f"{type(cause).__name__}: {gist(cause)}".rstrip(".") + "."


def words(operation: tuple[Any, ...]) -> str:
    """An operation of autogenerate's, with the names in it: ``add_column products.price``."""
    verb, *parts = operation
    last = parts[-1]
    if verb.endswith("_column"):
        return f"{verb} {parts[1]}.{last.name}"
    if verb.startswith("modify_"):
        return f"{verb} of {parts[1]}.{parts[2]}"
    return f"{verb} {getattr(last, 'name', None) or ''}".strip()


def copy_workspace(source: Path, target: Path) -> None:
    """Copy a workspace, its databases by SQLite itself: they may be in use."""

    def copy(file: str, to: str) -> None:
        if Path(file).suffix not in SQLITE_FILES:
            shutil.copyfile(file, to)
            return
        with closing(sqlite3.connect(file)) as old, closing(sqlite3.connect(to)) as new:
            old.backup(new)

    shutil.copytree(source, target, copy_function=copy, ignore=shutil.ignore_patterns(*PASSING))


def contents(folder: Path) -> dict[str, str]:
    """What a workspace holds, file by file: Python without its comments, databases as SQL."""
    found = {}
    for file in sorted(folder.rglob("*")):
        part = file.relative_to(folder)
        if file.is_file() and not any(p.match(pattern) for p in names(part) for pattern in PASSING):
            found[part.as_posix()] = meaning(file)
    return found


def names(path: Path) -> Iterator[Path]:
    """Each part of a path by itself."""
    return map(Path, path.parts)


def meaning(file: Path) -> str:
    """A file's text, without what makes no difference."""
    if file.suffix in SQLITE_FILES:
        with closing(sqlite3.connect(file)) as database:
            return "\n".join(database.iterdump())
    said = file.read_text("utf-8", "replace")
    return without_comments(said) if file.suffix == ".py" else said


@lru_cache
def without_comments(python: str) -> str:
    """What Python makes of a file; the file's own text if that is none."""
    try:
        return ast.dump(ast.parse(python))
    except SyntaxError:
        return python


def is_postgres(home: str) -> bool:
    """Is the database with this URI in PostgreSQL?"""
    return make_url(home).get_backend_name() == "postgresql"


def again(home: str, name: str, contents: str = "") -> str:
    """The URI of another database on the same server, new, with these contents."""
    own = make_url(home)
    made = new_database(own, f"{own.database}_{name}")
    if contents:
        load(contents, made)
    return made.render_as_string(hide_password=False)


def in_server(home: str) -> dict[str, str]:
    """A database's contents as a file of SQL, if it is in PostgreSQL."""
    return {DUMP: dump(make_url(home))} if is_postgres(home) else {}


@contextmanager
def trying(workspace: Path, home: str, started: Path) -> Iterator[Trial]:
    """A trial of this workspace; ``started`` is the copy that was made when it was put up.

    The kernel's own flask_app, its current folder and its logging are as before afterwards.
    """
    here, path = Path.cwd(), [*sys.path]
    with tempfile.TemporaryDirectory(prefix="workbook-", ignore_cleanup_errors=True) as scratch:
        copy = Path(scratch).resolve() / "copy"
        copy_workspace(workspace, copy)
        learners = forget_app()
        start = tables(started, home)
        copied = again(home, "trial", in_server(home)[DUMP]) if is_postgres(home) else home
        try:
            os.chdir(copy)
            sys.path.insert(0, str(copy))
            with quiet(), closing(Trial(copy, copied, start, revisions(started))) as trial:
                yield trial
        finally:
            forget_app()
            sys.modules.update(learners)
            sys.path[:] = path
            os.chdir(here)


def tables(started: Path, home: str) -> Snapshot:
    """The tables at the start; the app may be broken, or the database not there yet."""
    if is_postgres(home):
        return tables_in_dump((started / DUMP).read_text("utf-8"), home)
    file = started / "instance" / "app.db"
    return tables_in(f"sqlite:///{file}" if file.exists() else "sqlite://")


@lru_cache
def tables_in_dump(statements: str, home: str) -> Snapshot:
    """The tables that a dump makes. The next check of the exercise asks for them again."""
    return tables_in(again(home, "start", statements))


def tables_in(database: str) -> Snapshot:
    """The tables of the database with this URI."""
    engine = create_engine(database)
    with engine.connect() as connection:
        found = take_snapshot(connection)
    engine.dispose()
    return found


def revisions(folder: Path) -> list[str]:
    """The revisions of a workspace's scripts, read without a history: it may be broken."""
    found = []
    for file in (folder / "migrations" / "versions").glob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        for line in tree.body:
            if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "revision":
                found.append(ast.literal_eval(line.value))
    return found
