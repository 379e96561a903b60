"""Finds out what a statement does: which tables it reads and writes, which object it creates, and
whether it needs a warehouse."""

import functools, re
from dataclasses import dataclass, field
import sqlglot
from sqlglot import exp

IDENTIFIER = r'(?:"[^"]+"|[\w$]+)'
NAME = rf"{IDENTIFIER}(?:\.{IDENTIFIER}){{0,2}}"
KIND = (
    r"(?:materialized\s+view|external\s+table|dynamic\s+table|file\s+format|resource\s+monitor|network\s+policy"
    r"|storage\s+integration|integration|table|view|stage|schema|database|warehouse|role|user|sequence|function"
    r"|procedure|task|stream|pipe)"
)
# A statement of one of these kinds commits an open transaction.
DDL = {"CREATE", "DROP", "ALTER", "TRUNCATE"}
WRITES = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"}
ALIASES = {"STORAGE_INTEGRATION": "INTEGRATION", "MATERIALIZED_VIEW": "VIEW", "EXTERNAL_TABLE": "TABLE",
           "DYNAMIC_TABLE": "TABLE"}


def name_parts(text):
    """Returns the parts of a name as Snowflake stores them."""
    return tuple(p[1:-1] if p.startswith('"') else p.upper() for p in re.findall(IDENTIFIER, text))


def object_kind(text):
    kind = re.sub(r"\s+", "_", text.strip()).upper()
    return ALIASES.get(kind, kind)


def split_statements(text):
    """Returns the statements of a text, which semicolons separate."""
    token = r"'(?:[^'\\]|\\.)*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|;|[^;'\"/-]+|."
    statements = [""]
    for part in re.findall(token, text, re.S):
        statements[-1] += "" if part == ";" else part
        if part == ";":
            statements.append("")
    return [statement.strip() for statement in statements if statement.strip()]


@dataclass
class Statement:
    text: str = ""                 # without leading comments
    verb: str = ""                 # first word in upper case; SELECT for WITH
    kind: str = ""                 # kind of the object created, dropped or altered
    name: tuple = ()               # name of that object
    temporary: bool = False
    replaces: bool = False         # CREATE OR REPLACE
    reads: list = field(default_factory=list)       # names of tables and views
    writes: list = field(default_factory=list)      # (privilege, name)
    stage: tuple = ()
    file_format: tuple = ()
    integration: tuple = ()
    compute: bool = False          # needs a warehouse
    query: bool = False            # CREATE .. AS
    unrooted: bool = False         # has a WHERE without a FROM


def tables_of(tree):
    """Returns (name, id of the node) for each table in a tree, and whether the tree has a table
    function or a lateral join."""
    common_tables = {c.alias.upper() for c in tree.find_all(exp.CTE)}
    names, has_function = [], False
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            has_function = True
            continue
        name = tuple(
            p.name if p.quoted else p.name.upper() for p in table.parts if isinstance(p, exp.Identifier)
        )
        if len(name) == 1 and name[0] in common_tables:
            continue
        if not name[0].startswith("@") and (name, id(table)) not in names:
            names.append((name, id(table)))
    return names, has_function or any(tree.find_all(exp.TableFromRows, exp.Lateral))


def merge_privileges(merge):
    whens = merge.args["whens"]
    actions = [
        when.args.get("then") for when in (whens.expressions if hasattr(whens, "expressions") else whens)
    ]
    privilege = lambda action: ("INSERT" if isinstance(action, exp.Insert)
                                else "UPDATE" if isinstance(action, exp.Update) else "DELETE")
    return sorted({privilege(action) for action in actions}) + ["SELECT"]


