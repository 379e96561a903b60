"""The DuckDB part of the script and of the sequential job: typed tables with keys, and the figures."""
from pathlib import Path

import duckdb

from api import TABLES, snake

FIGURES = Path(__file__).with_name("figures.sql")


def load(file, folder):
    """Loads the NDJSON files `folder/TABLE.ndjson`, one row per line, and computes the figures."""
    with duckdb.connect(file) as db:
        db.execute("create schema if not exists market")
        db.execute("use market")
        db.execute("begin")
        create_tables(db)
        for table, (_, key, columns) in TABLES.items():
            source = folder / f"{table}.ndjson"
            if source.stat().st_size:
                db.execute(insert(table, key, columns), [str(source)])
        db.execute("commit")
        figures(db)


def create_tables(db):
    for table, (_, key, columns) in TABLES.items():
        typed = ", ".join(f'"{snake(name)}" {kind}' for name, kind in columns.items())
        db.execute(f"create table if not exists {table} ({typed}, primary key ({', '.join(key)}))")


def insert(table, key, columns):
    """Values that do not have the type of their column become NULL. Of rows with equal keys, one is kept."""
    values = ", ".join(f'try_cast("{name}" as {kind})' for name, kind in columns.items())
    texts = ", ".join(f"\"{name}\": 'VARCHAR'" for name in columns)
    return (
        f"insert or replace into {table} select {values} "
        f"from read_json(?, format = 'newline_delimited', columns = {{{texts}}}) "
        f"qualify row_number() over (partition by {', '.join(key)}) = 1"
    )


def figures(db):
    """Computes `ratios` and `valuation` from the tables of the current schema."""
    db.execute(FIGURES.read_text())
