"""Patches fakesnow's cursor: MERGE as one statement, exact sums, the transaction state, load
metadata, LAST_QUERY_ID() and statements that succeed without effect.

SUM, MIN and MAX over NUMBER stay exact decimals; AVG and "/" are still DOUBLE in DuckDB.
"""
import re, sys
import duckdb, sqlglot
from sqlglot import exp
from snowflake.connector.errors import ProgrammingError
import fakesnow.server  # noqa: F401
import fakesnow.cursor as fakesnow_cursor
import fakesnow.info_schema as fakesnow_info_schema
import fakesnow.transforms as fakesnow_transforms
from copy_into import CURRENT, LOADED, compilation_error, forget_pending_loads

server = sys.modules["fakesnow.server"]
# DuckDB 2.0.0 resolves the types of a whole plan again and again in this optimizer. Planning the widest models takes
# minutes with it, and 0.2 seconds without it.
DISABLED_OPTIMIZERS = "projection_placement"
# DuckDB 2.0.0 cannot optimize this statement for some data: "BindBuiltinScalarFunction did not return a
# BoundFunctionExpression".
UNOPTIMIZABLE = re.compile(r"\s*insert\s+into\s+ops\.quarantine\b", re.I)
# Statements about accounts, which succeed without effect. privileges.py and warehouses.py track
# their changes.
NO_OPERATION = [
    r"\s*alter\s+session\s+(un)?set\s+(?!autocommit)",
    r"\s*(grant|revoke)\s",
    r"\s*(create|alter|drop)\s+(or\s+replace\s+)?(warehouse|role|user|resource\s+monitor|(?:storage\s+)?integration"
    r"|network\s+policy|authentication\s+policy|masking\s+policy)\b",
    r"\s*alter\s+(stage|database)\b",
]


def duplicate_row():
    message = "Duplicate row detected during DML action\nRow Values: [...]"
    return ProgrammingError(msg=message, errno=100090, sqlstate="42P18")


def whens_of(merge):
    whens = merge.args["whens"]
    return whens.expressions if hasattr(whens, "expressions") else whens


def run_merge(cursor, merge):
    """Runs a MERGE with DuckDB's MERGE INTO and returns a query for Snowflake's row counts."""
    target, using, on, whens = merge.this, merge.args["using"], merge.args["on"], whens_of(merge)
    is_update = lambda when: isinstance(when.args.get("then"), exp.Update)
    updates = [when for when in whens if when.args.get("matched") and is_update(when)]
    if updates:
        # Snowflake raises 100090 if several source rows update one target row.
        conditions = [w.args["condition"].sql("duckdb") if w.args.get("condition") else "TRUE" for w in updates]
        duplicates = (f"SELECT 1 FROM {target.sql('duckdb')} JOIN {using.sql('duckdb')} ON {on.sql('duckdb')}"
                      f" WHERE {' OR '.join(f'({c})' for c in conditions)}"
                      f" GROUP BY {target.alias or target.name}.rowid HAVING count(*)>1 LIMIT 1")
        if cursor._duck_conn.execute(duplicates).fetchone():
            raise duplicate_row()
    for when in filter(is_update, whens):
        for assignment in when.args["then"].expressions:
            if isinstance(assignment.this, exp.Column):
                # DuckDB requires unqualified column names on the left of SET.
                assignment.set("this", exp.column(assignment.this.this))
    try:
        actions = cursor._duck_conn.execute(merge.sql(dialect="duckdb") + " RETURNING merge_action").fetchall()
    except duckdb.InvalidInputException as e:
        # DuckDB 1.4 and newer reject several matches of one row, also for DELETE, where Snowflake
        # accepts them.
        if "more than once" in str(e):
            raise duplicate_row() from None
        raise
    except duckdb.BinderException as e:
        raise compilation_error(str(e).split("\n")[0], 904, "42000") from None
    except duckdb.CatalogException as e:
        raise compilation_error(str(e).split("\n")[0], 2003, "02000") from None
    counts = {
        "inserted": ("INSERT", any(not w.args.get("matched") for w in whens)),
        "updated": ("UPDATE", any(map(is_update, whens))),
        "deleted": ("DELETE", any(isinstance(w.args.get("then"), exp.Var) for w in whens)),
    }
    columns = [f'{sum(1 for (a,) in actions if a == action)} AS "number of rows {label}"'
               for label, (action, possible) in counts.items() if possible]
    result = sqlglot.parse_one("SELECT " + ", ".join(columns))
    result.set("merge_counts", True)
    return result