def parse_tables(statement, text):
    """Sets the tables that the statement reads and writes, and whether it needs a warehouse."""
    try:
        tree = sqlglot.parse_one(text, read="snowflake")
    except Exception:              # execution reports the error
        return
    if tree is None:
        return
    statement.unrooted = any(s.args.get("where") and not s.args.get("from_") for s in tree.find_all(exp.Select))
    target, privileges = None, []
    if isinstance(tree, exp.Insert):
        target = (tree.this if isinstance(tree.this, (exp.Table, exp.Schema)) else tree).find(exp.Table)
        privileges = ["INSERT"] + (["DELETE"] if tree.args.get("overwrite") else [])
    elif isinstance(tree, (exp.Update, exp.Delete)):
        target, privileges = tree.this.find(exp.Table), ["UPDATE" if isinstance(tree, exp.Update) else "DELETE"]
    elif isinstance(tree, exp.Merge):
        target, privileges = tree.this.find(exp.Table), merge_privileges(tree)
    elif isinstance(tree, exp.Create):
        target = tree.this.find(exp.Table)
    names, has_function = tables_of(tree)
    for name, node_id in names:
        if target is not None and node_id == id(target):
            statement.writes += [(privilege, name) for privilege in privileges]
        elif name not in statement.reads:
            statement.reads.append(name)
    is_create_as = statement.query and statement.kind == "TABLE"
    reads_rows = statement.verb == "SELECT" and (bool(statement.reads) or has_function)
    statement.compute = statement.verb in WRITES or is_create_as or reads_rows


@functools.lru_cache(maxsize=4096)
def parse_statement(sql):
    text = re.sub(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", "", sql, flags=re.S).rstrip().rstrip(";")
    s = Statement(text=text)
    match = lambda pattern: re.match(pattern, s.text, re.I | re.S)
    search = lambda pattern, text: re.search(pattern, text, re.I)
    s.verb = (re.match(r"\(*\s*(\w*)", s.text).group(1) or "").upper()
    if s.verb == "WITH":
        s.verb = "SELECT"
    # Matched before sqlglot parses the statement: INSERT .. VALUES may be long, and it reads no
    # tables.
    if m := match(rf"insert\s+into\s+({NAME})\s*(?:\([^()]*\)\s*)?values\b"):
        s.writes, s.compute = [("INSERT", name_parts(m.group(1)))], True
    elif s.verb in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"):
        parse_tables(s, s.text)
    elif m := match(rf"copy\s+into\s+({NAME})"):
        s.writes, s.compute = [("INSERT", name_parts(m.group(1)))], True
        if m := search(rf"\bfrom\s+@({NAME})", s.text):
            s.stage = name_parts(m.group(1))
        if m := search(rf"\bformat_name\s*=\s*'?({NAME})", s.text):
            s.file_format = name_parts(m.group(1))
    elif m := match(rf"(?:list|ls)\s+@({NAME})"):
        s.stage = name_parts(m.group(1))
    elif m := match(rf"truncate\s+(?:table\s+)?(?:if\s+exists\s+)?({NAME})"):
        s.kind, s.name = "TABLE", name_parts(m.group(1))
        s.writes, s.compute = [("TRUNCATE", s.name)], False
    elif m := match(r"create\s+(or\s+replace\s+)?(?:(?:local|global)\s+)?(temp\s+|temporary\s+|volatile\s+)?"
                    rf"(?:transient\s+|secure\s+|recursive\s+)*({KIND})\s+(?:if\s+not\s+exists\s+)?({NAME})"):
        s.replaces, s.temporary = bool(m.group(1)), bool(m.group(2))
        s.kind, s.name = object_kind(m.group(3)), name_parts(m.group(4))
        rest = s.text[m.end():]
        if s.kind in ("TABLE", "VIEW") and search(r"\b(as|clone|like)\b", rest):
            s.query = s.kind == "VIEW" or bool(search(r"\bas\s*\(*\s*(select|with|values)\b", rest))
            parse_tables(s, s.text)
        if m := search(rf"\bstorage_integration\s*=\s*({IDENTIFIER})", rest):
            s.integration = name_parts(m.group(1))
    elif m := match(rf"(?:drop|alter)\s+({KIND})\s+(?:if\s+exists\s+)?({NAME})"):
        s.kind, s.name = object_kind(m.group(1)), name_parts(m.group(2))
    return s
