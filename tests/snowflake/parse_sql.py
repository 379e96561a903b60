"""Parses Snowflake SQL with sqlglot and with sqlfluff; neither is Snowflake, so both have to agree that it is in the grammar.

usage: parse_sql.py FILE...    each of several statements; prints one line of JSON: a list of [file, what is wrong]

sqlglot takes what it does not know for a Command and says nothing. That is allowed for the statements on accounts that are listed
here, and never for tables, views, queries and rows.
"""
import json, logging, re, sys
import sqlglot
from sqlglot import exp
from sqlfluff.core import FluffConfig, Linter

logging.getLogger("sqlglot").setLevel(logging.ERROR)
UNKNOWN_TO_SQLGLOT = [
    r"create role if not exists ", r"grant role ", r"(create|alter) resource monitor ", r"alter warehouse ", r"alter storage integration ",
    r"alter stage ", r"(create|alter) user ", r"grant [a-z, ]+ on (all|future) (tables|views) in schema ", r"drop (role|user|integration|warehouse|resource monitor) ",
]


def by_sqlglot(text):
    try:
        statements = sqlglot.parse(text, dialect="snowflake")
    except sqlglot.errors.ParseError as error:
        yield f"sqlglot: {error}"
        return
    for statement in statements:
        if isinstance(statement, exp.Command):
            words = f"{statement.this} {statement.expression}".lower()
            words = re.sub(r"\s+", " ", words)
            if not any(re.match(known, words) for known in UNKNOWN_TO_SQLGLOT):
                yield f"sqlglot does not know: {words[:100]}"


def by_sqlfluff(linter, text):
    # sqlfluff keeps the word "changes" for itself, which Snowflake does not.
    parsed = linter.parse_string(re.sub(r"\bops\.changes\b", "ops.changes_", text))
    for violation in parsed.violations:
        yield f"sqlfluff: line {violation.line_no}: {violation.desc()}"


def main():
    linter = Linter(config=FluffConfig(overrides={"dialect": "snowflake", "large_file_skip_byte_limit": 0}))
    wrong = []
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            text = file.read()
        wrong += [[name, what] for what in [*by_sqlglot(text), *by_sqlfluff(linter, text)]]
    print(json.dumps(wrong))


main()
