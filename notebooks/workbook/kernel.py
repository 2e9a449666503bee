"""What Flask-Migrate's commands need in a kernel, where many run in one process."""

import logging
import sys
import warnings
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from typing import Any

from flask import current_app
from IPython.utils.capture import capture_output


def keep_commands_independent(config: Any) -> Any:
    """Give each command of a long-lived kernel what it finds in a new process.

    Flask-Migrate calls this at the start of every command (``Migrate.configure``).
    """
    extension = current_app.extensions["migrate"]
    # The stock env.py stores a closure over its first command's config, and never replaces it:
    # a second check() raises IndexError, a second migrate() writes an empty revision.
    arguments = extension.configure_args
    if getattr(arguments.get("process_revision_directives"), "__module__", "") == "env_py":
        del arguments["process_revision_directives"]
    extension.db.session.remove()  # an open session is a lock
    config.stdout = sys.stdout  # Alembic keeps the one that it found when it was imported
    settings = ConfigParser(interpolation=None)
    settings.read(config.config_file_name, "utf-8")
    if settings.has_section("handler_console"):
        # env.py sets logging up from this file. On the error stream Jupyter would paint it red.
        seen = "(sys.stdout,)" if is_seen(sys.stdout) else "(io.StringIO(),)"
        settings["handler_console"]["args"] = seen
        config.config_file_name = settings
    return config


def is_seen(stream: object) -> bool:
    """Is this the notebook's own output? If it is redirected to a file, that is for SQL only."""
    own = sys.modules.get("ipykernel.iostream")
    return own is None or isinstance(stream, own.OutStream)


def nothing_of(record: logging.LogRecord) -> bool:
    """A filter that lets no record of its logger through."""
    return False


@contextmanager
def quiet() -> Iterator[None]:
    """Run commands without a word, and leave logging as it was (env.py sets it up each time)."""
    names = [None, *logging.Logger.manager.loggerDict]
    loggers = [logging.getLogger(name) for name in names]
    before = [(log, log.level, [*log.handlers], log.propagate, log.disabled) for log in loggers]
    logging.disable(logging.CRITICAL)
    try:
        with capture_output(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        for log, level, handlers, propagate, disabled in before:
            log.setLevel(level)
            log.handlers[:] = handlers
            log.propagate, log.disabled = propagate, disabled
