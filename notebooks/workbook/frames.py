"""Tables and schemas as pandas frames that say NULL and keep 3 as 3."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Inspector, inspect
from sqlalchemy.dialects import postgresql

from .errors import WorkbookError


class Null:
    """SQL's NULL in a frame: not NaN, not None, and not the text 'NULL'."""

    def __repr__(self) -> str:
        return "NULL"


NULL = Null()


class Frame(pd.DataFrame):
    """A DataFrame that keeps every value as it is and is shown without an index."""

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(data, *args, **kwargs, dtype=object)

    def __repr__(self) -> str:
        heads = [str(column) for column in self.columns]
        rows = [[str(value) for value in row] for row in self.itertuples(index=False)]
        return "\n".join(aligned([heads, *rows])) + ("" if rows else "\n(no rows)")

    def _repr_html_(self) -> str:
        rows = [[Cell(value) for value in row] for row in self.itertuples(index=False)]
        html = html_table([[Cell(column) for column in self.columns]], rows)
        return html if rows else html + "<p>(no rows)</p>"


@dataclass(frozen=True)
class Cell:
    """A cell of an HTML table: its value, its tint, its width, a rule at its left edge."""

    value: Any
    tint: str = ""
    span: int = 1
    edge: bool = False


# Half-transparent, so that the theme's own text and background show through, light or dark.
TINTS = {
    "new": "background-color: rgba(46, 160, 67, 0.25)",
    "lost": "background-color: rgba(248, 81, 73, 0.25)",
    "gone": "background-color: rgba(248, 81, 73, 0.25); text-decoration: line-through",
    "changed": "background-color: rgba(210, 153, 34, 0.30)",
}
LEFT = "text-align: left"
RULE = "border-left: 1px solid rgba(128, 128, 128, 0.6)"


def html_table(heads: list[list[Cell]], lines: list[list[Cell]], caption: str = "") -> str:
    """A table in the notebook's own style, its texts escaped."""
    style = f"{LEFT}; padding-top: 0.6em"
    title = f'<caption style="{style}"><strong>{escape(caption)}</strong></caption>'
    return "\n".join(
        [
            f'<table class="dataframe">{title if caption else ""}<thead>',
            *(f"<tr>{''.join(map(html_head, line))}</tr>" for line in heads),
            "</thead><tbody>",
            *(
                f"<tr>{row_head(first)}{''.join(map(html_cell, rest))}</tr>"
                for first, *rest in lines
            ),
            "</tbody></table>",
        ]
    )


def html_head(cell: Cell) -> str:
    """The cell above its column or columns; an empty one is no head."""
    scope = 'scope="col"' if cell.span == 1 else f'scope="colgroup" colspan="{cell.span}"'
    return f"<th {scope} {inside(cell)}</th>" if cell.value else html_cell(cell)


def row_head(cell: Cell) -> str:
    """The cell as what its row is about, for those who listen to the table."""
    return f'<th scope="row" {inside(cell, "font-weight: normal")}</th>'


def html_cell(cell: Cell) -> str:
    """The cell in the table's body."""
    return f"<td {inside(cell)}</td>"


def inside(cell: Cell, *more: str) -> str:
    """What the cell's tag goes on with: its style and its text."""
    tint = [TINTS[cell.tint]] if cell.tint else []
    styles = [LEFT, *tint, *([RULE] if cell.edge else []), *more]
    return f'style="{"; ".join(styles)}">{escape(str(cell.value))}'


def aligned(rows: list[list[str]]) -> list[str]:
    """Lines in which the cells of each column stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def require_table(inspector: Inspector, name: str) -> None:
    """Raise WorkbookError, with what there is instead, if the table is not there."""
    tables = sorted(inspector.get_table_names())
    if name in tables:
        return
    if not tables:
        raise WorkbookError(f'There is no table "{name}": the database has no tables yet.')
    guess = get_close_matches(name, tables, n=1)
    hint = f' Did you mean "{guess[0]}"?' if guess else ""
    raise WorkbookError(f'There is no table "{name}".{hint} Tables here: {", ".join(tables)}.')


def table_frame(connection: Connection, name: str) -> Frame:
    """All rows of a table in the order of its primary key, each value as the driver gives it."""
    inspector = inspect(connection)
    require_table(inspector, name)
    quote = connection.dialect.identifier_preparer.quote
    keys = ", ".join(map(quote, inspector.get_pk_constraint(name)["constrained_columns"]))
    order = f" ORDER BY {keys}" if keys else ""
    result = connection.exec_driver_sql(f"SELECT * FROM {quote(name)}{order}")
    rows = [[NULL if value is None else value for value in row] for row in result]
    return Frame(rows, columns=list(result.keys()))


def schema_frame(connection: Connection, name: str) -> Frame:
    """The columns of a table, one row each: column, type, nullable, default, key."""
    inspector = inspect(connection)
    require_table(inspector, name)
    keys = key_words(inspector, name)
    rows = [
        (
            column["name"],
            type_words(column["type"]),
            "yes" if column["nullable"] else "no",
            column["default"] or "",
            ", ".join(keys.get(column["name"], [])),
        )
        for column in inspector.get_columns(name)
    ]
    return Frame(rows, columns=["column", "type", "nullable", "default", "key"])


def type_words(kind: Any) -> str:
    """A column's type. PostgreSQL's enums have a name; SQLAlchemy would say VARCHAR of them."""
    return f"ENUM {kind.name}" if isinstance(kind, postgresql.ENUM) else str(kind)


def key_words(inspector: Inspector, name: str) -> dict[Hashable, list[str]]:
    """What each column is a key for: primary key, unique, index, foreign key."""
    words: dict[Hashable, list[str]] = {}

    def add(columns: Sequence[str | None], word: str) -> None:
        for column in columns:
            others = [str(other) for other in columns if other != column]
            together = f" with {', '.join(others)}" if others else ""
            words.setdefault(column, []).append(word + together)

    add(inspector.get_pk_constraint(name)["constrained_columns"], "primary key")
    for unique in inspector.get_unique_constraints(name):
        add(unique["column_names"], "unique")
    for index in inspector.get_indexes(name):
        if not index.get("duplicates_constraint"):
            add(index["column_names"], "unique index" if index["unique"] else "index")
    for key in inspector.get_foreign_keys(name):
        options = " ".join(f"{k} {v}" for k, v in key.get("options", {}).items())
        add(key["constrained_columns"], f"foreign key to {key['referred_table']} {options}".strip())
    return words
