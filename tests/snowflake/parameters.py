"""The effects of session parameters whose defaults an administrator can change."""

import re
from sqlglot import exp
import fakesnow.cursor as fakesnow_cursor
from privileges import Denied

# Snowflake's elements of a timestamp format, and those of DuckDB's strftime.
ELEMENTS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "MI": "%M", "SS": "%S", "FF6": "%f", "FF3": "%g"}
DEFAULT_OUTPUT_FORMAT = "YYYY-MM-DD HH24:MI:SS.FF3"
TIMESTAMP_LITERAL = r"(?i)\btimestamp\s+'([^']*)'|'(\d{4}-\d\d-\d\d[^']*)'::timestamp\b"
TIMESTAMP_TYPE = r"(?i)\btimestamp\b(?!\s*')"


def apply(session, statement, sql):
    """Returns the SQL of a statement with the types that its session's parameters mean."""
    output = session.value("TIMESTAMP_INPUT_FORMAT", {}, "AUTO").upper()
    if output != "AUTO" and (found := re.search(TIMESTAMP_LITERAL, statement.text)):
        text = found.group(1) or found.group(2)
        raise Denied("100035", "22007", f"Timestamp '{text}' is not recognized")
    mapping = session.value("TIMESTAMP_TYPE_MAPPING", {}, "TIMESTAMP_NTZ").lower()
    if mapping != "timestamp_ntz" and statement.verb in ("CREATE", "ALTER") and statement.kind == "TABLE":
        return re.sub(TIMESTAMP_TYPE, mapping, sql)
    return sql


def print_timestamps(tree, output_format):
    """Changes casts to text so that timestamps are printed in Snowflake's format. DuckDB prints as many
    digits of a second as the value needs. The type of a column is known only to DuckDB, which evaluates
    `typeof` when it plans the query."""
    pattern = "|".join(ELEMENTS)
    strftime = re.sub(pattern, lambda found: ELEMENTS[found.group(0)], output_format)

    def change(node):
        is_cast = type(node) is exp.Cast and node.to.this in (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR)
        if not is_cast or isinstance(node.this, (exp.Literal, exp.Null, exp.Count, exp.JSONExtract)):
            return node
        plain = lambda to: exp.Cast(this=node.this.copy(), to=exp.DataType.build(to))
        moment = exp.TryCast(this=plain("text"), to=exp.DataType.build("timestamp"))
        printed = exp.Anonymous(this="strftime", expressions=[moment, exp.Literal.string(strftime)])
        is_timestamp = exp.EQ(
            this=exp.Anonymous(this="typeof", expressions=[node.this.copy()]),
            expression=exp.Literal.string("TIMESTAMP"),
        )
        return exp.Case(ifs=[exp.If(this=is_timestamp, true=printed)], default=plain("text"))
    return tree.transform(change, copy=False)


def install():
    transform = fakesnow_cursor.FakeSnowflakeCursor._transform

    def transform_and_print(self, expression, params):
        tree = transform(self, expression, params)
        if isinstance(tree, exp.Copy):
            return tree
        given = self._conn.__dict__.get("_fake_parameters") or {}
        return print_timestamps(tree, given.get("TIMESTAMP_NTZ_OUTPUT_FORMAT", DEFAULT_OUTPUT_FORMAT))

    fakesnow_cursor.FakeSnowflakeCursor._transform = transform_and_print