def _execute(self, transformed, params=None):
    conn = CURRENT.conn = self._conn
    if isinstance(transformed, exp.Merge):
        return original_inner_execute(self, run_merge(self, transformed), None)
    result = original_inner_execute(self, transformed, params)
    state = conn.__dict__
    if isinstance(transformed, exp.Transaction):
        state["_fake_in_transaction"] = True
    elif isinstance(transformed, (exp.Commit, exp.Rollback)):
        state["_fake_in_transaction"] = False
        if isinstance(transformed, exp.Rollback):
            forget_pending_loads(conn)
        state["_fake_pending_loads"] = []
    is_create_table = isinstance(transformed, exp.Create) and transformed.args.get("kind") == "TABLE"
    if is_create_table or isinstance(transformed, (exp.TruncateTable, exp.Drop)):
        if table := transformed.find(exp.Table):
            LOADED.pop((table.catalog or conn.database, table.db or conn.schema, table.name), None)
    return result


def execute(self, command, params=None, *args, **kwargs):
    if last := self._conn.__dict__.get("_fake_last_query_id"):
        result_scan = r"(?i)table\s*\(\s*result_scan\s*\(\s*last_query_id\s*\(\s*\)\s*\)\s*\)"
        command = re.sub(result_scan, f"table(result_scan('{last}'))", command)
        command = re.sub(r"(?i)\blast_query_id\s*\(\s*\)", f"'{last}'", command)
    is_unoptimizable = UNOPTIMIZABLE.match(command)
    if is_unoptimizable:
        self._duck_conn.execute("PRAGMA disable_optimizer")
    try:
        result = original_execute(self, command, params, *args, **kwargs)
    finally:
        if is_unoptimizable:
            self._duck_conn.execute("PRAGMA enable_optimizer")
    self._conn.__dict__["_fake_last_query_id"] = self._sfqid
    return result


def describe_last_sql(self):
    """Describes the result of the last statement. fakesnow parses the statement again, although it is DuckDB's SQL."""
    return self._duck_conn.execute(f"DESCRIBE {self._last_sql}", self._last_params).fetchall()


original_inner_execute = fakesnow_cursor.FakeSnowflakeCursor._execute
original_execute = fakesnow_cursor.FakeSnowflakeCursor.execute
original_table_comment = fakesnow_info_schema.insert_table_comment_sql


def insert_table_comment_sql(catalog, schema, table, comment):
    """fakesnow writes the comment of a table into a literal without escaping it."""
    return original_table_comment(catalog, schema, table, comment and comment.replace("'", "''"))


def install():
    server.shared_fs.duck_conn.execute(f"SET GLOBAL disabled_optimizers = '{DISABLED_OPTIMIZERS}'")
    fakesnow_cursor.transforms.merge = lambda e: [e]
    # fakesnow rewrites SUM(NUMBER) to SUM(TRY_CAST(x AS DOUBLE)), which is not exact.
    fakesnow_transforms.numeric_agg_implicit_cast = lambda e: e
    fakesnow_info_schema.insert_table_comment_sql = insert_table_comment_sql
    fakesnow_cursor.FakeSnowflakeCursor._execute = _execute
    fakesnow_cursor.FakeSnowflakeCursor.execute = execute
    fakesnow_cursor.FakeSnowflakeCursor._describe_last_sql = describe_last_sql
    server.shared_fs.nop_regexes = NO_OPERATION
