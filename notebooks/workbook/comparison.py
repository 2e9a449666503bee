"""The database before and after a step: what is new, what is gone, what became NULL."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, inspect

from .frames import NULL, Cell, Frame, aligned, html_table, schema_frame, table_frame

VERSIONS = "alembic_version"
MOST_ROWS = 12
ABSENT = "not there"
KEPT = "rows kept"
NOTHING = "Nothing changed: the same tables, columns, keys and rows."

Key = tuple[str, ...]
Row = dict[str, Any]
Sides = list[list[Cell]]  # before, after, in words


@dataclass(frozen=True)
class TableState:
    """One table: what describes its columns and CHECKs, by name; its primary key; its rows."""

    columns: dict[str, str]
    checks: dict[str, str]
    key: list[str]
    rows: list[Row]

    def rows_by(self, columns: list[str]) -> dict[Key, Row]:
        """The rows by their values in these columns; a last number tells equal ones apart."""
        seen: Counter[Key] = Counter()
        found = {}
        for row in self.rows:
            values = tuple(str(row[column]) for column in columns)
            seen[values] += 1
            found[(*values, str(seen[values]))] = row
        return found


NO_TABLE = TableState({}, {}, [], [])


@dataclass(frozen=True)
class Snapshot:
    """All tables of a database as they were at one moment."""

    tables: dict[str, TableState]

    def __repr__(self) -> str:
        counts = [f"{name} ({plural(len(t.rows), 'row')})" for name, t in self.tables.items()]
        return "Snapshot: " + (", ".join(counts) or "no tables")


def take_snapshot(connection: Connection) -> Snapshot:
    """Read every table whole."""
    names = sorted(inspect(connection).get_table_names())
    return Snapshot({name: take_state(connection, name) for name in names})


def take_state(connection: Connection, name: str) -> TableState:
    """Read a table whole."""
    inspector = inspect(connection)
    schema = schema_frame(connection, name)
    columns = {row.column: describe(row) for row in schema.itertuples()}
    checks = {
        f"CHECK {check['name'] or check['sqltext']}": check["sqltext"]
        for check in inspector.get_check_constraints(name)
    }
    key = list(inspector.get_pk_constraint(name)["constrained_columns"])
    frame = table_frame(connection, name)
    rows = [
        dict(zip(frame.columns, values, strict=True))
        for values in frame.itertuples(index=False, name=None)
    ]
    return TableState(columns, checks, key, rows)


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
        for name in sorted(before.tables.keys() | after.tables.keys()):
            was, now = before.tables.get(name, NO_TABLE), after.tables.get(name, NO_TABLE)
            if was == now:
                continue
            rows += table_changes(name, was, now)
            if name == VERSIONS:
                if revisions(was) != revisions(now):
                    rows.append(("revision", revisions(was), revisions(now), "moved"))
            elif was.rows or now.rows:
                picture = RowsBeforeAndAfter(name, was, now)
                rows += picture.changes()
                self._pictures.append(picture)
        self.changes = Frame(rows, columns=["what", "was", "now", "change"])

    def __repr__(self) -> str:
        if not len(self.changes):
            return NOTHING
        return "\n\n".join([repr(self.changes), *(p.text() for p in self._pictures)])

    def _repr_html_(self) -> str:
        if not len(self.changes):
            return f"<p>{NOTHING}</p>"
        heads = [Cell(column) for column in self.changes.columns]
        lines = [
            [Cell(row.what), Cell(row.was), Cell(row.now), Cell(row.change, tint_of(row.change))]
            for row in self.changes.itertuples()
        ]
        first = html_table([heads], lines, "What changed")
        return first + "".join(picture.html() for picture in self._pictures)


def table_changes(name: str, was: TableState, now: TableState) -> list[tuple[str, str, str, str]]:
    """The changes of a table, its columns and its CHECKs."""
    rows = []
    if not was.columns:
        rows.append((f"table {name}", ABSENT, plural(len(now.columns), "column"), "new table"))
    if not now.columns:
        rows.append((f"table {name}", plural(len(was.columns), "column"), ABSENT, "table gone"))
    for noun, olds, news in [
        ("column", was.columns, now.columns),
        ("constraint", was.checks, now.checks),
    ]:
        for part in olds | news:
            old, new = olds.get(part, ABSENT), news.get(part, ABSENT)
            if old != new:
                word = {old: f"new {noun}", new: f"{noun} gone"}.get(ABSENT, f"{noun} changed")
                rows.append((f"{name}.{part}", old, new, word))
    return rows


def revisions(state: TableState) -> str:
    """What alembic_version holds, or base."""
    return ", ".join(row["version_num"] for row in state.rows) or "base"


class RowsBeforeAndAfter:
    """The rows of one table, each beside what became of it."""

    def __init__(self, name: str, was: TableState, now: TableState) -> None:
        self.name, self.was, self.now = name, was, now
        self.both = [column for column in was.columns if column in now.columns]
        columns = self.both or list(was.columns or now.columns)
        keys = (key for key in (was.key, now.key) if key and set(key) <= set(columns))
        identity = next(keys, columns)
        self.rows_before, self.rows_after = was.rows_by(identity), now.rows_by(identity)
        self.keys = list(self.rows_before | self.rows_after)
        if len(self.keys) > MOST_ROWS:
            self.keys.sort(key=lambda key: not self.is_touched(key))

    def was_and_now(self, key: Key) -> tuple[Row | None, Row | None]:
        """The row before and after; None where it is not there."""
        return self.rows_before.get(key), self.rows_after.get(key)

    def is_touched(self, key: Key) -> bool:
        """Is this row new, gone, or changed in a column that both sides have?"""
        return bool(self.changed(key)) or None in self.was_and_now(key)

    def changed(self, key: Key) -> list[str]:
        """The columns that both sides have and in which this row differs."""
        was, now = self.was_and_now(key)
        if was is None or now is None:
            return []
        return [column for column in self.both if differ(was[column], now[column])]

    def in_words(self, key: Key) -> str:
        """What became of this row."""
        was, now = self.was_and_now(key)
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
            what = f"{self.name} row {', '.join(key[:-1])}"
            was, now = self.was_and_now(key)
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
        kept = plural(len(self.rows_before.keys() & self.rows_after.keys()), "row")
        if self.was.rows and self.now.columns:
            many, left = plural(len(self.was.rows), "row"), plural(len(self.now.rows), "row")
            word = KEPT if many == left == kept else f"{kept} kept"
            lines.append((self.name, many, left, word))
        return lines

    def sides(self, key: Key) -> Sides:
        """A row before, the same row after, and the change in words."""
        was, now = self.was_and_now(key)
        changed = self.changed(key)
        before, after = [], []
        for column in self.was.columns:
            lost = now is None or column not in now
            before.append(Cell("" if was is None else was[column], "gone" if was and lost else ""))
        for column in self.now.columns:
            fresh = was is None or column not in was
            tint = "new" if fresh else "changed" if column in changed else ""
            after.append(Cell("" if now is None else now[column], tint if now else ""))
        return [before, after, [Cell(self.in_words(key))]]

    def heads(self) -> list[Sides]:
        """Two lines of heads: before and after, and the names of the columns."""
        names = [list(self.was.columns), list(self.now.columns), ["in words"]]
        titles = [
            [Cell(title, span=len(side))] if side else []
            for title, side in zip(("before", "after", ""), names, strict=True)
        ]
        return [titles, [[Cell(name) for name in side] for side in names]]

    def lines(self) -> list[Sides]:
        """The first rows."""
        return [self.sides(key) for key in self.keys[:MOST_ROWS]]

    def caption(self) -> str:
        """The table's name, and how many rows are left out."""
        more = len(self.keys) - MOST_ROWS
        return f"{self.name}, before and after" + (f" (and {more} more rows)" if more > 0 else "")

    def text(self) -> str:
        """The rows as aligned text, a bar between the sides."""
        lines = []
        for sides in [*self.heads(), *self.lines()]:
            texts = [
                [t for cell in side for t in (str(cell.value), *[""] * (cell.span - 1))]
                for side in sides
            ]
            lines.append([*texts[0], "|", *texts[1], "|", *texts[2]])
        return "\n".join([self.caption(), *aligned(lines)])

    def html(self) -> str:
        """The rows as an HTML table, a rule between the sides."""
        heads, lines = (
            [
                [
                    replace(cell, edge=number > 0 and cell is side[0])
                    for number, side in enumerate(sides)
                    for cell in side
                ]
                for sides in part
            ]
            for part in (self.heads(), self.lines())
        )
        return html_table(heads, lines, self.caption())


def tint_of(change: str) -> str:
    """The tint of a word of change; none for what was kept."""
    if change == KEPT:
        return ""
    return "new" if "new" in change else "lost" if "gone" in change else "changed"


def differ(one: Any, other: Any) -> bool:
    """Are two values different? (1 and True are; NULL is like itself.)"""
    return type(one) is not type(other) or one != other


def listed(row: Row | None) -> str:
    """A row's values, separated by commas."""
    return ABSENT if row is None else ", ".join(map(str, row.values()))
