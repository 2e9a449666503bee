"""The shop: a small Flask app with one table."""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask_migrate import Migrate

from . import routes
from .database import connect, db
from .models import Product

__all__ = ["Product", "create_app", "db"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the shop, configured by default, then environment, then ``config``.

    An environment variable ``FLASK_X`` is the setting ``X``. Raises DatabaseError
    if SQLALCHEMY_DATABASE_URI cannot work.
    """
    app = Flask(__name__)
    app.config.from_mapping(SQLALCHEMY_DATABASE_URI="sqlite:///app.db")
    app.config.from_prefixed_env()
    app.config.from_mapping(config)
    connect(app)
    Migrate(app, db)
    app.register_blueprint(routes.shop)
    return app
