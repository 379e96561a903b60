"""Reads every table and view of a warehouse and of its exported files with pandas, polars and pyarrow, and computes
with every numeric column. Prints a JSON object with what it did and what failed.

Usage: tables.py WAREHOUSE FOLDER"""

import json, math, operator, pathlib, sys

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
IN_ARROW = {"+": pc.add, "-": pc.subtract, "*": pc.multiply, "/": pc.divide}
# Columns that number or name something, and with which nobody computes.
KEYS = ("_key", "year", "quarter", "month", "day_of_month", "day_of_week")


def is_figure(name):
    return not name.endswith(KEYS)


def pairs(columns, kinds):
    """Each column with itself, and with the first column of every numeric type of the table. Products of two share
    counts mean nothing and do not fit 64 bits."""
    firsts = {str(kinds[name]): name for name in reversed(columns)}.values()
    both = {(a, b) for a in columns for b in (a, *firsts)}
    return sorted(both | {(b, a) for a, b in both})


def is_product_of_counts(symbol, *kinds):
    return symbol == "*" and all("int" in str(kind).lower() for kind in kinds)


class Pandas:
    numeric = staticmethod(lambda frame, name: pd.api.types.is_numeric_dtype(frame[name]) and frame[name].dtype != bool)

    def __init__(self, frame):
        self.frame, self.kinds = frame, dict(frame.dtypes)

    def combine(self, symbol, a, b):
        result = OPERATORS[symbol](self.frame[a], self.frame[b])
        if not pd.api.types.is_numeric_dtype(result):
            raise TypeError(f"the result has the type {result.dtype}")

    def statistics(self, name):
        column = self.frame[name]
        column.rolling(3).mean(), column.pct_change(fill_method=None), column.std()
        return float(column.sum())


class Polars:
    def __init__(self, frame):
        self.frame, self.kinds = frame, dict(frame.schema)

    numeric = staticmethod(lambda frame, name: frame.schema[name].is_numeric())

    def combine(self, symbol, a, b):
        right = pl.col(b)
        if symbol == "/":       # polars raises an error for decimals that are divided by 0
            right = pl.when(right != 0).then(right)
        if not self.frame.select(OPERATORS[symbol](pl.col(a), right).alias("x")).schema["x"].is_numeric():
            raise TypeError("the result is not numeric")

    def statistics(self, name):
        self.frame.select(pl.col(name).rolling_mean(3), pl.col(name).pct_change().alias("y"))
        return float(self.frame[name].sum())


class Arrow:
    def __init__(self, frame):
        self.frame, self.kinds = frame, {field.name: field.type for field in frame.schema}

    @staticmethod
    def numeric(frame, name):
        kind = frame.schema.field(name).type
        return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)

    def combine(self, symbol, a, b):
        left, right = self.frame[a], self.frame[b]
        if symbol == "/":       # Arrow raises an error for decimals and integers that are divided by 0
            right = pc.if_else(pc.equal(right, pa.scalar(0, right.type)), pa.scalar(None, right.type), right)
        IN_ARROW[symbol](left, right)

    def statistics(self, name):
        pc.mean(self.frame[name]), pc.stddev(self.frame[name])
        return float(pc.sum(self.frame[name]).as_py() or 0)


class Report:
    def __init__(self):
        self.failures, self.columns, self.computed = [], 0, 0

    def check(self, source, library, frame, expected):
        """Computes with all numeric columns of a frame. `expected` has the sum of each numeric column."""
        data = library(frame)
        columns = [name for name in data.kinds if is_figure(name) and library.numeric(frame, name)]
        fail = lambda what, error: self.failures.append(f"{source}: {what}: {type(error).__name__}: {error}"[:200])
        for name in sorted(expected.keys() - set(columns)):
            fail(name, TypeError(f"not numeric, but {data.kinds.get(name)}"))
        for a, b in pairs(columns, data.kinds):
            for symbol in OPERATORS:
                if is_product_of_counts(symbol, data.kinds[a], data.kinds[b]):
                    continue
                try:
                    data.combine(symbol, a, b)
                    self.computed += 1
                except Exception as error:
                    fail(f"{a} {symbol} {b}", error)
        for name in columns:
            self.columns += 1
            try:
                total = data.statistics(name)
                if not math.isclose(total, expected[name], rel_tol=1e-9, abs_tol=1e-6):
                    fail(name, ValueError(f"the sum is {total}, not {expected[name]}"))
            except Exception as error:
                fail(name, error)


NUMERIC = "(data_type in ('DOUBLE', 'BIGINT', 'INTEGER', 'HUGEINT') or data_type like 'DECIMAL%')"


def sums(connection, schema, table):
    query = f"select column_name from duckdb_columns() where schema_name = ? and table_name = ? and {NUMERIC}"
    names = [name for (name,) in connection.execute(query, [schema, table]).fetchall() if is_figure(name)]
    if not names:
        return {}
    totals = ", ".join(f"coalesce(sum({name}::double), 0)" for name in names)
    return dict(zip(names, connection.execute(f"select {totals} from {schema}.{table}").fetchone()))


def control(connection):
    """The failures for a table with the types that decimals of money had before. There must be some."""
    report = Report()
    query = "select 1.5::decimal(38, 6) as amount, 2::bigint as shares, 0.5::double as ratio"
    frame = connection.execute(query).to_arrow_table()
    report.check("control", Arrow, frame, {"amount": 1.5, "shares": 2.0, "ratio": 0.5})
    report.check("control", Pandas, frame.to_pandas(), {"amount": 1.5, "shares": 2.0, "ratio": 0.5})
    return len(report.failures)


def main(warehouse, folder):
    connection, report = duckdb.connect(warehouse, read_only=True), Report()
    shown = sorted(name for (name,) in connection.execute("show tables").fetchall())
    query = "select table_name from information_schema.tables where table_schema = 'analytics' order by 1"
    tables = [name for (name,) in connection.execute(query).fetchall()]
    rows = {}
    for table in tables:
        expected = sums(connection, "analytics", table)
        select = lambda: connection.execute(f"select * from {table}")
        file = str(pathlib.Path(folder, f"{table}.parquet"))
        for source, library, read in [
            (f"{table} in pandas", Pandas, lambda: select().df()),
            (f"{table} in polars", Polars, lambda: select().pl()),
            (f"{table} in pyarrow", Arrow, lambda: select().to_arrow_table()),
            (f"{table}.parquet in pandas", Pandas, lambda: pd.read_parquet(file)),
            (f"{table}.parquet in polars", Polars, lambda: pl.read_parquet(file)),
            (f"{table}.parquet in pyarrow", Arrow, lambda: pq.read_table(file)),
        ]:
            frame = read()
            rows.setdefault(table, len(frame))
            if len(frame) != rows[table]:
                report.failures.append(f"{source}: {len(frame)} rows, not {rows[table]}")
            report.check(source, library, frame, expected)
    print(json.dumps({
        "shown": shown, "tables": tables, "rows": rows, "columns": report.columns, "computed": report.computed,
        "control": control(connection), "failures": report.failures,
    }))


main(*sys.argv[1:])
