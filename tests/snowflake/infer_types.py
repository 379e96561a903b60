"""Infers the types that Snowflake gives the columns of the models, and compares them with DuckDB's.

usage: infer_types.py FILE    FILE is JSON: {"setup": [statement..], "models": [[name, statement]..]}

Prints a JSON list of [name of the model, problem]: columns whose type or scale differs from DuckDB's,
comparisons and set operators of different types, products and quotients of decimals, whose scale differs
between the engines, and expressions whose type is unknown here. Every statement is CREATE TABLE .. AS.
"""
import json, re, sys
import duckdb, sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

TEXT, DOUBLE, DATE, TIMESTAMP, BOOLEAN, INTERVAL, NULL = "text", "double", "date", "timestamp", "boolean", "interval", "null"
COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.GT, exp.LTE, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)
CONDITIONS = (exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Like, exp.ILike, exp.Exists, exp.Contains)
# The type of the result is that of the first argument.
SAME = (exp.Paren, exp.Alias, exp.Neg, exp.Max, exp.Min, exp.Abs, exp.Lag, exp.Lead, exp.Distinct, exp.Floor, exp.Round,
        exp.ArgMax, exp.ArgMin, exp.AnyValue, exp.FirstValue, exp.LastValue)
OF_TEXT = (exp.DPipe, exp.Concat, exp.MD5, exp.SplitPart, exp.Substring, exp.Trim, exp.Lower, exp.Upper,
           exp.Replace)
OF_DOUBLE = (exp.Ln, exp.Exp, exp.Sqrt, exp.Pow, exp.StddevSamp, exp.CumeDist, exp.Avg)
WHOLE = ("number", 38, 0)


def type_of(name):
    """Returns the type with one of DuckDB's names."""
    name = name.upper()
    if found := re.match(r"DECIMAL\((\d+), ?(\d+)\)", name):
        return ("number", int(found.group(1)), int(found.group(2)))
    if name in ("BIGINT", "INTEGER", "INT", "HUGEINT"):
        return WHOLE
    return {"DOUBLE": DOUBLE, "VARCHAR": TEXT, "TEXT": TEXT, "DATE": DATE, "TIMESTAMP": TIMESTAMP, "BOOLEAN": BOOLEAN,
            "INTERVAL": INTERVAL}[name]


def is_number(kind):
    return isinstance(kind, tuple)


def common(a, b):
    """Returns the type of a column with values of both types, or None."""
    if NULL in (a, b):
        return b if a == NULL else a
    if is_number(a) and is_number(b):
        scale = max(a[2], b[2])
        return ("number", min(38, max(a[1] - a[2], b[1] - b[2]) + scale), scale)
    if DOUBLE in (a, b) and (is_number(a) or is_number(b)):
        return DOUBLE
    return a if a == b else None


