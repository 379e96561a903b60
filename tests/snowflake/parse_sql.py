"""Parses Snowflake SQL with both sqlglot and sqlfluff. Neither is Snowflake's own parser, so both
must accept it.

usage: parse_sql.py ACCEPTED FILE...    each file may contain several statements; prints JSON: a list of [file, error]

sqlfluff takes up to 20 seconds for a statement. ACCEPTED is a folder that keeps a file for each statement that both
accept, and processes share it. The name of the file is a hash of the statement, of this program and of the versions
of the packages. A rejected statement is parsed each time.

sqlglot silently parses a statement that it does not know as a Command. A Command is accepted only for
the account-level statements listed below, and never for statements about tables, views and rows.
"""
import functools, gc, hashlib, json, logging, os, re, sys
from importlib.metadata import version
import sqlglot
from sqlglot import exp
from statement import split_statements

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


@functools.cache
def linter():
    # The import and the dialect take three seconds, which a run without a new statement saves.
    from sqlfluff.core import FluffConfig, Linter
    return Linter(config=FluffConfig(overrides={"dialect": "snowflake", "large_file_skip_byte_limit": 0}))


def sqlfluff_errors(text):
    # sqlfluff treats "changes" as a reserved word; Snowflake does not.
    parsed = linter().parse_string(re.sub(r"\bops\.changes\b", "ops.changes_", text))
    for violation in parsed.violations:
        yield f"sqlfluff: line {violation.line_no}: {violation.desc()}"


def parsers():
    """Returns a text that differs if other code parses the statements."""
    folder = os.path.dirname(os.path.abspath(__file__))
    code = [open(os.path.join(folder, name), encoding="utf-8").read() for name in ("parse_sql.py", "statement.py")]
    return "\0".join([*code, *(f"{name} {version(name)}" for name in ("sqlglot", "sqlfluff")), sys.version])


def main():
    # Parsers make many objects and few cycles: a fifth of sqlfluff's time goes to looking for them.
    gc.set_threshold(200_000)
    accepted, *files = sys.argv[1:]
    os.makedirs(accepted, exist_ok=True)
    by, errors = parsers(), []
    for name in files:
        with open(name, encoding="utf-8") as file:
            statements = split_statements(file.read())
        for text in statements:
            known = os.path.join(accepted, hashlib.sha256(f"{by}\0{text}".encode()).hexdigest())
            if os.path.exists(known):
                continue
            found = [*sqlglot_errors(text), *sqlfluff_errors(text)]
            errors += [[name, f"{error}, in {text[:100]!r}"] for error in found]
            if not found:
                open(known, "w").close()
    print(json.dumps(errors))


main()
