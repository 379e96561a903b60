"""fakesnow_plus: fakesnow 0.12.x on loopback + the pieces fakesnow lacks that a COPY/MERGE pipeline needs.

  SQL layer   COPY INTO from s3:// for JSON done in python over boto3 (no DuckDB httpfs): prefix + recursion,
              PATTERN, FILES, FORCE true/false, ON_ERROR abort|continue|skip_file, STRIP_OUTER_ARRAY, gzip by
              magic bytes, stage default FILE_FORMAT, $1 / $1:path / METADATA$*, 64-day load metadata by (path, etag).
              SUM/MIN/MAX over NUMBER stay exact decimals (AVG and "/" are still DOUBLE in DuckDB).
              Native DuckDB MERGE (any expression) + the duplicate-source-row error 100090.
              LAST_QUERY_ID(), ALTER SESSION SET, CREATE WAREHOUSE/ROLE/USER/... . DDL commits an open transaction.
  Privileges  roles, grants, ownership and SHOW GRANTS (privileges.py); with --privileges they are enforced, and a login makes no database.
  Warehouses  what needs compute resumes its warehouse, which the log tells; locks on tables, LOCK_TIMEOUT (warehouses.py).
  Wire layer  fields a strict client needs (masterToken, sessionId, returned, version, finalRoleName, error data),
              JSON rowsets for clients that send no CLIENT_APP_ID, /session/token-request, double-slash paths,
              333334 + getResultUrl polling, requestId idempotency, abort-request, JWT signature check.
  Faults      SQL comment hooks: /*fake:delay=SEC*/ /*fake:http503=N*/ /*fake:drop*/ /*fake:chunks*/ (second half of the
              rows as a remote chunk) /*fake:json*/ (JSON rowset) /*fake:rowtype=NAME*/ (first column's wire type) /*fake:locked*/
  Control     /_log?n=N  what it was asked: ["query", requestId, text, retryCount, parameters], ["resume", warehouse], ["login", ..], ...
              /_forget  ends every session.
              /_inject?pattern=REGEX&times=N with code=, state=, message= (refused so), http=STATUS, or drop=1 (done, and the answer lost)
              for the next N statements, one without times, that the pattern is found in; without a pattern: no more of these.
usage: fakesnow_plus.py [--privileges] [--idle-after 300] [--port N] [--s3-endpoint URL] [--async-after 45] [--session-ttl 3600] [--new-key KEY.pem]
Without a port it takes a free one, without an endpoint it starts moto beside itself; both listen on 127.0.0.1 only. With --new-key it
makes a key pair, writes the private half to that file, and lets in nobody else. Once it answers it prints one line of JSON with
both addresses. It ends when its standard input does, so that no double outlives the tests that started it.
"""
import argparse, asyncio, base64, contextvars, datetime as dt, gzip, io, json, logging, os, re, socket, sys, threading, time, uuid, hashlib
import pyarrow as pa, pyarrow.ipc as ipc
import boto3, duckdb, sqlglot
from sqlglot import exp
import snowflake.connector.errors as sfe
import fakesnow.server  # noqa: F401
import fakesnow.cursor as fcur
import fakesnow.copy_into as fcopy
import fakesnow.transforms as ftr
from fakesnow.transforms import stage as fstage
from fakesnow.transforms.file_format import lookup_file_format
from fakesnow.transforms.options import parse_options
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
srv = sys.modules["fakesnow.server"]
from privileges import Denied, Privileges, full, unknown
from statement import DDL, WRITES, parts, understood
from warehouses import Locks, Warehouses, locked

ap = argparse.ArgumentParser()
ap.add_argument("--port", type=int, default=0)
ap.add_argument("--s3-endpoint")
ap.add_argument("--async-after", type=float, default=45.0)
ap.add_argument("--session-ttl", type=float, default=3600.0)
ap.add_argument("--new-key")
ap.add_argument("--privileges", action="store_true")
ap.add_argument("--idle-after", type=float, default=300.0)
A = ap.parse_args()
def free_port():
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); return s.getsockname()[1]
if not A.s3_endpoint:
    from moto.server import ThreadedMotoServer
    s3_port = free_port()
    ThreadedMotoServer(ip_address="127.0.0.1", port=s3_port, verbose=False).start()
    A.s3_endpoint = f"http://127.0.0.1:{s3_port}"