class Inference:
    """Infers the types of one statement."""

    def __init__(self, tables, report):
        self.tables, self.report = tables, report

    def problem(self, what, node):
        self.report(f"{what}: {node.sql(dialect='snowflake')[:160]}")

    def together(self, nodes, env, node):
        kind = NULL
        for other in (self.infer(n, env) for n in nodes):
            both = common(kind, other)
            if both is None:
                self.problem(f"{kind} and {other} together", node)
            kind = both or kind
        return kind

    def infer(self, node, env):
        if isinstance(node, exp.Column):
            return self.column(node, env)
        if isinstance(node, exp.Literal):
            return TEXT if node.is_string else self.literal(node.this)
        if isinstance(node, exp.Cast):
            return self.cast(node, env)
        if isinstance(node, COMPARISONS):
            self.comparison(node, [node.this, node.expression], env)
            return BOOLEAN
        if isinstance(node, exp.Between):
            self.comparison(node, [node.this, node.args["low"], node.args["high"]], env)
            return BOOLEAN
        if isinstance(node, CONDITIONS):
            for part in (node.args.get("this"), node.args.get("expression")):
                if part is not None and not isinstance(part, (exp.Query, exp.Null)):
                    self.infer(part, env)
            return BOOLEAN
        if isinstance(node, (exp.Add, exp.Sub)):
            return self.sum(node, env)
        if isinstance(node, (exp.Mul, exp.Div)):
            return self.product(node, env)
        return self.function(node, env)

    def function(self, node, env):
        if isinstance(node, SAME):
            for other in (node.args.get("expression"), *(node.args.get("expressions") or [])[1:]):
                if isinstance(other, exp.Expression):
                    self.infer(other, env)
            return self.infer(node.this if node.this is not None else node.expressions[0], env)
        if isinstance(node, OF_TEXT):
            return TEXT
        if isinstance(node, OF_DOUBLE):
            self.infer(node.this, env) if node.args.get("this") is not None else None
            return DOUBLE
        if isinstance(node, exp.Window):
            for part in node.args.get("partition_by") or []:
                self.infer(part, env)
            if order := node.args.get("order"):
                for part in order.expressions:
                    self.infer(part.this, env)
            return self.infer(node.this, env)
        if isinstance(node, exp.Case):
            for branch in node.args["ifs"]:
                self.infer(branch.this, env)
            default = node.args.get("default")
            results = [branch.args["true"] for branch in node.args["ifs"]]
            return self.together(results + ([default] if default is not None else []), env, node)
        if isinstance(node, exp.Coalesce):
            return self.together([node.this, *node.expressions], env, node)
        if isinstance(node, exp.Nullif):
            self.comparison(node, [node.this, node.expression], env)
            return self.infer(node.this, env)
        if isinstance(node, exp.Sum):
            kind = self.infer(node.this, env)
            return ("number", 38, kind[2]) if is_number(kind) else kind
        if isinstance(node, exp.CountIf):
            self.infer(node.this, env)
            return WHOLE
        if isinstance(node, exp.Median):
            kind = self.infer(node.this, env)
            if kind != DOUBLE:
                self.problem(f"median of {kind}, whose scale depends on the engine", node)
            return DOUBLE
        if isinstance(node, (exp.Count, exp.Length, exp.RowNumber, exp.Rank, exp.Year, exp.Month, exp.Day, exp.Quarter)):
            return WHOLE
        if isinstance(node, (exp.DateTrunc, exp.TimestampTrunc, exp.LastDay, exp.TsOrDsToDate)):
            return DATE
        if isinstance(node, exp.Subquery):
            return next(iter(self.query(node.this, {}).values()))
        simple = {exp.Null: NULL, exp.Boolean: BOOLEAN, exp.Interval: INTERVAL}
        if type(node) in simple:
            return simple[type(node)]
        self.problem(f"{type(node).__name__} is unknown", node)
        return NULL

    def column(self, node, env):
        kinds = env.get(node.table) or {}
        if node.name.lower() not in kinds:
            self.problem("unknown column", node)
        return kinds.get(node.name.lower(), NULL)

    @staticmethod
    def literal(text):
        whole, _, fraction = text.partition(".")
        return DOUBLE if "e" in text.lower() else ("number", max(1, len(whole.lstrip("0")) + len(fraction)), len(fraction))

    def cast(self, node, env):
        source = self.infer(node.this, env)
        if isinstance(node, exp.TryCast) and source not in (TEXT, NULL):
            self.problem(f"TRY_CAST of {source}", node)
        return type_of(node.to.sql("duckdb"))

    def comparison(self, node, sides, env):
        kinds = [self.infer(side, env) for side in sides]
        if any(common(kinds[0], kind) is None for kind in kinds[1:]):
            self.problem(f"comparison of {' and '.join(str(kind) for kind in kinds)}", node)

    def sum(self, node, env):
        a, b = self.infer(node.this, env), self.infer(node.expression, env)
        if INTERVAL in (a, b):
            return TIMESTAMP
        if DATE in (a, b):
            other = b if a == DATE else a
            if other == DATE:
                return WHOLE
            if not is_number(other) or other[2]:
                self.problem(f"date and {other}", node)
            return DATE
        if is_number(a) and is_number(b):
            scale = max(a[2], b[2])
            return ("number", min(38, max(a[1] - a[2], b[1] - b[2]) + 1 + scale), scale)
        kind = common(a, b)
        if kind is None or not (kind in (DOUBLE, NULL) or is_number(kind)):
            self.problem(f"sum of {a} and {b}", node)
        return kind or DOUBLE

    def product(self, node, env):
        a, b = self.infer(node.this, env), self.infer(node.expression, env)
        if DOUBLE in (a, b):
            return DOUBLE
        if not (is_number(a) and is_number(b)):
            self.problem(f"product or quotient of {a} and {b}", node)
        elif isinstance(node, exp.Div):
            self.problem("quotient of numbers, whose scale depends on the engine", node)
        elif a[2] and b[2]:
            self.problem("product of decimals, whose scale depends on the engine", node)
        else:
            return ("number", 38, max(a[2], b[2]))
        return DOUBLE

    def query(self, query, common_tables):
        """Returns the types of a query's columns."""
        if isinstance(query, exp.Subquery):
            return self.query(query.this, common_tables)
        common_tables = dict(common_tables)
        if with_ := query.args.get("with_"):
            for table in with_.expressions:
                common_tables[table.alias] = self.query(table.this, common_tables)
        if isinstance(query, exp.SetOperation):
            return self.set_operation(query, common_tables)
        env = {}
        sources = [query.args["from_"].this] if query.args.get("from_") else []
        joins = query.args.get("joins") or []
        for source in sources + [join.this for join in joins]:
            env[source.alias_or_name] = self.source(source, common_tables)
        conditions = [join.args.get("on") for join in joins]
        conditions += [query.args[k].this for k in ("where", "having", "qualify") if query.args.get(k)]
        for condition in conditions:
            if condition is not None:
                self.infer(condition, env)
        result = {}
        for column in query.expressions:
            name = column.alias_or_name.lower()
            # A column without a name is only known by its position.
            is_named = name and name not in result and not isinstance(column, exp.Literal)
            result[name if is_named else f"{name}#{len(result)}"] = self.infer(column, env)
        return result

    def set_operation(self, query, common_tables):
        left, right = self.query(query.this, common_tables), self.query(query.expression, common_tables)
        result = {}
        for (name, a), b in zip(left.items(), right.values()):
            result[name] = common(a, b)
            scales_differ = is_number(a) and is_number(b) and a[2] != b[2]
            if result[name] is None or scales_differ or (DOUBLE in (a, b) and a != b and NULL not in (a, b)):
                self.report(f"{type(query).__name__} of {a} and {b} in column {name}")
                result[name] = a
        return result

    def source(self, source, common_tables):
        if isinstance(source, exp.Subquery):
            return self.query(source.this, common_tables)
        if isinstance(source, exp.Values):
            rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in source.expressions]
            names = [column.name.lower() for column in source.args["alias"].columns]
            return {name: self.together([row[i] for row in rows], {}, source) for i, name in enumerate(names)}
        if not source.db and source.name in common_tables:
            return common_tables[source.name]
        return self.tables[(source.db, source.name)]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    connection = duckdb.connect()
    for statement in given["setup"]:
        connection.execute(statement)
    columns = "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    tables = {}
    for schema, table, column, kind in connection.execute(columns).fetchall():
        schema = "" if schema == "main" else schema
        tables.setdefault((schema, table), {})[column] = type_of(kind)
    problems = []
    for name, statement in given["models"]:
        tree = sqlglot.parse_one(statement, read="duckdb")
        schema = {}
        for (db, table), kinds in tables.items():
            schema.setdefault(db or "main", {})[table] = {column: "INT" for column in kinds}
        query = qualify(
            tree.expression.copy(), schema=schema, dialect="duckdb", db="main", validate_qualify_columns=False,
            quote_identifiers=False,
        )
        for table in query.find_all(exp.Table):
            if table.db == "main":
                table.set("db", None)
        report = lambda problem, name=name: problems.append([name, problem])
        inferred = Inference(tables, report).query(query, {})
        try:
            connection.execute(statement)
        except duckdb.BinderException as error:
            report(f"DuckDB: {error}")
            continue
        described = connection.execute(f"DESCRIBE {tree.this.name}").fetchall()
        for (column, kind, *_), here in zip(described, inferred.values(), strict=True):
            on_duckdb = type_of(kind)
            scale = lambda kind: kind[2] if is_number(kind) else kind
            if scale(here) != scale(on_duckdb) and here != NULL:
                report(f"column {column} is {here}, but on DuckDB {on_duckdb}")
        tables[("", tree.this.name)] = {column.lower(): type_of(kind) for column, kind, *_ in described}
    print(json.dumps(sorted({tuple(problem) for problem in problems})))


main()
