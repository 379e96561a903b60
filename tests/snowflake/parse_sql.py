"""Parses Snowflake SQL with both sqlglot and sqlfluff. Neither is Snowflake's own parser, so both
must accept it.

usage: parse_sql.py FILE...    each file may contain several statements; prints JSON: a list of [file, error]

sqlglot silently parses a statement that it does not know as a Command. A Command is accepted only for
the account-level statements listed below, and never for statements about tables, views and rows.
"""
import json, logging, re, sys
import sqlglot
from sqlglot import exp
from sqlfluff.core import FluffConfig, Linter

logging.getLogger("sqlglot").setLevel(logging.ERROR)
UNKNOWN_TO_SQLGLOT = [
    r"create role if not exists ", r"grant role ", r"(create|alter) resource monitor ", r"alter warehouse ", r"alter database ",
    r"alter storage integration ", r"alter stage ", r"(create|alter) user ",
    r"grant [a-z, ]+ on (all|future) (tables|views) in schema ",
    r"drop (role|user|integration|warehouse|resource monitor) ",
]


def sqlglot_errors(text):
    try:
        statements = sqlglot.parse(text, dialect="snowflake")
    except sqlglot.errors.ParseError as error:
        yield f"sqlglot: {error}"
        return
    for statement in statements:
        if isinstance(statement, exp.Command):
            command = re.sub(r"\s+", " ", f"{statement.this} {statement.expression}".lower())
            if not any(re.match(known, command) for known in UNKNOWN_TO_SQLGLOT):
                yield f"sqlglot: unknown command: {command[:100]}"


def sqlfluff_errors(linter, text):
    # sqlfluff treats "changes" as a reserved word; Snowflake does not.
    parsed = linter.parse_string(re.sub(r"\bops\.changes\b", "ops.changes_", text))
    for violation in parsed.violations:
        yield f"sqlfluff: line {violation.line_no}: {violation.desc()}"


def main():
    linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake", "large_file_skip_byte_limit": 0}))
    errors = []
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            text = file.read()
        errors += [[name, error] for error in [*sqlglot_errors(text), *sqlfluff_errors(linter, text)]]
    print(json.dumps(errors))


main()
