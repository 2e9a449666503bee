"""The shop: an app that someone could deploy."""

import importlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.request import urlopen

import pytest
from chapters import ROOT
from checkout import environment
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateTable

URI = "SQLALCHEMY_DATABASE_URI"
IN_MEMORY = {URI: "sqlite://"}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The repository's flask_app, freshly imported: other tests import copies of it."""
    monkeypatch.delenv(f"FLASK_{URI}", raising=False)
    monkeypatch.syspath_prepend(str(ROOT))

    def forget() -> None:
        for name in [m for m in sys.modules if m.split(".")[0] == "flask_app"]:
            del sys.modules[name]

    forget()
    yield importlib.import_module("flask_app")
    forget()


def test_it_greets(shop: ModuleType) -> None:
    answer = shop.create_app(IN_MEMORY).test_client().get("/")
    assert answer.status_code == 200
    assert answer.text == "<h1>Hello, World!</h1>"


def test_it_can_be_served() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "flask_app", "run", f"--port={port}"],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr
        said = []
        for line in server.stderr:
            said.append(line)
            if "CTRL+C" in line:
                break
        assert "This is a development server" in "".join(said)
        with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
            assert page.read() == b"<h1>Hello, World!</h1>"
    finally:
        server.kill()
        server.communicate()


def test_a_product_shows_its_name(shop: ModuleType) -> None:
    assert repr(shop.Product(name="Apple")) == "<Product Apple>"


def test_by_default_the_database_is_in_the_instance_folder(shop: ModuleType) -> None:
    app = shop.create_app()
    with app.app_context():
        assert Path(shop.db.engine.url.database) == Path(app.instance_path) / "app.db"
    assert Path(app.instance_path) == ROOT / "instance"


def test_the_environment_names_the_database(
    shop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"FLASK_{URI}", "sqlite:///elsewhere.db")
    assert shop.create_app().config[URI] == "sqlite:///elsewhere.db"


def test_the_caller_wins(shop: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FLASK_{URI}", "sqlite:///elsewhere.db")
    assert shop.create_app(IN_MEMORY).config[URI] == "sqlite://"


def test_two_apps_have_two_databases(shop: ModuleType) -> None:
    one, other = shop.create_app(IN_MEMORY), shop.create_app(IN_MEMORY)
    with one.app_context():
        shop.db.create_all()
        assert inspect(shop.db.engine).get_table_names() == ["products"]
    with other.app_context():
        assert inspect(shop.db.engine).get_table_names() == []


def test_every_kind_of_constraint_has_a_name(shop: ModuleType) -> None:
    db = shop.db
    metadata = type(db.metadata)(naming_convention=db.metadata.naming_convention)
    db.Table("makers", metadata, db.Column("id", db.Integer, primary_key=True))
    offers = db.Table(
        "offers",
        metadata,
        db.Column("id", db.Integer, primary_key=True),
        db.Column("maker_id", db.ForeignKey("makers.id")),
        db.Column("code", db.Integer, unique=True),
        db.Column("price", db.Integer, index=True),
        db.CheckConstraint("price > 0", name="positive_price"),
    )
    ddl = str(CreateTable(offers))
    for name in (
        "pk_offers",
        "fk_offers_maker_id_makers",
        "uq_offers_code",
        "ck_offers_positive_price",
    ):
        assert f"CONSTRAINT {name} " in ddl
    assert [index.name for index in offers.indexes] == ["ix_offers_price"]


WRONG_URIS = {
    "nonsense": ("nonsense", "Could not parse SQLAlchemy URL"),
    "empty": ("", "Could not parse SQLAlchemy URL"),
    "without a scheme": ("ann:s3cret@127.0.0.1/shop", "Could not parse SQLAlchemy URL"),
    "a number": ("42", "42"),
    "unknown dialect": ("oracle9000://ann:s3cret@127.0.0.1/shop", "oracle9000"),
    "missing driver": ("postgresql+pg8000://ann:s3cret@127.0.0.1/shop", "pg8000"),
    "port in words": ("postgresql+psycopg://ann:x@127.0.0.1:s3cret/shop", "should be a number"),
    "PostgreSQL away": ("postgresql+psycopg://ann:s3cret@127.0.0.1:9/shop", "No connection to"),
    "MariaDB away": ("mysql+pymysql://ann:s3cret@127.0.0.1:9/shop", "No connection to"),
    "no such folder": ("sqlite:////no/such/folder/shop.db", "unable to open database file"),
}


def flask(*arguments: str, uri: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "flask_app", *arguments],
        cwd=ROOT,
        env=environment(**{f"FLASK_{URI}": uri, "COLUMNS": "80"}),
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the words of the operating system are POSIX's")
@pytest.mark.parametrize(("uri", "reason"), WRONG_URIS.values(), ids=WRONG_URIS)
def test_a_wrong_uri_is_told_in_one_line(uri: str, reason: str) -> None:
    result = flask("db", "upgrade", uri=uri)
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: ")
    assert reason in result.stderr
    assert "s3cret" not in result.stderr


@pytest.mark.parametrize("case", ["nonsense", "unknown dialect", "missing driver", "port in words"])
def test_a_wrong_uri_raises_one_clear_error(case: str, shop: ModuleType) -> None:
    uri, reason = WRONG_URIS[case]
    with pytest.raises(shop.database.DatabaseError, match=reason) as raised:
        shop.create_app({URI: uri})
    assert "\n" not in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_an_error_after_the_connection_stays_what_it_is(shop: ModuleType) -> None:
    with shop.create_app(IN_MEMORY).app_context(), pytest.raises(OperationalError):
        shop.db.session.scalars(shop.db.select(shop.Product)).all()


def test_an_app_without_a_uri_is_told(shop: ModuleType) -> None:
    with pytest.raises(shop.database.DatabaseError, match=URI):
        shop.create_app({URI: None})


def test_outside_a_command_the_error_is_sqlalchemys(shop: ModuleType) -> None:
    app = shop.create_app({URI: WRONG_URIS["PostgreSQL away"][0]})
    with app.app_context(), pytest.raises(OperationalError):
        shop.db.engine.connect()


@pytest.mark.slow
@pytest.mark.parametrize("command", [("routes",), ("db", "--help"), ("db", "history")])
def test_the_command_line_needs_no_database(command: tuple[str, ...], tmp_path: Path) -> None:
    result = flask(*command, uri=f"sqlite:///{tmp_path / 'shop.db'}")
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "shop.db").exists()
