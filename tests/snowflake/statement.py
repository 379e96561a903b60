"""What a statement does: which tables it reads and writes, what it makes, whether a warehouse has to run for it."""
import functools, re
from dataclasses import dataclass, field
import sqlglot
from sqlglot import exp

IDENT = r'(?:"[^"]+"|[\w$]+)'
NAME = rf"{IDENT}(?:\.{IDENT}){{0,2}}"
KIND = r"(?:materialized\s+view|external\s+table|dynamic\s+table|file\s+format|resource\s+monitor|network\s+policy|storage\s+integration|integration|table|view|stage|schema|database|warehouse|role|user|sequence|function|procedure|task|stream|pipe)"
# What is made by COMMIT's side: each of these ends an open transaction.
DDL = {"CREATE", "DROP", "ALTER", "TRUNCATE"}
WRITES = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"}


def parts(text):
    """A name's parts as Snowflake keeps them."""
    return tuple(p[1:-1] if p.startswith('"') else p.upper() for p in re.findall(IDENT, text))


def kind(text):
    text = re.sub(r"\s+", "_", text.strip()).upper()
    return {"STORAGE_INTEGRATION": "INTEGRATION", "MATERIALIZED_VIEW": "VIEW", "EXTERNAL_TABLE": "TABLE", "DYNAMIC_TABLE": "TABLE"}.get(text, text)


@dataclass
class Statement:
    text: str = ""                 # without comments before its first word
    verb: str = ""                 # the first word, in upper case; SELECT for WITH
    kind: str = ""                 # of what is made, dropped, altered
    name: tuple = ()
    temporary: bool = False
    replaces: bool = False
    reads: list = field(default_factory=list)       # names of tables and views
    writes: list = field(default_factory=list)      # (privilege, name)
    stage: tuple = ()
    file_format: tuple = ()
    integration: tuple = ()
    compute: bool = False
    query: bool = False                             # CREATE .. AS


def _tables(tree):
    """Names of the tables of a tree, and whether rows come from anywhere else than the statement itself."""
    named = {c.alias.upper() for c in tree.find_all(exp.CTE)}
    names, computed = [], False
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            computed = True
            continue
        name = tuple(p.name if p.quoted else p.name.upper() for p in table.parts if isinstance(p, exp.Identifier))
        if len(name) == 1 and name[0] in named:
            continue
        if not name[0].startswith("@") and (name, id(table)) not in names:
            names.append((name, id(table)))
    return names, computed or any(tree.find_all(exp.TableFromRows, exp.Lateral))


def _parsed(s, text):
    try:
        tree = sqlglot.parse_one(text, read="snowflake")
    except Exception:              # its error is told by who runs it
        return
    if tree is None:
        return
    target = None
    if isinstance(tree, exp.Insert):
        target = tree.find(exp.Table) if not isinstance(tree.this, (exp.Table, exp.Schema)) else tree.this.find(exp.Table)
        wanted = ["INSERT"] + (["DELETE"] if tree.args.get("overwrite") else [])
    elif isinstance(tree, exp.Update):
        target, wanted = tree.this.find(exp.Table), ["UPDATE"]
    elif isinstance(tree, exp.Delete):
        target, wanted = tree.this.find(exp.Table), ["DELETE"]
    elif isinstance(tree, exp.Merge):
        target = tree.this.find(exp.Table)
        whens = tree.args["whens"].expressions if hasattr(tree.args["whens"], "expressions") else tree.args["whens"]
        of = lambda w: "INSERT" if isinstance(w.args.get("then"), exp.Insert) else "UPDATE" if isinstance(w.args.get("then"), exp.Update) else "DELETE"
        wanted = sorted({of(w) for w in whens}) + ["SELECT"]
    elif isinstance(tree, exp.Create):
        target, wanted = tree.this.find(exp.Table), []
    names, computed = _tables(tree)
    for name, which in names:
        if target is not None and which == id(target):
            s.writes += [(privilege, name) for privilege in wanted]
        elif name not in s.reads:
            s.reads.append(name)
    s.compute = s.verb in WRITES or (s.query and s.kind == "TABLE") or (s.verb == "SELECT" and (bool(s.reads) or computed))


@functools.lru_cache(maxsize=4096)
def understood(sql):
    s = Statement(text=re.sub(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", "", sql, flags=re.S).rstrip().rstrip(";"))
    def match(pattern): return re.match(pattern, s.text, re.I | re.S)
    s.verb = (re.match(r"\(*\s*(\w*)", s.text).group(1) or "").upper()
    if s.verb == "WITH":
        s.verb = "SELECT"
    if m := match(rf"insert\s+into\s+({NAME})\s*(?:\([^()]*\)\s*)?values\b"):     # may be long, and reads nothing
        s.writes, s.compute = [("INSERT", parts(m.group(1)))], True
    elif s.verb in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"):
        _parsed(s, s.text)
    elif m := match(rf"copy\s+into\s+({NAME})"):
        s.writes, s.compute = [("INSERT", parts(m.group(1)))], True
        if m := re.search(rf"\bfrom\s+@({NAME})", s.text, re.I): s.stage = parts(m.group(1))
        if m := re.search(rf"\bformat_name\s*=\s*'?({NAME})", s.text, re.I): s.file_format = parts(m.group(1))
    elif m := match(rf"truncate\s+(?:table\s+)?(?:if\s+exists\s+)?({NAME})"):
        s.kind, s.name = "TABLE", parts(m.group(1))
        s.writes, s.compute = [("TRUNCATE", s.name)], False
    elif m := match(rf"create\s+(or\s+replace\s+)?(?:(?:local|global)\s+)?(temp\s+|temporary\s+|volatile\s+)?(?:transient\s+|secure\s+|recursive\s+)*({KIND})\s+(?:if\s+not\s+exists\s+)?({NAME})"):
        s.replaces, s.temporary, s.kind, s.name = bool(m.group(1)), bool(m.group(2)), kind(m.group(3)), parts(m.group(4))
        rest = s.text[m.end():]
        if s.kind in ("TABLE", "VIEW") and re.search(r"\b(as|clone|like)\b", rest, re.I):
            s.query = s.kind == "VIEW" or bool(re.search(r"\bas\s*\(*\s*(select|with|values)\b", rest, re.I))
            _parsed(s, s.text)
        if m := re.search(rf"\bstorage_integration\s*=\s*({IDENT})", rest, re.I): s.integration = parts(m.group(1))
    elif m := match(rf"(?:drop|alter)\s+({KIND})\s+(?:if\s+exists\s+)?({NAME})"):
        s.kind, s.name = kind(m.group(1)), parts(m.group(2))
    return s
