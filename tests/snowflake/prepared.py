"""Keeps parsed statements in a folder that processes share.

sqlglot parses a statement in Python, and fakesnow then changes its tree in about 80 passes. This takes a second for
the largest models, and almost every test runs the same models. Loading a stored tree takes a fiftieth of that. The
name of its file is a hash of the statement and of the code that made the tree, so a changed fake or another version
of a package never reads an old tree.
"""
import glob, hashlib, os, pickle, re, sys, tempfile
from importlib.metadata import version
from sqlglot import exp
import fakesnow.cursor as fakesnow_cursor
import statement

# Shorter statements are parsed in a few milliseconds.
MINIMUM_LENGTH = 300
# Trees of expressions with many operands are deeper than Python's default of 1,000 calls.
RECURSION_LIMIT = 20_000
# Programs and tests in this folder that are not part of the fake.
OTHER_PROGRAMS = r"^(test_.*|fake_client|infer_types|parse_sql)\.py$"
# Statements whose tree depends on the session, and those that fakesnow runs as several statements.
NOT_STORED = r"(?i)information_schema|result_scan|\bidentifier\s*\(|\$\w|@|\b(autoincrement|identity|overwrite)\b"


class Folder:
    """A folder of pickled values."""

    def __init__(self, path):
        self.path = path
        packages = [f"{name} {version(name)}" for name in ("fakesnow", "sqlglot", "sqlglotc")] + [sys.version]
        files = sorted(glob.glob(os.path.join(os.path.dirname(__file__), "*.py")))
        code = [open(file).read() for file in files if not re.search(OTHER_PROGRAMS, os.path.basename(file))]
        self.made_by = hashlib.sha256("\n".join(packages + code).encode()).hexdigest()
        os.makedirs(path, exist_ok=True)

    def file(self, kind, text):
        key = "\0".join((self.made_by, kind, text))
        return os.path.join(self.path, hashlib.sha256(key.encode()).hexdigest())

    def load(self, kind, text):
        try:
            with open(self.file(kind, text), "rb") as file:
                return pickle.load(file)
        except FileNotFoundError:
            return None

    def store(self, kind, text, value):
        try:
            data = pickle.dumps(value)
        except RecursionError:
            return
        # Written completely before it gets its name, because other processes read at any time.
        with tempfile.NamedTemporaryFile(dir=self.path, delete=False) as file:
            file.write(data)
        os.replace(file.name, self.file(kind, text))


def is_stored(tree):
    """Whether the transformed tree depends only on the statement's text, and the text is likely to occur again."""
    if isinstance(tree, exp.Create):
        has_columns = isinstance(tree.this, exp.Schema)
        return tree.kind in ("TABLE", "VIEW") and not (has_columns and tree.expression)
    if isinstance(tree, exp.Insert):
        return not isinstance(tree.expression, exp.Values)
    return isinstance(tree, (exp.Select, exp.SetOperation, exp.Update, exp.Delete))


def install(path):
    """Makes the fake store and load statements. Call it after the patches of cursor_patches.py."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    folder, cursor = Folder(path), fakesnow_cursor.FakeSnowflakeCursor
    parse, transform, parse_tables = fakesnow_cursor.parse_one, cursor._transform, statement.parse_tables

    def parse_or_load(text):
        if len(text) < MINIMUM_LENGTH or re.search(NOT_STORED, text):
            return parse(text)
        if tree := folder.load("tree", text):
            tree.set("loaded", True)
            return tree
        tree = parse(text)
        if is_stored(tree):
            tree.set("store_as", text)
        return tree

    def transform_or_return(self, tree, params):
        if tree.args.pop("loaded", False):
            return tree
        text = tree.args.pop("store_as", None)
        tree = transform(self, tree, params)
        if text and not params:
            folder.store("tree", text, tree)
        return tree

    def find_tables(found, text):
        if len(text) < MINIMUM_LENGTH:
            return parse_tables(found, text)
        if (known := folder.load("tables", text)) is None:
            parse_tables(found, text)
            folder.store("tables", text, (found.reads, found.writes, found.compute, found.unrooted))
        else:
            found.reads, found.writes, found.compute, found.unrooted = known

    fakesnow_cursor.parse_one = parse_or_load
    cursor._transform = transform_or_return
    statement.parse_tables = find_tables
