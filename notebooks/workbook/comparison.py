"""The database before and after a step: what is new, what is gone, what became NULL."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from sqlalchemy import Connection, inspect

from .frames import NULL, Frame, aligned, schema_frame, table_frame

VERSIONS = "alembic_version"
MOST_ROWS = 12
ABSENT = "not there"
KEPT = "rows kept"

Key = tuple[Any, ...]
Row = dict[str, Any]


@dataclass(frozen=True)
class TableState:
    """One table: its columns (name to description) and its rows (key to values)."""

    columns: dict[str, str]
    rows: dict[Key, Row]


@dataclass(frozen=True)
class Snapshot:
    """All tables of a database as they were at one moment."""

    tables: dict[str, TableState]

    def __repr__(self) -> str:
        counts = [f"{name} ({plural(len(t.rows), 'row')})" for name, t in self.tables.items()]
        return "Snapshot: " + (", ".join(counts) or "no tables")


def take_snapshot(connection: Connection) -> Snapshot:
    """Read every table whole. Rows without a primary key are told apart by all their values."""
    inspector = inspect(connection)
    tables = {}
    for name in sorted(inspector.get_table_names()):
        schema = schema_frame(connection, name)
        columns = {row.column: describe(row) for row in schema.itertuples()}
        key = inspector.get_pk_constraint(name)["constrained_columns"] or list(columns)
        frame = table_frame(connection, name)
        rows = [
            dict(zip(frame.columns, values, strict=True))
            for values in frame.itertuples(index=False, name=None)
        ]
        tables[name] = TableState(columns, {tuple(row[k] for k in key): row for row in rows})
    return Snapshot(tables)


def describe(column: Any) -> str:
    """A column's type and all that restricts it, in words."""
    words = [column.type, "may be NULL" if column.nullable == "yes" else "never NULL"]
    words += [f"default {column.default}"] if column.default else []
    words += [column.key] if column.key else []
    return ", ".join(words)


def plural(count: int, noun: str) -> str:
    """``plural(2, "row")`` is ``2 rows``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


class Comparison:
    """Two snapshots side by side; ``changes`` is the frame, the rest is how it is shown.

    The frame's columns are what, was, now and change. Below it each table whose
    rows were touched is shown whole, before and after, with the change in words.
    """

    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        self._pictures: list[RowsBeforeAndAfter] = []
        rows: list[tuple[str, str, str, str]] = []
        nothing = TableState({}, {})
        for name in sorted(before.tables.keys() | after.tables.keys()):
            was, now = before.tables.get(name, nothing), after.tables.get(name, nothing)
            if was == now and (name in before.tables) == (name in after.tables):
                continue
            rows += table_changes(name, was, now)
            if name == VERSIONS:
                rows.append(("revision", revisions(was), revisions(now), "moved"))
            elif was.rows or now.rows:
                picture = RowsBeforeAndAfter(name, was, now)
                rows += picture.changes()
                self._pictures.append(picture)
        self.changes = Frame(rows, columns=["what", "was", "now", "change"])

    def __repr__(self) -> str:
        if not len(self.changes):
            return "Nothing changed."
        return "\n\n".join([repr(self.changes), *(p.text() for p in self._pictures)])

    def _repr_html_(self) -> str:
        if not len(self.changes):
            return "<p>Nothing changed.</p>"
        lines = [
            [Cell(row.what), Cell(row.was), Cell(row.now), Cell(row.change, tint_of(row.change))]
            for row in self.changes.itertuples()
        ]
        first = html_table("What changed", [[(h, 1) for h in self.changes.columns]], lines)
        return first + "".join(picture.html() for picture in self._pictures)


def table_changes(name: str, was: TableState, now: TableState) -> list[tuple[str, str, str, str]]:
    """The changes of a table and its columns."""
    rows = []
    if not was.columns:
        rows.append((f"table {name}", ABSENT, plural(len(now.columns), "column"), "new table"))
    if not now.columns:
        rows.append((f"table {name}", plural(len(was.columns), "column"), ABSENT, "table gone"))
    for column in [*was.columns, *(c for c in now.columns if c not in was.columns)]:
        old, new = was.columns.get(column, ABSENT), now.columns.get(column, ABSENT)
        if old != new:
            word = {old: "new column", new: "column gone"}.get(ABSENT, "column changed")
            rows.append((f"{name}.{column}", old, new, word))
    return rows


def revisions(state: TableState) -> str:
    """What alembic_version holds, or base."""
    return ", ".join(row["version_num"] for row in state.rows.values()) or "base"


class RowsBeforeAndAfter:
    """The rows of one table, each beside what became of it."""

    def __init__(self, name: str, was: TableState, now: TableState) -> None:
        self.name, self.was, self.now = name, was, now
        self.keys = [*was.rows, *(key for key in now.rows if key not in was.rows)]
        self.both = [column for column in was.columns if column in now.columns]

    def changed(self, key: Key) -> list[str]:
        """The columns that both sides have and in which this row differs."""
        was, now = self.was.rows.get(key), self.now.rows.get(key)
        if was is None or now is None:
            return []
        return [column for column in self.both if differ(was[column], now[column])]

    def in_words(self, key: Key) -> str:
        """What became of this row."""
        was, now = self.was.rows.get(key), self.now.rows.get(key)
        if was is None:
            return "new row"
        if now is None:
            return "row gone"
        words = [f"{c}: {was[c]} became {now[c]}" for c in self.changed(key)]
        words += [f"{c} is gone: {was[c]}" for c in self.was.columns if c not in now]
        words += [f"{c} is new: {now[c]}" for c in self.now.columns if c not in was]
        return "; ".join(words) or "kept"

    def changes(self) -> list[tuple[str, str, str, str]]:
        """Rows for the frame: a line for each touched row, one for all that were kept."""
        lines = []
        for key in self.keys:
            what = f"{self.name} row {', '.join(map(str, key))}"
            was, now = self.was.rows.get(key), self.now.rows.get(key)
            if was is None or now is None:
                word = "new row" if was is None else "row gone"
                lines.append((what, listed(was), listed(now), word))
                continue
            for column in self.changed(key):
                word = "became NULL" if now[column] is NULL else "value changed"
                lines.append((f"{what}: {column}", str(was[column]), str(now[column]), word))
        if len(lines) > MOST_ROWS:
            rest = plural(len(lines) - MOST_ROWS, "more change")
            lines = [*lines[:MOST_ROWS], (f"{self.name}: {rest}", "", "", "see the table")]
        kept = plural(len(self.was.rows.keys() & self.now.rows.keys()), "row")
        if self.was.rows and self.now.columns:
            many, left = plural(len(self.was.rows), "row"), plural(len(self.now.rows), "row")
            word = KEPT if many == left == kept else f"{kept} kept"
            lines.append((self.name, many, left, word))
        return lines

    def grid(self) -> list[list[Cell]]:
        """One list of cells a row: the row before, the row after, and the change in words."""
        lines = []
        for key in self.keys[:MOST_ROWS]:
            was, now = self.was.rows.get(key), self.now.rows.get(key)
            changed = self.changed(key)
            line = []
            for column in self.was.columns:
                lost = now is None or column not in now
                line.append(Cell("" if was is None else was[column], "gone" if lost else ""))
            for column in self.now.columns:
                fresh = was is None or column not in was
                tint = "new" if fresh else "changed" if column in changed else ""
                line.append(Cell("" if now is None else now[column], tint if now else ""))
            lines.append([*line, Cell(self.in_words(key))])
        return lines

    def caption(self) -> str:
        """The table's name, and how many rows are left out."""
        more = len(self.keys) - MOST_ROWS
        return f"{self.name}, before and after" + (f" (and {more} more rows)" if more > 0 else "")

    def text(self) -> str:
        """The grid as aligned text."""
        heads = [
            [
                *("before" if i == 0 else "" for i, _ in enumerate(self.was.columns)),
                "|",
                *("after" if i == 0 else "" for i, _ in enumerate(self.now.columns)),
                "|",
                "",
            ],
            [*self.was.columns, "|", *self.now.columns, "|", "in words"],
        ]
        split = len(self.was.columns)
        body = [
            [
                *(str(c.value) for c in line[:split]),
                "|",
                *(str(c.value) for c in line[split:-1]),
                "|",
                str(line[-1].value),
            ]
            for line in self.grid()
        ]
        return "\n".join([self.caption(), *aligned([*heads, *body])])

    def html(self) -> str:
        """The grid as an HTML table."""
        before, after = len(self.was.columns), len(self.now.columns)
        groups = [(h, n) for h, n in (("before", before), ("after", after), ("", 1)) if n]
        heads = [(c, 1) for c in [*self.was.columns, *self.now.columns, "in words"]]
        return html_table(self.caption(), [groups, heads], self.grid())