S3 = boto3.client("s3", endpoint_url=A.s3_endpoint, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
PE = sfe.ProgrammingError

# ---------------------------------------------------------------- SQL layer: stages remember their file format
STAGE_FF = {}
_orig_create_stage = fstage.create_stage
def create_stage(expression, db, schema):
    out = _orig_create_stage(expression, db, schema)
    if out is not expression:
        t = expression.find(exp.Table)
        key = (t.catalog or db, t.db or schema, t.this.this)
        m = re.search(r"FILE_FORMAT\s*=\s*\((.*?)\)", expression.sql(dialect="snowflake"), re.I | re.S)
        STAGE_FF[key] = m.group(1) if m else ""
    return out
ftr.create_stage = create_stage

def _ff_from_text(text, con, db, schema):
    o = {}
    for k, v in re.findall(r"(\w+)\s*=\s*('(?:[^']|'')*'|[\w.\"]+)", text or ""):
        o[k.upper()] = v.strip("'").strip('"')
    if n := o.pop("FORMAT_NAME", None):
        o = {**{k: str(v) for k, v in lookup_file_format(con, n, db, schema).items()}, **o}
    return o

LOADED = {}    # (db, schema, table) -> {(url, etag)}
def s3_split(u):
    m = re.match(r"s3://([^/]+)/?(.*)$", u); return m.group(1), m.group(2)
def s3_list(url):
    b, p = s3_split(url)
    try:
        for page in S3.get_paginator("list_objects_v2").paginate(Bucket=b, Prefix=p):
            for o in page.get("Contents", []):
                yield f"s3://{b}/{o['Key']}", o
    except Exception as e:
        raise PE(msg=f"Failure using stage area. Cause: [{e}]", errno=91016, sqlstate="22000") from None

def split_json(text, strip_outer):
    """yield (line_no, raw_json | None, error)."""
    dec, i, n = json.JSONDecoder(parse_float=str, parse_int=str), 0, len(text)
    while True:
        while i < n and text[i] in " \t\r\n\ufeff": i += 1
        if i >= n: return
        line = text.count("\n", 0, i) + 1
        try:
            v, j = dec.raw_decode(text, i)
        except json.JSONDecodeError as e:
            yield line, None, f"Error parsing JSON: {e.msg}"
            k = text.find("\n", i)
            if k < 0: return
            i = k + 1; continue
        raw = text[i:j]; i = j
        if strip_outer and isinstance(v, list):
            yield from ((line, json.dumps(x), None) for x in json.loads(raw))
        else:
            yield line, raw, None

_orig_copy = fcopy.copy_into
def copy_into(con, db, schema, expr, table_stages, params=None):
    text = expr.sql(dialect="snowflake")
    src = fcopy._from_source(expr)
    table = fcopy._extract_table(expr.this)
    tkey = (table.catalog or db, table.db or schema, table.name)
    skey, url = None, src
    if src.startswith("@"):
        url = fcopy.stage_url_from_var(src[1:], con, db, schema, table_stages, table)
        skey = fstage.parts_from_var(src[1:].partition("/")[0], db, schema)
    opts, ffopts = {}, None
    for p in expr.args.get("params") or []:
        name = p.this.name.upper()
        if name == "FILE_FORMAT":
            ffopts = _ff_from_text(", ".join(e.sql(dialect="snowflake") for e in p.expressions) or p.sql(dialect="snowflake"), con, db, schema)
        elif name == "FILES":
            opts["FILES"] = [l.name for l in p.find_all(exp.Literal)]
        else:
            e = p.expression
            opts[name] = (e.name if isinstance(e, (exp.Literal, exp.Var, exp.Column, exp.Identifier)) else e.sql() if e is not None else "TRUE")
    if ffopts is None:
        ffopts = _ff_from_text(STAGE_FF.get(skey, ""), con, db, schema)
    if not url.startswith("s3://") or ffopts.get("TYPE", "CSV").upper() != "JSON":
        return _orig_copy(con, db, schema, expr, table_stages, params)
    known = {"FILES", "PATTERN", "FORCE", "ON_ERROR", "PURGE", "SIZE_LIMIT", "RETURN_FAILED_ONLY", "LOAD_UNCERTAIN_FILES", "MATCH_BY_COLUMN_NAME", "ENFORCE_LENGTH", "TRUNCATECOLUMNS", "VALIDATION_MODE"}
    if bad := set(opts) - known:
        raise PE(msg=f"SQL compilation error:\ninvalid parameter '{bad.pop()}'", errno=1420, sqlstate="42601")
    if "VALIDATION_MODE" in opts or "MATCH_BY_COLUMN_NAME" in opts:
        raise NotImplementedError(f"COPY option {opts}")
    force = opts.get("FORCE", "FALSE").upper() == "TRUE"
    strip = ffopts.get("STRIP_OUTER_ARRAY", "FALSE").upper() == "TRUE"
    on_error = opts.get("ON_ERROR", "ABORT_STATEMENT").upper().strip("'")
    full = ".".join(f'"{x}"' for x in tkey)
    if not table.db and con.execute("SELECT 1 FROM duckdb_tables() WHERE database_name = 'temp' AND table_name = ?", [table.name]).fetchone():
        full = f'"{table.name}"'                         # a temporary table is in DuckDB's own place
    cols = con.execute(f"DESCRIBE {full}").fetchall()
    target_cols = [c.name.upper() for c in expr.this.expressions] if isinstance(expr.this, exp.Schema) else [c[0] for c in cols]
    f0 = expr.args["files"][0]
    if isinstance(f0.this, exp.Select):
        sel = f0.this
        if any(sel.args.get(k) for k in ("where", "group", "joins", "order", "limit", "having", "qualify")) or any(isinstance(e, exp.Star) for e in sel.expressions):
            raise PE(msg="SQL compilation error:\nCOPY statement only supports simple SELECT from stage statements for import.", errno=2098, sqlstate="0A000")
        projs = [p.unalias() for p in sel.expressions]
        if len(projs) != len(target_cols):
            raise PE(msg=f"SQL compilation error:\nInsert value list does not match column list expecting {len(target_cols)} but got {len(projs)}", errno=2020, sqlstate="21S01")
        ptxt = ", ".join(p.sql(dialect="snowflake") for p in projs)
    else:
        if len(target_cols) != 1:
            raise PE(msg="SQL compilation error:\nJSON file format can produce one and only one column of type variant, object, or array. Use CSV file format if you want to load more than one column.", errno=2019, sqlstate="0A000")
        ptxt = "$1"
    ptxt = re.sub(r"(?:\b\w+\.)?\$1", "C1", ptxt)
    if m := re.search(r"\$\d+", ptxt):
        raise PE(msg=f"SQL compilation error:\ninvalid column position {m.group(0)} for JSON", errno=2019, sqlstate="0A000")
    ptxt = re.sub(r"METADATA\$", "M_", ptxt, flags=re.I)
    # "FILES" names are appended to stage url; otherwise every key starting with the url (prefix semantics, recursive)
    if "FILES" in opts:
        found = []
        for f in opts["FILES"]:
            u = url.rstrip("/") + "/" + f.lstrip("/") if not url.endswith("/") else url + f
            hit = [x for x in s3_list(u) if x[0] == u]
            if not hit: raise PE(msg=f"Remote file '{u}' was not found. There are several potential causes. The file might not exist.", errno=91016, sqlstate="22000")
            found += hit
    else:
        found = [x for x in s3_list(url) if not x[0].endswith("/")]
    if pat := opts.get("PATTERN"):
        found = [x for x in found if re.fullmatch(pat, s3_split(x[0])[1])]
    rows = []
    seen = LOADED.setdefault(tkey, set())
    started = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    newly = set()
    todo = []
    for u, o in found:                                   # pass 1: read + parse everything, so an abort loads nothing
        tag = (u, o["ETag"])
        if tag in seen and not force:
            continue                                     # real: silently not listed
        b, k = s3_split(u)
        body = S3.get_object(Bucket=b, Key=k)["Body"].read()
        if body[:2] == b"\x1f\x8b": body = gzip.decompress(body)
        vals, errs = [], []
        for ln, raw, er in split_json(body.decode("utf-8"), strip):
            (errs if er else vals).append((ln, raw, er))
        first = errs[0] if errs else None
        if errs and on_error == "ABORT_STATEMENT":
            raise PE(msg=f"{first[2]}\n  File '{k}', line {first[0]}, character 1\n  Row {first[0]}, column \"{tkey[2]}\"[\"$1\":1]\n  If you would like to continue loading when an error is encountered, use other values such as 'SKIP_FILE' or 'CONTINUE' for the ON_ERROR option.", errno=100069, sqlstate="22P02")
        todo.append((u, o, k, tag, vals, errs))
    own_tx = False
    if todo:
        own_tx = not CURRENT.conn.__dict__.get("_fsp_tx") and CURRENT.conn._autocommit
        if own_tx: con.begin()                           # COPY is one atomic statement
    for u, o, k, tag, vals, errs in todo:
        parsed, bad, first = len(vals) + len(errs), len(errs), (errs[0] if errs else None)
        loaded = 0
        if not (bad and on_error.startswith("SKIP_FILE")):
            t = pa.table({"C1": pa.array([v[1] for v in vals], pa.string()), "M_FILENAME": pa.array([k] * len(vals), pa.string()),
                          "M_FILE_ROW_NUMBER": pa.array(list(range(1, len(vals) + 1)), pa.int64()),
                          "M_FILE_CONTENT_KEY": pa.array([o["ETag"].strip('"')] * len(vals), pa.string()),
                          "M_FILE_LAST_MODIFIED": pa.array([o["LastModified"].replace(tzinfo=None)] * len(vals), pa.timestamp("us")),
                          "M_START_SCAN_TIME": pa.array([started] * len(vals), pa.timestamp("us"))})
            con.register("_fsp_src", t)
            con.execute("CREATE OR REPLACE TEMP TABLE FSP_SRC AS SELECT C1::JSON AS C1, * EXCLUDE (C1) FROM _fsp_src")
            con.unregister("_fsp_src")
            ins = f"INSERT INTO {full} ({', '.join(target_cols)}) SELECT {ptxt} FROM FSP_SRC"
            cur = fcur.FakeSnowflakeCursor(conn=CURRENT.conn, duck_conn=con)
            try:
                sqld = cur._transform(sqlglot.parse_one(ins, read="snowflake"), None).sql(dialect="duckdb")
                (loaded,) = con.execute(sqld).fetchall()[0]
            except duckdb.ConversionException as e:
                if own_tx: con.rollback()
                raise PE(msg=str(e).split("\n")[0] + f"\n  File '{k}'", errno=100038, sqlstate="22018") from None
            except duckdb.BinderException as e:
                if own_tx: con.rollback()
                raise PE(msg="SQL compilation error:\n" + str(e).split("\n")[0], errno=904, sqlstate="42000") from None
        status = "LOAD_FAILED" if bad and on_error.startswith("SKIP_FILE") else "PARTIALLY_LOADED" if bad else "LOADED"
        if status != "LOAD_FAILED": newly.add(tag)
        rows.append((u, status, parsed, loaded, 1 if on_error == "ABORT_STATEMENT" else parsed, bad, first[2] if first else None, first[0] if first else None, 1 if first else None, '"%s"["$1":1]' % tkey[2] if first else None))
    for r in rows:
        con.execute("INSERT INTO _fs_information_schema._fs_load_history VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [tkey[1], r[0], tkey[2], dt.datetime.now(dt.UTC).isoformat(), r[1], r[3], r[2], r[6], r[7], r[8], r[9], r[5], r[4]])
    if own_tx: con.commit()
    else: CURRENT.conn.__dict__.setdefault("_fsp_pending", []).append((tkey, newly))
    seen |= newly
    if not rows:
        sql = "SELECT 'Copy executed with 0 files processed.' AS status"
    else:
        names = ("file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error", "first_error_line", "first_error_character", "first_error_column_name")
        sql = exp.select("*").from_(exp.values(rows, alias="t", columns=names)).sql(dialect="duckdb")
    con.execute(sql)
    return sql
fcur.copy_into = copy_into
class Current(threading.local):           # sessions work side by side, each statement in a thread
    conn = None
CURRENT = Current()

# ---------------------------------------------------------------- SQL layer: MERGE on DuckDB's own MERGE INTO
fcur.transforms.merge = lambda e: [e]
ftr.numeric_agg_implicit_cast = lambda e: e     # fakesnow turns SUM(NUMBER) into SUM(TRY_CAST(x AS DOUBLE)); keep it exact
_orig_exec = fcur.FakeSnowflakeCursor._execute
def _execute(self, transformed, params=None):
    CURRENT.conn = self._conn
    if isinstance(transformed, exp.Merge):
        tgt, using, on = transformed.this, transformed.args["using"], transformed.args["on"]
        whens = transformed.args["whens"].expressions if hasattr(transformed.args["whens"], "expressions") else transformed.args["whens"]
        talias = tgt.alias or tgt.name
        ups = [w for w in whens if w.args.get("matched") and isinstance(w.args.get("then"), exp.Update)]
        if ups:                                # several source rows updating one target row: real Snowflake raises 100090
            conds = [w.args["condition"].sql("duckdb") if w.args.get("condition") else "TRUE" for w in ups]
            dup = f"SELECT 1 FROM {tgt.sql('duckdb')} JOIN {using.sql('duckdb')} ON {on.sql('duckdb')} WHERE {' OR '.join(f'({c})' for c in conds)} GROUP BY {talias}.rowid HAVING count(*)>1 LIMIT 1"
            if self._duck_conn.execute(dup).fetchone():
                raise PE(msg="Duplicate row detected during DML action\nRow Values: [...]", errno=100090, sqlstate="42P18")
        for w in whens:                      # DuckDB wants bare column names on the left of SET
            th = w.args.get("then")
            if isinstance(th, exp.Update):
                for eq in th.expressions:
                    if isinstance(eq.this, exp.Column): eq.set("this", exp.column(eq.this.this))
        sql = transformed.sql(dialect="duckdb")
        try:
            got = self._duck_conn.execute(sql + " RETURNING merge_action").fetchall()
        except duckdb.InvalidInputException as e:      # DuckDB >= 1.4 refuses duplicate matches itself (also for DELETE, where the real service allows it)
            if "more than once" in str(e): raise PE(msg="Duplicate row detected during DML action\nRow Values: [...]", errno=100090, sqlstate="42P18") from None
            raise
        except duckdb.BinderException as e:
            raise PE(msg="SQL compilation error:\n" + str(e).split("\n")[0], errno=904, sqlstate="42000") from None
        except duckdb.CatalogException as e:
            raise PE(msg="SQL compilation error:\n" + str(e).split("\n")[0], errno=2003, sqlstate="02000") from None
        n = {a: sum(1 for g in got if g[0] == a) for a in ("INSERT", "UPDATE", "DELETE")}
        has = {"INSERT": any(not w.args.get("matched") for w in whens), "UPDATE": any(isinstance(w.args.get("then"), exp.Update) for w in whens),
               "DELETE": any(isinstance(w.args.get("then"), exp.Var) for w in whens)}
        lab = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}
        c = sqlglot.parse_one("SELECT " + ", ".join(f'{n[k]} AS "number of rows {lab[k]}"' for k in n if has[k]))
        c.set("merge_counts", True)
        return _orig_exec(self, c, None)
    r = _orig_exec(self, transformed, params)
    if isinstance(transformed, exp.Transaction): self._conn.__dict__["_fsp_tx"] = True
    elif isinstance(transformed, (exp.Commit, exp.Rollback)): self._conn.__dict__["_fsp_tx"] = False
    pend = self._conn.__dict__.get("_fsp_pending")
    if isinstance(transformed, exp.Rollback) and pend:
        for k, s in pend: LOADED.get(k, set()).difference_update(s)
    if isinstance(transformed, (exp.Rollback, exp.Commit)): self._conn.__dict__["_fsp_pending"] = []
    if isinstance(transformed, exp.TruncateTable) or (isinstance(transformed, exp.Create) and transformed.args.get("kind") == "TABLE") or (isinstance(transformed, exp.Drop)):
        if t := transformed.find(exp.Table):
            LOADED.pop((t.catalog or self._conn.database, t.db or self._conn.schema, t.name), None)
    return r
fcur.FakeSnowflakeCursor._execute = _execute
NOPS = [r"\s*alter\s+session\s+(un)?set\s+(?!autocommit)", r"\s*(grant|revoke)\s", r"\s*(create|alter|drop)\s+(or\s+replace\s+)?(warehouse|role|user|resource\s+monitor|(?:storage\s+)?integration|network\s+policy|authentication\s+policy|masking\s+policy)\b", r"\s*alter\s+stage\b"]
srv.shared_fs.nop_regexes = NOPS
_orig_execute = fcur.FakeSnowflakeCursor.execute
def execute(self, command, params=None, *a, **kw):
    last = self._conn.__dict__.get("_fsp_last")
    if last: command = re.sub(r"(?i)table\s*\(\s*result_scan\s*\(\s*last_query_id\s*\(\s*\)\s*\)\s*\)", f"table(result_scan('{last}'))", command); command = re.sub(r"(?i)\blast_query_id\s*\(\s*\)", f"'{last}'", command)
    r = _orig_execute(self, command, params, *a, **kw)
    self._conn.__dict__["_fsp_last"] = self._sfqid
    return r
fcur.FakeSnowflakeCursor.execute = execute

# ---------------------------------------------------------------- wire layer
SESS = {}          # token -> dict(master, issued, json, session)
REQ = {}           # requestId -> {task, sql, cancelled, qid}
FAULT = {}
LOG = []
INJECTED = []      # rules of /_inject
WAREHOUSES = Warehouses(LOG)
LOCKS = Locks(A.idle_after)
def catalog():
    """Every permanent table and view, outside of what fakesnow keeps for itself."""
    with srv.shared_fs.duck_conn.cursor() as c:
        found = c.execute("SELECT database_name, schema_name, table_name, 'TABLE' FROM duckdb_tables() WHERE NOT temporary AND NOT internal UNION ALL SELECT database_name, schema_name, view_name, 'VIEW' FROM duckdb_views() WHERE NOT temporary AND NOT internal").fetchall()
    return {(d.upper(), s.upper(), n): k for d, s, n, k in found if not s.lower().startswith("_fs_") and not d.startswith("_fs_")}
PRIVILEGES = Privileges(catalog)
if A.privileges:
    srv.shared_fs.create_database_on_connect = srv.shared_fs.create_schema_on_connect = False
class Session:
    def __init__(self, conn, user, role, warehouse, parameters):
        self.conn, self.user, self.role, self.warehouse = conn, user, role, warehouse
        self.parameters = {str(k).upper(): v for k, v in (parameters or {}).items()}
        self.temporary, self.wrote, self.running, self.ended = set(), False, 0, False
        self.idle_since = time.monotonic()
    def is_temporary(self, name): return full(self, "TABLE", name) in self.temporary or (len(name) == 1 and name in self.temporary)
    def in_transaction(self): return bool(self.conn.__dict__.get("_fsp_tx") or self.conn._in_transaction)
    def seconds(self, name, parameters, otherwise):
        try: return float({**self.parameters, **{k.upper(): v for k, v in (parameters or {}).items()}}[name])
        except (KeyError, TypeError, ValueError): return otherwise
    def end_transaction(self, how):
        """Ends DuckDB's transaction without a statement of the session's."""
        conn = self.conn
        if self.in_transaction():
            try: getattr(conn._duck_conn, how)()
            except duckdb.Error: pass
        if how == "rollback":
            for k, s in conn.__dict__.get("_fsp_pending") or []: LOADED.get(k, set()).difference_update(s)
        conn.__dict__["_fsp_pending"] = []; conn.__dict__["_fsp_tx"] = conn._in_transaction = self.wrote = False
        LOCKS.release(self)
async def end_session(session):
    """Its transaction is rolled back and its temporary tables go, once the statement in hand is through."""
    session.ended = True
    for tok, s in list(SESS.items()):
        if s["session"] is session: SESS.pop(tok); srv.sessions.pop(tok, None)
    async def close():
        while session.running: await asyncio.sleep(0.02)
        session.end_transaction("rollback"); session.conn.close()
    if session.running: ENDING.add(task := asyncio.create_task(close())); task.add_done_callback(ENDING.discard)
    else: await close()
ENDING = set()
PUB = None
if A.new_key:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    PUB = KEY.public_key()
    with open(A.new_key, "wb") as f:
        f.write(KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
def jwt_check(tok, login, account):
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as ser
    def b(x): return base64.urlsafe_b64decode(x + "=" * (-len(x) % 4))
    h, p, s = tok.split(".")
    PUB.verify(b(s), f"{h}.{p}".encode(), padding.PKCS1v15(), hashes.SHA256())
    c = json.loads(b(p))
    fp = base64.b64encode(hashlib.sha256(PUB.public_bytes(ser.Encoding.DER, ser.PublicFormat.SubjectPublicKeyInfo)).digest()).decode()
    acct = account.split(".")[0].upper()
    assert c["iss"] == f"{acct}.{login.upper()}.SHA256:{fp}", f"iss {c['iss']}"
    assert c["sub"] == f"{acct}.{login.upper()}", f"sub {c['sub']}"
    assert c["iat"] <= time.time() + 60 and c["exp"] > time.time(), "exp"
async def body_of(request):
    b = await request.body()
    return json.loads(gzip.decompress(b) if request.headers.get("content-encoding") == "gzip" else b)
async def login(request: Request):
    b = await body_of(request); d = b["data"]; d.setdefault("SESSION_PARAMETERS", {})
    LOG.append(("login", {k: v for k, v in d.items() if k not in ("TOKEN", "PASSWORD")}, dict(request.query_params)))
    if d.get("AUTHENTICATOR") == "SNOWFLAKE_JWT" and PUB is not None:
        try: jwt_check(d["TOKEN"], d["LOGIN_NAME"], d["ACCOUNT_NAME"])
        except Exception as e:
            return JSONResponse({"data": {"authnMethod": "KEYPAIR"}, "code": "390144", "message": f"JWT token is invalid. [{e}]", "success": False, "headers": None})
    elif PUB is not None:
        return JSONResponse({"data": {"authnMethod": "USERNAME_PASSWORD"}, "code": "390100", "message": "Incorrect username or password was specified.", "success": False, "headers": None})
    first = lambda text: (parts(text or "") or (None,))[0]
    user, warehouse = (d.get("LOGIN_NAME") or "").upper(), first(request.query_params.get("warehouse"))
    role = first(request.query_params.get("roleName")) or PRIVILEGES.defaults.get(user) or "PUBLIC"
    if A.privileges and not has_role(user, role):
        return JSONResponse({"data": {"authnMethod": "KEYPAIR"}, "code": "390189", "message": f"Role '{role}' specified in the connect string is not granted to this user. Contact your local system administrator, or attempt to login with another role, e.g. PUBLIC.", "success": False, "headers": None})
    async def receive(): return {"type": "http.request", "body": json.dumps(b).encode(), "more_body": False}
    sc = dict(request.scope); sc["headers"] = [(k, v) for k, v in sc["headers"] if k not in (b"content-encoding", b"content-length")]
    r = json.loads((await srv.login_request(Request(sc, receive))).body)
    tok = r["data"]["token"]; master = "m-" + uuid.uuid4().hex
    SESS[tok] = {"master": master, "issued": time.time(), "json": "CLIENT_APP_ID" not in d, "real": tok, "session": Session(srv.sessions[tok], user, role, warehouse, d["SESSION_PARAMETERS"])}
    r["data"].update(masterToken=master, validityInSeconds=int(A.session_ttl), masterValidityInSeconds=14400, sessionId=len(SESS), displayUserName=d.get("LOGIN_NAME"))
    r["data"]["sessionInfo"].update(warehouseName=warehouse, roleName=role)
    r.update(code=None, message=None)
    return JSONResponse(r)
def has_role(user, role):
    """Users that nobody created may have every role that there is; they are those that a test sets all up with."""
    if user in PRIVILEGES.users: return role == "PUBLIC" or any(role in PRIVILEGES.of(r) for r in PRIVILEGES.users[user])
    return role in PRIVILEGES.roles
async def token_request(request: Request):
    b = await body_of(request); LOG.append(("renew", request.url.path))
    m = request.headers.get("authorization", "")[17:-1]
    for tok, s in list(SESS.items()):
        if s["master"] == m:
            new = "t-" + uuid.uuid4().hex; SESS[new] = {**s, "issued": time.time()}; srv.sessions[new] = srv.sessions[s["real"]]
            return JSONResponse({"data": {"sessionToken": new, "validityInSecondsST": int(A.session_ttl), "masterToken": m, "validityInSecondsMT": 14400, "sessionId": 1}, "code": None, "message": None, "success": True})
    return JSONResponse({"data": None, "code": "390114", "message": "Authentication token has expired. The user must authenticate again.", "success": False})
def to_json(r):
    d = r["data"]; b64 = d.pop("rowsetBase64", "")
    rows = []
    if b64:
        t = ipc.open_stream(io.BytesIO(base64.b64decode(b64))).read_all()
        for row in t.to_pylist():
            o = []
            for v in row.values():
                if v is None: o.append(None)
                elif isinstance(v, bool): o.append("1" if v else "0")
                elif isinstance(v, dict): o.append(f"{v['epoch']}.{v['fraction']:09d}" + (f" {v['timezone']}" if "timezone" in v else ""))
                elif isinstance(v, dt.date): o.append(str((v - dt.date(1970, 1, 1)).days))
                else: o.append(str(v))
            rows.append(o)
    d["rowset"] = rows; d["queryResultFormat"] = "json"
CHUNKS = {}
def chunked(d, base):
    """inline = first quarter of the rows, then three remote chunks in row order."""
    n = d.get("total", 0); cut = [n * i // 4 for i in range(5)]; arrow = d.get("queryResultFormat") == "arrow"; d["chunks"] = []
    if arrow:
        t = ipc.open_stream(io.BytesIO(base64.b64decode(d["rowsetBase64"]))).read_all()
        def enc(x):
            b = io.BytesIO(); w = ipc.new_stream(b, x.schema); w.write_table(x); w.close(); return b.getvalue()
    for i in range(1, 4):
        cid = uuid.uuid4().hex
        CHUNKS[cid] = enc(t.slice(cut[i], cut[i + 1] - cut[i])) if arrow else json.dumps(d["rowset"][cut[i]:cut[i + 1]])[1:-1].encode()
        d["chunks"].append({"url": f"{base}/_chunk/{cid}", "rowCount": cut[i + 1] - cut[i], "uncompressedSize": len(CHUNKS[cid]), "compressedSize": len(CHUNKS[cid])})
    if arrow: d["rowsetBase64"] = base64.b64encode(enc(t.slice(0, cut[1]))).decode()
    else: d["rowset"] = d["rowset"][:cut[1]]
    d["chunkHeaders"] = {}
async def chunk(request: Request): return Response(CHUNKS[request.path_params["cid"]], media_type="application/octet-stream")
UNHANDLED = contextvars.ContextVar("what fakesnow only logs", default="")
class Unhandled(logging.Filter):
    def filter(self, record):
        if record.exc_info: UNHANDLED.set(f"{record.exc_info[0].__name__}: {record.exc_info[1]}")
        return True
srv.logger.addFilter(Unhandled())
def decorate(resp, sess, qid=None, sql="", base=""):
    st = resp.status_code; r = json.loads(resp.body)
    if r.get("success") and isinstance(r.get("data"), dict) and "rowtype" in r["data"]:
        d = r["data"]
        # real service: only queries come back as arrow; DDL/COPY/SHOW/... are JSON whatever was asked
        is_show = re.match(r"show\b", understood(sql).text, re.I)
        not_query = d.get("statementTypeId", 0) >= 0x3000 or is_show
        if (sess["json"] or not_query or "fake:json" in sql) and d.get("queryResultFormat") == "arrow": to_json(r)
        if is_show: d["statementTypeId"] = 0x4400
        if "fake:chunks" in sql: chunked(d, base)
        if m := re.search(r"fake:rowtype=(\w+)", sql): d["rowtype"][0]["type"] = m.group(1)
        d.update(returned=d.get("total", 0), version=1, finalRoleName=sess["session"].role, finalWarehouseName=sess["session"].warehouse, databaseProvider=None, numberOfBinds=0, arrayBindSupported=False, sqlState="00000", sendResultTime=int(time.time() * 1000))
        if d.get("queryResultFormat") == "json" and "rowsetBase64" in d: d.pop("rowsetBase64")
        r.update(code=None, message=None)
    elif not r.get("success"):
        d = r.get("data") or {}
        code = (r.get("code") or "000603"); msg = r.get("message") or ""
        if st == 500 and UNHANDLED.get().startswith("TransactionException") and "conflict" in UNHANDLED.get().lower(): return refused(locked("unknown"), qid)
        if st == 500: code, msg, st = "000603", f"SQL execution internal error: {UNHANDLED.get()} {msg}", 200
        if st == 401: return JSONResponse({"data": None, "code": code, "message": msg, "success": False}, status_code=200)
        msg = re.sub(r"^\d{6} \(\w+\): ", "", msg)
        r = {"data": {"internalError": False, "unredactedFromSecureObject": False, "errorCode": code, "age": 0, "sqlState": d.get("sqlState") or "42000", "queryId": qid or str(uuid.uuid4()), "line": -1, "pos": -1, "type": "COMPILATION"}, "code": code, "message": msg, "success": False, "headers": None}
    return JSONResponse(r, status_code=st)
def refused(denied, qid):
    kind = {"000604": "INTERNAL", "000625": "INTERNAL", "000630": "INTERNAL"}.get(denied.code, "COMPILATION")
    return JSONResponse({"data": {"internalError": False, "unredactedFromSecureObject": False, "errorCode": denied.code, "age": 0, "sqlState": denied.state, "queryId": qid, "line": -1, "pos": -1, "type": kind}, "code": denied.code, "message": denied.message, "success": False, "headers": None})
def rows_as_sql(columns, rows):
    def lit(v): return f"'{v.isoformat()}'::timestamp_ltz" if isinstance(v, dt.datetime) else "'" + str(v).replace("'", "''") + "'"
    if not rows: return "SELECT " + ", ".join(f"NULL::{'timestamp_ltz' if c == 'created_on' else 'varchar'} AS \"{c}\"" for c in columns) + " WHERE FALSE"
    return " UNION ALL ".join("SELECT " + ", ".join(f'{lit(v)} AS "{c}"' for c, v in zip(columns, row)) for row in rows)
DONE = "SELECT 'Statement executed successfully.' AS \"status\""
def prepared(session, s, sql):
    """The text to run instead; raises `Denied`."""
    if A.privileges: PRIVILEGES.check(session, s)
    if s.verb in ("GRANT", "REVOKE"):
        PRIVILEGES.change(session, s.text, A.privileges); return DONE
    if s.verb == "SHOW" and (shown := PRIVILEGES.shown(session, s.text)): return rows_as_sql(*shown)
    if m := re.match(r"desc(?:ribe)?\s+(?:storage\s+)?integration\s+(\S+)", s.text, re.I):
        if ("INTEGRATION", parts(m.group(1))) not in PRIVILEGES.owners: raise unknown(parts(m.group(1))[0], "Integration")
        return rows_as_sql(("property", "property_type", "property_value", "property_default"), [("ENABLED", "Boolean", "true", "false"), ("STORAGE_PROVIDER", "String", "S3", ""),
            ("STORAGE_AWS_IAM_USER_ARN", "String", "arn:aws:iam::111111111111:user/fake", ""), ("STORAGE_AWS_EXTERNAL_ID", "String", "FAKE_SFCRole=1_fake=", "")])
    if s.verb == "USE" and (m := re.match(r"use\s+(role|warehouse|secondary\s+roles)\s+(\S+)", s.text, re.I)):
        what, (name, *_) = m.group(1).lower(), parts(m.group(2))
        if what == "role":
            if A.privileges and not has_role(session.user, name): raise Denied("003013", "42501", f"SQL access control error:\nRequested role '{name}' is not assigned to the executing user. Specify another role to activate.")
            session.role = name
        elif what == "warehouse":
            if A.privileges and not PRIVILEGES.sees(session.role, "WAREHOUSE", (name,)): raise Denied("002043", "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed.")
            session.warehouse = name
        return DONE
    if A.privileges and (m := re.match(r"use\s+(database|schema)?\s*(\S+)", s.text, re.I)):
        name = parts(m.group(2)); what = (m.group(1) or ("SCHEMA" if len(name) == 2 else "DATABASE")).upper()
        name = full(session, what, name)
        if not (PRIVILEGES.sees(session.role, "DATABASE", name[:1]) and (what == "DATABASE" or PRIVILEGES.sees(session.role, "SCHEMA", name))): raise Denied("002043", "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed.")
    if s.verb == "ALTER" and re.match(r"alter\s+session\s+set\b", s.text, re.I):
        session.parameters.update((k.upper(), v.strip("'")) for k, v in re.findall(r"(\w+)\s*=\s*('[^']*'|[\w.]+)", s.text))
    if s.verb == "CREATE" and s.kind in ("ROLE", "USER", "WAREHOUSE") and not s.replaces and not re.search(r"\bif\s+not\s+exists\b", s.text, re.I) and PRIVILEGES.exists(s.kind, s.name):
        raise Denied("002002", "42710", f"SQL compilation error:\nObject '{s.name[0]}' already exists.")
    return re.sub(r"(?i)\bcurrent_(role|warehouse|user)\s*\(\s*\)", lambda m: "'%s'" % getattr(session, m.group(1).lower()), sql)
def drop_database(session, s):
    conn, (name,) = session.conn, s.name
    there = conn._duck_conn.execute("SELECT 1 FROM duckdb_databases() WHERE upper(database_name) = ?", [name]).fetchone()
    if not there and not re.search(r"\bif\s+exists\b", s.text, re.I): raise unknown(name, "Database")
    if there:
        if conn.database == name:        # DuckDB keeps the database that a connection is in
            conn._duck_conn.execute("USE memory.main")
            conn.database = conn._schema = None; conn.database_set = conn.schema_set = False
        conn._duck_conn.execute(f'DETACH "{name}"')
    return f"SELECT '{name} successfully dropped.' AS \"status\""
def finished(session, s, existed):
    """What a statement that was done leaves behind."""
    if s.verb == "CREATE" and s.kind:
        if s.temporary and s.kind == "TABLE": session.temporary |= {full(session, "TABLE", s.name), s.name}; return
        if s.kind == "WAREHOUSE":
            WAREHOUSES.changed(s)
            if not existed or s.replaces: session.warehouse = s.name[0]
        if s.kind == "USER" and (m := re.search(r"\bdefault_role\s*=\s*'?([\w$]+)", s.text, re.I)): PRIVILEGES.defaults[s.name[0]] = parts(m.group(1))[0]
        if not existed or s.replaces: PRIVILEGES.made(session.role, s.kind, full(session, s.kind, s.name))
    elif s.verb == "DROP" and s.kind:
        name = full(session, s.kind, s.name)
        if s.kind == "TABLE" and session.is_temporary(s.name): session.temporary -= {name, s.name}; return
        if s.kind == "WAREHOUSE": WAREHOUSES.changed(s)
        PRIVILEGES.gone(s.kind, name)
    elif s.verb == "ALTER" and s.kind == "WAREHOUSE": WAREHOUSES.changed(s)
    elif s.verb == "ALTER" and s.kind and (m := re.search(r"\brename\s+to\s+(\S+)\s*\Z", s.text, re.I)):
        old, new, name = full(session, s.kind, s.name), full(session, s.kind, parts(m.group(1))), parts(m.group(1))
        if s.kind == "TABLE" and session.is_temporary(s.name): session.temporary = session.temporary - {old, s.name} | {new, name}
        else: PRIVILEGES.moved(s.kind, old, new)
async def performed(request, raw, s, sess, job):
    """Runs a statement, as far as its session's role, the warehouse and the locks of others let it."""
    session, sql, given = sess["session"], job["sql"], raw.get("parameters") or {}
    session.running += 1
    at_work, compiled = None, True
    try:
        for rule in INJECTED:
            if "code" in rule and rule["times"] > 0 and rule["pattern"].search(sql):
                rule["times"] -= 1
                if rule["code"] == "390111": await end_session(session)   # what it held goes with it
                raise Denied(rule["code"], rule["state"], rule["message"])
        if "fake:locked" in sql: raise locked((s.writes or [("", ("T",))])[0][1][-1])
        text = prepared(session, s, sql)
        existed = s.verb == "CREATE" and bool(s.kind) and not s.temporary and PRIVILEGES.exists(s.kind, full(session, s.kind, s.name))
        if s.compute and session.warehouse:
            at_work = WAREHOUSES.begin(session.warehouse)
        if (s.verb in DDL and s.kind) or s.verb in ("GRANT", "REVOKE"): session.end_transaction("commit")
        if s.verb == "DROP" and s.kind == "DATABASE": text = drop_database(session, s)
        changed = [(n, s.verb not in ("INSERT", "COPY")) for _, n in s.writes] + ([(s.name, True)] if s.verb in ("DROP", "ALTER") and s.kind == "TABLE" else [])
        for name, changes in changed:
            if not session.is_temporary(name):
                await LOCKS.take(session, full(session, "TABLE", name), changes, session.seconds("LOCK_TIMEOUT", given, 43200.0), session.seconds("STATEMENT_TIMEOUT_IN_SECONDS", given, 172800.0) or 604800.0, job["cancelled"])
        if session.in_transaction() and not session.wrote and s.verb not in ("COMMIT", "ROLLBACK"):
            # READ COMMITTED: every statement sees what others have committed. Past its own first change, DuckDB keeps a snapshot.
            try: session.conn._duck_conn.commit(); session.conn._duck_conn.begin()
            except duckdb.Error: pass
        if s.verb in WRITES: session.wrote = True
        async def receive(): return {"type": "http.request", "body": json.dumps({**raw, "sqlText": text}).encode(), "more_body": False}
        sc = dict(request.scope); sc["headers"] = [(k, v) for k, v in sc["headers"] if k not in (b"content-encoding", b"content-length")]
        answer = await srv.query_request(Request(sc, receive))
        told = json.loads(answer.body)
        compiled = told.get("code") not in ("001003", "002003", "002043", "000904")
        if told.get("success"): finished(session, s, existed)
        return decorate(answer, sess, job["qid"], sql, f"http://127.0.0.1:{A.port}")
    except Denied as denied:
        return refused(denied, job["qid"])
    finally:
        session.running -= 1; session.idle_since = time.monotonic()
        if at_work: WAREHOUSES.end(at_work, compiled)
        if not session.in_transaction(): session.wrote = False; LOCKS.release(session)
async def query(request: Request):
    rid = request.query_params.get("requestId") or str(uuid.uuid4())
    tok = request.headers.get("authorization", "")[17:-1]; s = SESS.get(tok)
    raw = await body_of(request); sql = raw.get("sqlText", "")
    LOG.append(("query", rid, sql, request.query_params.get("retryCount"), raw.get("parameters") or {}))
    if s is None: return JSONResponse({"data": None, "code": "390104", "message": "User must login again to access the service.", "success": False})
    if time.time() - s["issued"] > A.session_ttl:
        return JSONResponse({"data": None, "code": "390112", "message": "Your session has expired. Please login again.", "success": False, "headers": None})
    if m := re.search(r"fake:http503=(\d+)", sql):
        FAULT[sql] = FAULT.get(sql, 0) + 1
        if FAULT[sql] <= int(m.group(1)): return Response("busy", status_code=503)
    for rule in INJECTED:
        if "http" in rule and rule["times"] > 0 and rule["pattern"].search(sql):
            rule["times"] -= 1; return Response("injected", status_code=rule["http"])
    if rid in REQ:          # a resubmitted requestId attaches to the running/finished statement
        LOG.append(("attach", rid)); job = REQ[rid]
    else:
        job = REQ[rid] = {"qid": str(uuid.uuid4()), "cancelled": asyncio.Event(), "sql": sql}
        async def work():
            if m := re.search(r"fake:delay=([\d.]+)", sql):
                try:
                    await asyncio.wait_for(job["cancelled"].wait(), float(m.group(1)))
                    return refused(Denied("000604", "57014", "SQL execution canceled"), job["qid"])
                except asyncio.TimeoutError: pass
            r = await performed(request, raw, await asyncio.to_thread(understood, sql), s, job); LOG.append(("done", rid)); return r
        job["task"] = asyncio.create_task(work())
    lost = next((r for r in INJECTED if "drop" in r and r["times"] > 0 and r["pattern"].search(sql)), None)
    if lost or ("fake:drop" in sql and not job.get("dropped")):
        job["dropped"] = True
        if lost: lost["times"] -= 1
        await job["task"]; raise RuntimeError("drop connection after execution")
    done, _ = await asyncio.wait({job["task"]}, timeout=0.05 if raw.get("asyncExec") else A.async_after)
    if done: return Response(job["task"].result().body, media_type="application/json", status_code=job["task"].result().status_code)
    QID[job["qid"]] = job
    return JSONResponse({"data": {"queryId": job["qid"], "getResultUrl": f"/queries/{job['qid']}/result", "queryAbortsAfterSecs": 300, "progressDesc": None}, "code": "333334", "message": "Asynchronous execution in progress. Use provided query id to perform query monitoring and management.", "success": True})
QID = {}
async def result(request: Request):
    job = QID.get(request.path_params["qid"])
    if not job: return JSONResponse({"data": None, "code": "000709", "message": "Statement not found", "success": False})
    done, _ = await asyncio.wait({job["task"]}, timeout=A.async_after)
    if done: return Response(job["task"].result().body, media_type="application/json")
    return JSONResponse({"data": {"queryId": job["qid"], "getResultUrl": f"/queries/{job['qid']}/result", "queryAbortsAfterSecs": 300, "progressDesc": None}, "code": "333333", "message": "Query in progress", "success": True})
async def abort(request: Request):
    b = await body_of(request); rid = b.get("requestId"); LOG.append(("abort", rid))
    if rid in REQ: REQ[rid]["cancelled"].set()
    return JSONResponse({"data": None, "code": None, "message": None, "success": True})
async def session(request: Request):
    LOG.append(("session", dict(request.query_params)))
    tok = request.headers.get("authorization", "")[17:-1]
    if request.query_params.get("delete") and (s := SESS.get(tok)): await end_session(s["session"])
    return JSONResponse({"data": None, "code": None, "message": None, "success": True})
async def log(request: Request): return JSONResponse({"log": LOG[-int(request.query_params.get("n", 50)):], "sessions": len(SESS)})
async def forget(request: Request):      # every session is gone, as after an expired master token
    for session in {s["session"] for s in SESS.values()}: await end_session(session)
    return JSONResponse({})
async def export(request: Request):      # a table as a Parquet file, for comparisons that would take long over the wire
    q = request.query_params
    names = ".".join('"%s"' % part for part in [q["database"].upper(), *q["table"].upper().split(".")])
    cursor = srv.shared_fs.duck_conn.cursor()
    cursor.execute(f"COPY (SELECT * FROM {names}) TO '{q['path']}' (FORMAT parquet)")
    return JSONResponse({})
async def inject(request: Request):
    q = request.query_params
    if "pattern" not in q: INJECTED.clear(); return JSONResponse({})
    rule = {"pattern": re.compile(q["pattern"], re.I | re.S), "times": int(q.get("times", 1))}
    if "code" in q: rule.update(code=q["code"], state=q.get("state", "XX000"), message=q.get("message", "injected"))
    elif "http" in q: rule["http"] = int(q["http"])
    elif q.get("drop"): rule["drop"] = True
    else: return JSONResponse({"error": "code=, http= or drop=1 is missing"}, status_code=400)
    INJECTED.append(rule)
    return JSONResponse({})
class Slash:
    def __init__(s, app): s.app = app
    async def __call__(s, scope, receive, send):
        if scope["type"] == "http" and "//" in scope["path"]:
            LOG.append(("doubleslash", scope["path"])); scope = dict(scope); scope["path"] = re.sub("/+", "/", scope["path"]); scope["raw_path"] = scope["path"].encode()
        await s.app(scope, receive, send)
app = Slash(Starlette(routes=[Route("/session/v1/login-request", login, methods=["POST"]), Route("/session/token-request", token_request, methods=["POST"]),
    Route("/session", session, methods=["POST"]), Route("/session/heartbeat", session, methods=["POST"]), Route("/queries/v1/query-request", query, methods=["POST"]),
    Route("/queries/{qid}/result", result, methods=["GET"]), Route("/queries/v1/abort-request", abort, methods=["POST"]), Route("/fs_bucket/{path:path}", srv.bucket_upload, methods=["PUT"]), Route("/_log", log), Route("/_forget", forget), Route("/_inject", inject), Route("/_export", export), Route("/_chunk/{cid}", chunk), Route("/monitoring/queries/{sfqid}", srv.monitoring_query, methods=["GET"])]))
if __name__ == "__main__":
    import uvicorn
    listener = socket.socket()
    listener.bind(("127.0.0.1", A.port))
    A.port = listener.getsockname()[1]
    def end_with_parent():
        sys.stdin.read()
        os._exit(0)
    threading.Thread(target=end_with_parent, daemon=True).start()
    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            print(json.dumps({"url": f"http://127.0.0.1:{A.port}", "s3": A.s3_endpoint}), flush=True)
    Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
