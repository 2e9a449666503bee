"""The shop's own history: as chapter 2 makes it, and up and down on all three databases."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chapters import NOTEBOOKS, ROOT, read
from checkout import environment
from refresh import run
from repeatable import repeatable
from sqlalchemy import create_engine, inspect, make_url, text

CHAPTER = NOTEBOOKS / "02_first_migration.ipynb"

pytestmark = pytest.mark.slow


# --- The committed files are what chapter 2 makes ---


def files(folder: Path, workspaces: Path) -> dict[str, str]:
    """The text of each file below a folder, in the repeatable form."""
    return {
        path.relative_to(folder).as_posix(): repeatable(path.read_text("utf-8"), ROOT, workspaces)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def after_chapter_2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The workspaces' folder in which chapter 2 has run."""
    workspaces = tmp_path_factory.mktemp("workspaces").resolve()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBOOK_WORKSPACE", str(workspaces))
        run(CHAPTER, workspaces)
    return workspaces


def test_migrations_are_what_chapter_2_makes(after_chapter_2: Path) -> None:
    made = files(after_chapter_2 / CHAPTER.stem / "migrations", after_chapter_2)
    assert sorted(made) == sorted(files(ROOT / "migrations", after_chapter_2))
    assert made == files(ROOT / "migrations", after_chapter_2)


def test_chapter_2_leaves_the_app_as_committed(after_chapter_2: Path) -> None:
    made = files(after_chapter_2 / CHAPTER.stem / "flask_app", after_chapter_2)
    assert made == files(ROOT / "flask_app", after_chapter_2)


def test_chapter_2_types_what_is_committed() -> None:
    """Its %%writefile cells hold the shop's own files, so that no copy of them grows stale."""
    typed = {}
    for cell in read(CHAPTER).cells:
        if found := re.match(r"%%writefile (flask_app/\S+)\n", cell.source):
            typed[found[1]] = cell.source[found.end() :].rstrip("\n")
    committed = {name: (ROOT / name).read_text("utf-8").rstrip("\n") for name in typed}
    assert typed == committed


# --- Up, down and up again ---


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'shop.db'}"


def server(variable: str) -> Callable[[Path], Iterator[str]]:
    """A database of its own on the server that this environment variable names."""

    @contextmanager
    def fresh_database(folder: Path) -> Iterator[str]:
        if variable not in os.environ:
            missing = f"{variable} names no server whose user may create databases"
            if "WORKBOOK_MUST_SERVE" in os.environ:
                pytest.fail(missing)
            pytest.skip(missing)
        url = make_url(os.environ[variable])
        name = f"workbook_{uuid.uuid4().hex[:12]}"
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
            try:
                yield url.set(database=name).render_as_string(hide_password=False)
            finally:
                connection.execute(text(f"DROP DATABASE {name}"))
        engine.dispose()

    return fresh_database


DATABASES = {
    "SQLite": sqlite,
    "PostgreSQL": server("WORKBOOK_POSTGRES_URL"),
    "MariaDB": server("WORKBOOK_MARIADB_URL"),
}

PUT_IN = """
from flask_app import Product, db
db.session.add_all([Product(name=n) for n in ("Apple", "Orange", "Banana")])
db.session.commit()
"""
READ_BACK = """
from flask_app import Product, db
print("read back:", [(p.id, p.name) for p in db.session.scalars(db.select(Product).order_by("id"))])
"""


class CommandLine:
    """``flask --app flask_app`` in the repository, with only the database's URI changed."""

    def __init__(self, uri: str) -> None:
        self.environment = environment(FLASK_SQLALCHEMY_DATABASE_URI=uri)
        self.engine = create_engine(uri)

    def __call__(self, *arguments: str, typed: str = "") -> str:
        result = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "flask_app", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
        )
        said = result.stdout + result.stderr
        assert result.returncode == 0, said
        assert "Traceback" not in said
        return said

    def tables(self) -> list[str]:
        return sorted(inspect(self.engine).get_table_names())

    def version(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.scalars(text("SELECT version_num FROM alembic_version")))


@pytest.fixture(params=DATABASES.values(), ids=DATABASES.keys())
def flask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CommandLine]:
    with request.param(tmp_path) as uri:
        command_line = CommandLine(uri)
        yield command_line
        command_line.engine.dispose()


def test_up_down_and_up_again(flask: CommandLine) -> None:
    flask("db", "upgrade")
    assert flask.tables() == ["alembic_version", "products"]
    assert flask.version() == ["0001"]

    flask("shell", typed=PUT_IN)
    fruits = "read back: [(1, 'Apple'), (2, 'Orange'), (3, 'Banana')]"
    assert fruits in flask("shell", typed=READ_BACK)
    assert "Running upgrade" not in flask("db", "upgrade")  # a second time it does nothing

    flask("db", "downgrade", "base")
    assert flask.tables() == ["alembic_version"]
    assert flask.version() == []

    flask("db", "upgrade")
    assert flask.version() == ["0001"]
    assert "read back: []" in flask("shell", typed=READ_BACK)
    assert "No new upgrade operations detected" in flask("db", "check")
