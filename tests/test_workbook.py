"""What the chapters import: the workspace, the verbs of looking, the expected errors."""

import importlib
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import flask_migrate
import pytest
import workbook
from chapters import NOTEBOOKS, ROOT
from sqlalchemy import Engine, create_engine, inspect, text
from workbook import WorkbookError, Workspace, check_environment, expect_error
from workbook import environment as environment_module
from workbook import workspace as workspace_module
from workbook.comparison import MOST_ROWS, NOTHING, Comparison, take_snapshot
from workbook.frames import NULL, schema_frame, table_frame
from workbook.pictures import difference, history_map, table_diagram

# Flask-Migrate's stock env.py says that this is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")

MODEL_WITH_PRICE = """
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .database import db


class Product(db.Model):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(50))
    price: Mapped[int | None]
"""


def forget_the_shop() -> None:
    for name in [m for m in sys.modules if m.split(".")[0] == "flask_app"]:
        del sys.modules[name]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This process as a kernel finds it, and afterwards as it was; the workspaces' folder."""
    monkeypatch.setenv("WORKBOOK_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.chdir(NOTEBOOKS)
    # env.py sets up logging for the whole process, and disables the loggers that it does not name.
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    before = [(log, log.level, log.handlers[:], log.filters[:], log.disabled) for log in loggers]
    forget_the_shop()
    yield tmp_path
    if Workspace._running:
        Workspace._running._stop()
        Workspace._running = None
    forget_the_shop()
    for log, level, handlers, filters, disabled in before:
        log.level, log.handlers, log.filters, log.disabled = level, handlers, filters, disabled


@pytest.fixture
def shop(kernel: Path) -> Workspace:
    return Workspace("a_chapter")


@pytest.fixture
def database() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


def execute(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def said_by(call: Callable[[], object]) -> str:
    """The one line of the WorkbookError that this raises."""
    with pytest.raises(WorkbookError) as raised:
        call()
    message = str(raised.value)
    assert "\n" not in message
    assert raised.value._render_traceback_() == [f"WorkbookError: {message}"]
    return message


def test_it_has_few_names() -> None:
    assert set(workbook.__all__) == {
        "WorkbookError",
        "Workspace",
        "check_environment",
        "expect_error",
    }
    verbs = [name for name in vars(Workspace) if not name.startswith("_")]
    assert len(verbs) <= 12
    assert all(getattr(Workspace, verb).__doc__ for verb in verbs)


# --- Frames ---


def test_a_frame_keeps_integers_and_says_null(database: Engine) -> None:
    execute(
        database,
        "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price INTEGER)",
        "INSERT INTO products VALUES (2, 'NULL', 3), (1, NULL, NULL)",
    )
    with database.connect() as connection:
        frame = table_frame(connection, "products")
    assert repr(frame) == "id  name  price\n1   NULL  NULL\n2   NULL  3"
    assert frame["name"][0] is NULL
    assert frame["name"][1] == "NULL"
    assert frame["price"][1] == 3
    assert type(frame["price"][1]) is int
    assert "3.0" not in frame._repr_html_()


def test_a_frame_without_rows_says_so(database: Engine) -> None:
    execute(database, "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT)")
    with database.connect() as connection:
        frame = table_frame(connection, "products")
    assert repr(frame) == "id  name\n(no rows)"
    assert frame._repr_html_().endswith("<p>(no rows)</p>")


def test_a_frame_escapes_values(database: Engine) -> None:
    execute(
        database,
        "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO products VALUES (1, '<script>alert(1)</script>')",
    )
    with database.connect() as connection:
        html = table_frame(connection, "products")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_schema(database: Engine) -> None:
    execute(
        database,
        "CREATE TABLE makers (id INTEGER PRIMARY KEY)",
        "CREATE TABLE products (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE,"
        " price INTEGER DEFAULT 7, maker_id INTEGER REFERENCES makers (id))",
        "CREATE INDEX ix_price ON products (price)",
    )
    with database.connect() as connection:
        rows = schema_frame(connection, "products").to_numpy().tolist()
    assert rows == [
        ["id", "INTEGER", "yes", "", "primary key"],
        ["code", "TEXT", "no", "", "unique"],
        ["price", "INTEGER", "yes", "7", "index"],
        ["maker_id", "INTEGER", "yes", "", "foreign key to makers"],
    ]


@pytest.mark.parametrize("verb", ["table", "schema"])
def test_a_wrong_name_of_a_table(verb: str, shop: Workspace) -> None:
    look = getattr(shop, verb)
    assert said_by(lambda: look("product")) == (
        'There is no table "product". Did you mean "products"?'
        " Tables here: alembic_version, products."
    )
    assert "Did you mean" not in said_by(lambda: look("xyz"))


def test_a_database_without_tables_is_looked_at_and_not_made(kernel: Path) -> None:
    shop = Workspace("a_chapter", start="before migrations")
    assert "the database has no tables yet" in said_by(lambda: shop.table("products"))
    assert repr(shop.snapshot()) == "Snapshot: no tables"
    assert shop.map().text == "[base]"
    assert shop.diagram().text == "(no tables)"
    assert not list(kernel.rglob("*.db"))


# --- The workspace ---


def test_it_starts_with_three_fruits(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = Workspace("a_chapter")
    assert capsys.readouterr().out == ("workspace/a_chapter is ready: revision 0001, 3 products\n")
    assert repr(shop.table("products")) == "id  name\n1   Apple\n2   Orange\n3   Banana"
    assert Path.cwd() == shop.path
    assert Path(importlib.import_module("flask_app").__file__).is_relative_to(shop.path)


def test_before_migrations_the_app_does_not_know_them(kernel: Path) -> None:
    shop = Workspace("a_chapter", start="before migrations")
    assert not (shop.path / "migrations").exists()
    assert "migrate" not in (shop.path / "flask_app/__init__.py").read_text("utf-8").lower()
    with expect_error("KeyError"):
        flask_migrate.init()


def test_again_it_is_as_fresh_as_the_first_time(shop: Workspace) -> None:
    (shop.path / "mine.txt").write_text("mine", encoding="utf-8")
    shutil.rmtree(shop.path / "migrations")
    again = Workspace("a_chapter")
    assert not (again.path / "mine.txt").exists()
    assert len(again.table("products")) == 3
    assert [p for p in sys.path if Path(p).parent == again.path.parent] == [str(again.path)]


def test_another_flask_app_imported_before_is_not_taken(kernel: Path) -> None:
    sys.modules["flask_app"] = SimpleNamespace(__name__="flask_app")  # type: ignore[assignment]
    assert len(Workspace("a_chapter").table("products")) == 3


def test_the_environments_database_is_left_alone(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{kernel / 'precious.db'}")
    Workspace("a_chapter").restart()
    assert not (kernel / "precious.db").exists()


def test_files_and_sources(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    shop.files("migrations")
    assert capsys.readouterr().out.splitlines() == [
        "migrations/",
        "├── README",
        "├── alembic.ini",
        "├── env.py",
        "├── script.py.mako",
        "└── versions/",
        "    └── 0001_initial_migration.py",
    ]
    source = shop.source("flask_app/models.py")
    assert source.text == (ROOT / "flask_app/models.py").read_text("utf-8").strip()
    assert source._repr_mimebundle_()["text/markdown"] == f"```python\n{source.text}\n```"
    assert 'no file "gone.py" in workspace/a_chapter' in said_by(lambda: shop.source("gone.py"))
    assert 'no folder "gone" in workspace/a_chapter' in said_by(lambda: shop.files("gone"))


NAME = "    name: Mapped[str | None] = mapped_column(String(50))\n"
PRICE = "    price: Mapped[int | None]\n"


def test_an_edit_shows_the_change(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.edit("flask_app/models.py", NAME, NAME + PRICE)
    assert PRICE in (shop.path / "flask_app/models.py").read_text("utf-8")
    assert f"flask_app/models.py\n {NAME}+{PRICE}" in capsys.readouterr().out


def test_an_edit_that_takes_out(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.edit("flask_app/models.py", NAME, "")
    assert f"\n-{NAME}" in capsys.readouterr().out
    shop.edit("flask_app/models.py", NAME, "")
    assert "says so already" in capsys.readouterr().out


def test_a_second_edit_does_nothing(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.edit("flask_app/models.py", NAME, NAME + PRICE)
    once = (shop.path / "flask_app/models.py").read_bytes()
    shop.edit("flask_app/models.py", NAME, NAME + PRICE)
    assert "says so already" in capsys.readouterr().out
    assert (shop.path / "flask_app/models.py").read_bytes() == once


def test_a_difference_is_highlighted() -> None:
    shown = difference("a\n", "b\n", "file.py")._repr_mimebundle_()
    assert shown["text/plain"] == "file.py\n-a\n+b"
    lost, new = re.findall(r'<span style="([^"]+)">[-+]', shown["text/html"])
    assert lost != new


def test_a_difference_escapes_its_lines() -> None:
    shown = difference("", "a < b\n", "f.py")._repr_mimebundle_()["text/html"]
    assert "+a &lt; b" in shown


@pytest.mark.parametrize(
    ("file", "old", "message"),
    [
        (
            "flask_app/nothing.py",
            "a",
            'There is no file "flask_app/nothing.py" in workspace/a_chapter',
        ),
        ("flask_app/models.py", "colour", 'has this text nowhere, not once: "colour"'),
        ("flask_app/models.py", "import", "times, not once"),
    ],
)
def test_an_edit_that_cannot_be_made(shop: Workspace, file: str, old: str, message: str) -> None:
    with pytest.raises(WorkbookError, match=re.escape(message)):
        shop.edit(file, old, "something else")


def test_a_prepared_start_says_nothing_but_its_state(
    kernel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(shop: Workspace) -> None:
        add_price(shop)
        flask_migrate.migrate(message="add price", rev_id="0002")
        flask_migrate.upgrade()

    root = logging.getLogger()
    before = (root.level, [*root.handlers])
    Workspace("exercises/9.9", prepare=prepare)
    said = capsys.readouterr()
    assert said.out == "workspace/exercises/9.9 is ready: revision 0002, 3 products\n"
    assert said.err == ""
    assert (root.level, [*root.handlers]) == before


def hold(error: OSError) -> Callable[..., None]:
    def held(*_: object, **__: object) -> None:
        raise error

    return held


WINDOWS = "The process cannot access the file because it is being used by another process"


@pytest.mark.parametrize(("owner", "deletes"), [(shutil, "rmtree"), (Path, "unlink")])
def test_files_that_another_program_holds_open(
    owner: object, deletes: str, shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.path / "notes.txt").touch()
    with monkeypatch.context() as patch:
        patch.setattr(owner, deletes, hold(PermissionError(13, WINDOWS, r"instance\app.db")))
        line = said_by(lambda: Workspace("a_chapter"))
    assert r"another program holds instance\app.db open" in line
    assert "run this cell again" in line
    assert len(Workspace("a_chapter").table("products")) == 3


def test_a_folder_that_cannot_be_written(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (kernel / "a file").touch()
    monkeypatch.setenv("WORKBOOK_WORKSPACE", str(kernel / "a file"))
    line = said_by(lambda: Workspace("a_chapter"))
    assert line.startswith("workspace/a_chapter cannot be written (")
    assert "Set the environment variable WORKBOOK_WORKSPACE" in line


@pytest.mark.parametrize(
    "look",
    [
        lambda shop: shop.table("products"),
        lambda shop: shop.schema("products"),
        lambda shop: shop.snapshot(),
        lambda shop: shop.map(),
        lambda shop: shop.diagram(),
    ],
)
def test_a_look_while_the_shop_does_not_run(
    look: Callable[[Workspace], object], shop: Workspace
) -> None:
    model = shop.path / "flask_app/models.py"
    good = model.read_text("utf-8")
    model.write_text("class Product(\n", encoding="utf-8")
    with pytest.raises(SyntaxError):
        shop.restart()
    assert "shop.restart()" in said_by(lambda: look(shop))
    model.write_text(good, encoding="utf-8")
    shop.restart()
    assert look(shop) is not None


def test_a_new_workspace_stops_the_one_before(shop: Workspace) -> None:
    Workspace("another_chapter")
    assert "not running" in said_by(lambda: shop.table("products"))


def test_a_restart_sees_each_edit_at_once(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second edit within a second, and of the same length, would run from a stale .pyc."""
    model = shop.path / "flask_app/models.py"
    stamp = model.stat().st_mtime
    for column in ("price", "stock", "color"):
        model.write_text(MODEL_WITH_PRICE.replace("price", column), encoding="utf-8")
        os.utime(model, (stamp, stamp))
        shop.restart()
        assert capsys.readouterr().out.endswith(f"with Product(id, name, {column})\n")
        assert hasattr(importlib.import_module("flask_app").Product, column)
    assert not list(shop.path.rglob("*.pyc"))


def test_a_restart_forgets_every_module(shop: Workspace) -> None:
    old = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "flask_app"}
    shop.restart()
    assert old
    assert not [name for name, module in old.items() if sys.modules[name] is module]


def test_a_restart_on_another_database(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.restart("sqlite:///empty.db")
    assert capsys.readouterr().out.endswith("with Product(id, name), on sqlite:///empty.db\n")
    assert repr(shop.snapshot()) == "Snapshot: no tables"
    shop.restart()
    assert len(shop.table("products")) == 3


# --- Commands in one long-lived kernel ---


def add_price(shop: Workspace) -> None:
    (shop.path / "flask_app/models.py").write_text(MODEL_WITH_PRICE, encoding="utf-8")
    shop.restart()


def steps(script: Path) -> int:
    """How many operations a script has."""
    return len(re.findall(r"op\.\w+\('\w+'", script.read_text("utf-8")))


def test_commands_behave_as_in_fresh_processes(shop: Workspace) -> None:
    flask_migrate.check()
    flask_migrate.check()
    add_price(shop)
    for _ in range(2):
        with expect_error("CommandError"):
            flask_migrate.check()
    flask_migrate.migrate(message="add price", rev_id="0002")
    flask_migrate.upgrade()
    versions = shop.path / "migrations/versions"
    flask_migrate.migrate(message="nothing", rev_id="0003")
    assert [p.name for p in sorted(versions.glob("0*.py"))] == [
        "0001_initial_migration.py",
        "0002_add_price.py",
    ]
    flask_migrate.downgrade()
    (versions / "0002_add_price.py").unlink()
    flask_migrate.migrate(message="add price again", rev_id="0002")
    assert "add_column" in (versions / "0002_add_price_again.py").read_text("utf-8")


def test_without_the_hook_they_do_not(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as this passes, keep_commands_independent is needed."""
    monkeypatch.setattr(workspace_module, "keep_commands_independent", lambda config: config)
    shop = Workspace("a_chapter")
    flask_migrate.migrate(message="nothing", rev_id="0002")  # upgrade() ran before
    nothing = shop.path / "migrations/versions/0002_nothing.py"
    assert nothing.exists()
    nothing.unlink()
    shop.restart()
    flask_migrate.migrate(message="nothing", rev_id="0002")
    assert not nothing.exists()
    with pytest.raises(IndexError):
        flask_migrate.check()


def test_an_open_session_does_not_lock_a_command_out(shop: Workspace) -> None:
    module = importlib.import_module("flask_app")
    module.db.session.add(module.Product(name="Lemon"))
    module.db.session.flush()  # a transaction that nobody ends
    flask_migrate.downgrade(revision="base")
    assert "products" not in shop.snapshot().tables


def test_the_log_goes_to_where_print_goes(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    flask_migrate.downgrade(revision="base")
    captured = capsys.readouterr()
    assert "Running downgrade 0001 -> , initial migration" in captured.out
    assert captured.err == ""
    flask_migrate.current(verbose=True)
    flask_migrate.history()
    assert "<base> -> 0001 (head), initial migration" in capsys.readouterr().out
    assert "alembic.runtime.plugins" not in captured.out


# --- Expected errors ---


def flask_migrate_fails() -> None:
    try:
        raise LookupError("Can't locate revision\nand more")
    except LookupError as error:
        logging.getLogger("flask_migrate").error("Error: " + str(error))
        sys.exit(1)


def fails(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("name", "block", "line"),
    [
        ("ValueError", fails(ValueError("one\ntwo")), "ValueError: one"),
        ("Exception", fails(ValueError("one")), "ValueError: one"),
        ("LookupError", fails(KeyError("db")), "KeyError: 'db'"),
        ("ValueError", fails(ValueError()), "ValueError: (no message)"),
        ("LookupError", flask_migrate_fails, "LookupError: Can't locate revision"),
    ],
)
def test_an_expected_error_is_one_line(
    name: str,
    block: Callable[[], None],
    line: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with expect_error(name):
        block()
    captured = capsys.readouterr()
    assert captured.out == line + "\n"
    assert captured.err == ""
    assert not logging.getLogger("flask_migrate").filters


def test_a_database_error_is_what_the_driver_said(
    database: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with expect_error("OperationalError"):
        execute(database, "SELECT * FROM products")
    assert capsys.readouterr().out == "OperationalError: no such table: products\n"


@pytest.mark.parametrize(
    "error", [KeyError("x"), SystemExit(2), KeyboardInterrupt()], ids=lambda error: repr(error)
)
def test_another_error_passes_through(error: BaseException) -> None:
    with pytest.raises(type(error)), expect_error("ValueError"):
        raise error
    assert not logging.getLogger("flask_migrate").filters


def test_no_error_is_an_error() -> None:
    def nothing_fails() -> None:
        with expect_error("ValueError"):
            pass

    assert said_by(nothing_fails).startswith("ValueError was expected here, but nothing failed.")


# --- The comparison ---

ONE = ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)", "INSERT INTO t VALUES (1, 'x'), (2, 'y')")
PAIRS = ("CREATE TABLE t (a INTEGER, b INTEGER, c TEXT, PRIMARY KEY (a, b))",)
PAIRS += ("INSERT INTO t VALUES (1, 1, 'x'), (1, 2, 'y')",)
NO_KEY = ("CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('x'), ('x'), ('y')")
VERSION = ("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",)
KEPT = ("t", "2 rows", "2 rows", "rows kept")

COMPARISONS = {
    "nothing changed": (ONE, (), []),
    "written anew": (ONE, ("UPDATE t SET a = 'x' WHERE id = 1",), []),
    "new table": (
        (),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY)",),
        [
            ("table t", "not there", "1 column", "new table"),
            ("t.id", "not there", "INTEGER, may be NULL, primary key", "new column"),
        ],
    ),
    "new table with a row": (
        (),
        ("CREATE TABLE t (a TEXT PRIMARY KEY NOT NULL)", "INSERT INTO t VALUES ('x')"),
        [
            ("table t", "not there", "1 column", "new table"),
            ("t.a", "not there", "TEXT, never NULL, primary key", "new column"),
            ("t row x", "not there", "x", "new row"),
        ],
    ),
    "table gone": (
        ("CREATE TABLE t (a INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (5)"),
        ("DROP TABLE t",),
        [
            ("table t", "1 column", "not there", "table gone"),
            ("t.a", "INTEGER, may be NULL, primary key", "not there", "column gone"),
            ("t row 5", "5", "not there", "row gone"),
        ],
    ),
    "new column": (
        ONE,
        ("ALTER TABLE t ADD COLUMN b INTEGER",),
        [("t.b", "not there", "INTEGER, may be NULL", "new column"), KEPT],
    ),
    "column gone": (
        ONE,
        ("ALTER TABLE t DROP COLUMN a",),
        [("t.a", "TEXT, may be NULL", "not there", "column gone"), KEPT],
    ),
    "column changed": (
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)",),
        ("DROP TABLE t", "CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(9) DEFAULT 'z')"),
        [("t.a", "TEXT, may be NULL", "VARCHAR(9), may be NULL, default 'z'", "column changed")],
    ),
    "new row": (
        ONE,
        ("INSERT INTO t VALUES (3, NULL)",),
        [("t row 3", "not there", "3, NULL", "new row"), ("t", "2 rows", "3 rows", "2 rows kept")],
    ),
    "row gone": (
        ONE,
        ("DELETE FROM t WHERE id = 1",),
        [("t row 1", "1, x", "not there", "row gone"), ("t", "2 rows", "1 row", "1 row kept")],
    ),
    "value changed": (
        ONE,
        ("UPDATE t SET a = 'z' WHERE id = 2",),
        [("t row 2: a", "y", "z", "value changed"), KEPT],
    ),
    "became NULL": (
        ONE,
        ("UPDATE t SET a = NULL WHERE id = 2",),
        [("t row 2: a", "y", "NULL", "became NULL"), KEPT],
    ),
    "NULL and the word": (
        (ONE[0], "INSERT INTO t VALUES (1, NULL), (2, 'y')"),
        ("UPDATE t SET a = 'NULL' WHERE id = 1",),
        [("t row 1: a", "NULL", "NULL", "value changed"), KEPT],
    ),
    "composite key": (
        PAIRS,
        ("UPDATE t SET c = 'z' WHERE a = 1 AND b = 2",),
        [("t row 1, 2: c", "y", "z", "value changed"), KEPT],
    ),
    "no primary key": (
        NO_KEY,
        ("INSERT INTO t VALUES ('z')",),
        [("t row z", "not there", "z", "new row"), ("t", "3 rows", "4 rows", "3 rows kept")],
    ),
    "the revision moves": (
        (*VERSION, "INSERT INTO alembic_version VALUES ('0001')"),
        ("UPDATE alembic_version SET version_num = '0002'",),
        [("revision", "0001", "0002", "moved")],
    ),
    "the revision goes back to base": (
        (*VERSION, "INSERT INTO alembic_version VALUES ('0001')"),
        ("DELETE FROM alembic_version",),
        [("revision", "0001", "base", "moved")],
    ),
}


def compared(engine: Engine, before: tuple[str, ...], change: tuple[str, ...]) -> Comparison:
    execute(engine, *before)
    with engine.connect() as connection:
        was = take_snapshot(connection)
    execute(engine, *change)
    with engine.connect() as connection:
        return Comparison(was, take_snapshot(connection))


@pytest.mark.parametrize(
    ("before", "change", "expected"), COMPARISONS.values(), ids=COMPARISONS.keys()
)
def test_a_comparison(
    before: tuple[str, ...],
    change: tuple[str, ...],
    expected: list[tuple[str, str, str, str]],
    database: Engine,
) -> None:
    comparison = compared(database, before, change)
    assert [tuple(row) for row in comparison.changes.to_numpy()] == expected
    if not expected:
        assert repr(comparison) == NOTHING
        assert comparison._repr_html_() == f"<p>{NOTHING}</p>"
    for line in expected:
        for word in line:
            assert word in repr(comparison)


def test_rows_that_are_alike_are_counted(database: Engine) -> None:
    changes = compared(database, NO_KEY, ("DELETE FROM t WHERE rowid = 1",)).changes
    assert list(changes["change"]) == ["row gone", "2 rows kept"]
    assert (changes["was"][1], changes["now"][1]) == ("3 rows", "2 rows")


IN_WORDS = {
    "new row": (("INSERT INTO t VALUES (3, 'z')",), "new row"),
    "row gone": (("DELETE FROM t WHERE id = 1",), "row gone"),
    "column gone": (("ALTER TABLE t DROP COLUMN a",), "a is gone: x"),
    "column new": (("ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 5",), "b is new: 5"),
    "became NULL": (("UPDATE t SET a = NULL WHERE id = 2",), "a: y became NULL"),
}


@pytest.mark.parametrize(("change", "words"), IN_WORDS.values(), ids=IN_WORDS.keys())
def test_each_change_of_a_row_is_told_in_words(
    change: tuple[str, ...], words: str, database: Engine
) -> None:
    comparison = compared(database, ONE, change)
    assert words in repr(comparison)
    assert words in comparison._repr_html_()


def test_a_long_comparison_is_cut(database: Engine) -> None:
    rows = ", ".join(f"({n}, 'x')" for n in range(1, 101))
    table = (ONE[0], f"INSERT INTO t VALUES {rows}")
    comparison = compared(database, table, ("UPDATE t SET a = 'z'",))
    assert len(comparison.changes) == MOST_ROWS + 2
    assert f"t: {100 - MOST_ROWS} more changes" in repr(comparison)
    assert f"t, before and after (and {100 - MOST_ROWS} more rows)" in repr(comparison)
    assert comparison._repr_html_().count("<tr>") < 3 * MOST_ROWS


def test_a_change_below_the_cut_is_shown(database: Engine) -> None:
    rows = ", ".join(f"({n}, 'x')" for n in range(1, 101))
    table = (ONE[0], f"INSERT INTO t VALUES {rows}")
    comparison = compared(database, table, ("UPDATE t SET a = 'changed' WHERE id = 99",))
    assert "a: x became changed" in repr(comparison)


def test_a_comparison_escapes_values(database: Engine) -> None:
    change = ("INSERT INTO t VALUES (3, '<b onclick=\"x\">')", 'CREATE TABLE "<i>" (a TEXT)')
    html = compared(database, ONE, change)._repr_html_()
    assert "<b onclick" not in html
    assert "<i>" not in html
    assert "&lt;b onclick" in html


def test_a_comparison_is_the_same_twice() -> None:
    html = []
    for _ in range(2):
        engine = create_engine("sqlite://")
        html.append(compared(engine, ONE, ("UPDATE t SET a = NULL",))._repr_html_())
        engine.dispose()
    assert html[0] == html[1]


def test_the_shop_before_and_after_a_step(shop: Workspace) -> None:
    add_price(shop)
    flask_migrate.migrate(message="add price", rev_id="0002")
    before = shop.snapshot()
    assert repr(before) == "Snapshot: alembic_version (1 row), products (3 rows)"
    flask_migrate.upgrade()
    changes = [tuple(row) for row in shop.compare(before).changes.to_numpy()]
    assert changes == [
        ("revision", "0001", "0002", "moved"),
        ("products.price", "not there", "INTEGER, may be NULL", "new column"),
        ("products", "3 rows", "3 rows", "rows kept"),
    ]
    assert repr(shop.compare(shop.snapshot())) == NOTHING


# --- Pictures ---


def script(revision: str, *parents: str) -> SimpleNamespace:
    return SimpleNamespace(revision=revision, doc="step", _versioned_down_revisions=parents)


LINE = [script("0001"), script("0002", "0001")]
BRANCH = [*LINE, script("0003", "0001")]
MERGE = [*BRANCH, script("0004", "0002", "0003")]

HISTORIES = {
    "no scripts": ([], [], ["[base]"]),
    "before the first": (LINE, [], ["[base] -> 0001 -> 0002 (head)"]),
    "in the middle": (LINE, ["0001"], ["base -> [0001] -> 0002 (head)"]),
    "at the head": (LINE, ["0002"], ["base -> 0001 -> [0002] (head)"]),
    "branch": (
        BRANCH,
        ["0002", "0003"],
        ["base -> 0001", "0001 -> [0002] (head)", "0001 -> [0003] (head)"],
    ),
    "merge": (
        MERGE,
        ["0004"],
        ["base -> 0001", "0001 -> 0002 -> [0004] (head)", "0001 -> 0003 -> [0004] (head)"],
    ),
    "two roots": (
        [script("0001"), script("0009")],
        ["0009"],
        ["base -> 0001 (head)", "base -> [0009] (head)"],
    ),
    "unknown": (
        LINE,
        ["beef"],
        ["base -> 0001 -> 0002 (head)", "[beef]: no script has it"],
    ),
}


@pytest.mark.parametrize(
    ("scripts", "current", "expected"), HISTORIES.values(), ids=HISTORIES.keys()
)
def test_a_map_of_a_history(
    scripts: list[SimpleNamespace], current: list[str], expected: list[str]
) -> None:
    assert history_map(scripts, current).text.splitlines() == expected


def test_a_map_as_mermaid() -> None:
    quoted = [SimpleNamespace(revision="a-1", doc='say "x"', _versioned_down_revisions=())]
    drawn = history_map(quoted, ["a-1"])._repr_mimebundle_()
    assert drawn["text/plain"] == "base -> [a-1] (head)"
    lines = [line.strip() for line in drawn["text/vnd.mermaid"].splitlines()]
    assert lines[0] == "flowchart LR"
    assert any(line.startswith("accDescr: base -> [a-1] (head)") for line in lines)
    assert lines[3:] == [
        'r_base["base"]',
        "r_a_1[\"[a-1] (head): say 'x'\"]",
        "r_base --> r_a_1",
        "style r_a_1 stroke-width:4px",
    ]


def test_the_shops_history(shop: Workspace) -> None:
    assert shop.map().text == "base -> [0001] (head)"
    flask_migrate.downgrade(revision="base")
    assert shop.map().text == "[base] -> 0001 (head)"


def test_the_history_of_a_database_whose_script_is_gone(shop: Workspace) -> None:
    (shop.path / "migrations/versions/0001_initial_migration.py").unlink()
    assert shop.map().text.splitlines() == [
        "base",
        "[0001]: no script has it",
    ]


def test_the_history_when_a_middle_script_is_gone(shop: Workspace) -> None:
    add_price(shop)
    flask_migrate.migrate(message="add price", rev_id="0002")
    (shop.path / "migrations/versions/0001_initial_migration.py").unlink()
    assert "0001" in said_by(shop.map)


def test_a_diagram_with_a_foreign_key(database: Engine) -> None:
    execute(
        database,
        "CREATE TABLE makers (id INTEGER PRIMARY KEY, name VARCHAR(50))",
        "CREATE TABLE products (id INTEGER PRIMARY KEY, maker_id INTEGER REFERENCES makers (id))",
    )
    drawn = table_diagram(inspect(database))._repr_mimebundle_()
    assert drawn["text/plain"].splitlines() == [
        "makers",
        "  id INTEGER PK",
        "  name VARCHAR(50)",
        "products",
        "  id INTEGER PK",
        "  maker_id INTEGER FK",
        "  points to makers",
    ]
    lines = [line.strip() for line in drawn["text/vnd.mermaid"].splitlines()]
    assert lines[0] == "erDiagram"
    assert "makers ||--o{ products : has" in lines
    assert "VARCHAR(50) name" in lines
    assert "INTEGER maker_id FK" in lines


# --- The environment ---


def test_the_environment_is_checked() -> None:
    frame = check_environment()
    assert list(frame.columns) == ["part", "needed", "state"]
    assert {"Python", "Flask-Migrate", "alembic", "pandas"} <= set(frame["part"])
    assert set(frame["state"]) == {"ok"}


def test_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_module, "version", lambda name: "0.1")
    assert set(check_environment()["state"]) == {"ok", "0.1 is here"}


def test_what_is_missing_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_module, "installed", lambda name: None)
    line = said_by(environment_module.require_environment)
    assert line.startswith("Not installed in this kernel: ")
    assert "python3 start.py" in line
