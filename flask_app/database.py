"""The database of the shop."""

from click import ClickException
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base of all models. The convention gives every constraint a name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)


class DatabaseError(ClickException):
    """The database cannot be used; the ``flask`` command says so in one line."""


def connect(app: Flask) -> None:
    """Give the app its database; raise DatabaseError if its URI cannot work.

    No connection is made yet. A database that is not there is told when
    the first connection fails.
    """
    try:
        db.init_app(app)
    except (ArgumentError, ImportError, ValueError) as error:
        # SQLAlchemy's ValueError shows what stands for the port: it may be half a password.
        said = "The port is not a number" if isinstance(error, ValueError) else str(error)
        reason = said.splitlines()[0].rstrip(".")
        raise DatabaseError(
            f"{reason}. Is SQLALCHEMY_DATABASE_URI right? It looks like sqlite:///app.db"
            " or postgresql+psycopg://user:password@host/database"
        ) from error
    with app.app_context():
        event.listen(db.engine, "handle_error", say_unreachable)


def say_unreachable(context: ExceptionContext) -> None:
    """Replace the error of a failed first connection by one clear line."""
    if context.connection is not None or context.engine is None:
        return
    reason = str(context.original_exception).splitlines()[0]
    uri = context.engine.url.render_as_string(hide_password=True)
    raise DatabaseError(f"No connection to {uri}: {reason}") from context.original_exception
