"""The pages of the shop."""

from flask import Blueprint

shop = Blueprint("shop", __name__)


@shop.get("/")
def index() -> str:
    """Greet the visitor."""
    return "<h1>Hello, World!</h1>"
