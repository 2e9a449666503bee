"""The tables of the shop."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .database import db


class Product(db.Model):
    """Something that the shop sells."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(50))

    def __repr__(self) -> str:
        return f"<Product {self.name}>"