@dataclass(frozen=True)
class Cell:
    """A value and how it is tinted: new, gone, changed or not at all."""

    value: Any
    tint: str = ""


# Half-transparent, so that the theme's own text and background show through, light or dark.
TINTS = {
    "new": "background-color: rgba(46, 160, 67, 0.25)",
    "gone": "background-color: rgba(248, 81, 73, 0.25); text-decoration: line-through",
    "changed": "background-color: rgba(210, 153, 34, 0.30)",
}


def tint_of(change: str) -> str:
    """The tint of a word of change; none for what was kept."""
    return next(
        (tint for tint in ("new", "gone") if tint in change), "changed" if change != KEPT else ""
    )


def differ(one: Any, other: Any) -> bool:
    """Are two values different? (1 and True are; NULL is like itself.)"""
    return type(one) is not type(other) or one != other


def listed(row: Row | None) -> str:
    """A row's values, separated by commas."""
    return ABSENT if row is None else ", ".join(map(str, row.values()))


def html_table(caption: str, heads: list[list[tuple[str, int]]], lines: list[list[Cell]]) -> str:
    """A table in the notebook's own style. A head is its text and how many columns it spans."""
    html = [f'<table class="dataframe"><caption>{escape(caption)}</caption><thead>']
    for line in heads:
        cells = (
            f'<th scope="colgroup" colspan="{span}">{escape(text)}</th>'
            if text and span > 1
            else f'<th scope="col">{escape(text)}</th>'
            if text
            else "<td></td>"
            for text, span in line
        )
        html.append(f"<tr>{''.join(cells)}</tr>")
    html.append("</thead><tbody>")
    for row in lines:
        cells = (
            f'<td style="{TINTS[cell.tint]}">{escape(str(cell.value))}</td>'
            if cell.tint
            else f"<td>{escape(str(cell.value))}</td>"
            for cell in row
        )
        html.append(f"<tr>{''.join(cells)}</tr>")
    return "".join([*html, "</tbody></table>"])
