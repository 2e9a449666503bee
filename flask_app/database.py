"""The database of the shop."""

from click import ClickException, get_current_context
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base of all models. Constraints get their names by convention; a CHECK brings its own."""

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
    """The database cannot be used. The commands of ``flask`` say so in one line."""


def connect(app: Flask) -> None:
    """Give the app its database; raise DatabaseError if its URI cannot work.

    No connection is made yet.
    """
    try:
        db.init_app(app)
    except (ArgumentError, ImportError, RuntimeError, ValueError) as error:
        # SQLAlchemy's ValueError shows the part that it cannot read: it may be half a password.
        said = "A part should be a number" if isinstance(error, ValueError) else str(error)
        reason = said.splitlines()[0].rstrip(".")
        raise DatabaseError(
            f"{reason}. Is SQLALCHEMY_DATABASE_URI right? It looks like sqlite:///app.db"
            " or postgresql+psycopg://user:password@host/database"
        ) from error
    with app.app_context():
        event.listen(db.engine, "handle_error", say_unreachable)


def say_unreachable(context: ExceptionContext) -> None:
    """In a command of ``flask``, replace the error of a failed connection by one clear line.

    Elsewhere the error stays SQLAlchemy's own, for the app's error handlers.
    """
    if context.connection is None and context.engine and get_current_context(silent=True):
        reason = str(context.original_exception).splitlines()[0]
        uri = context.engine.url.render_as_string(hide_password=True)
        raise DatabaseError(f"No connection to {uri}: {reason}") from context.original_exception
