"""A fake Snowflake on 127.0.0.1: fakesnow 0.12.x with the additions that this project needs.

  SQL         COPY INTO (copy_into.py), MERGE and exact sums (cursor_patches.py). DDL commits an
              open transaction.
  Privileges  Roles, grants, ownership and SHOW GRANTS (privileges.py). --privileges enforces them;
              a login then creates no database.
  Warehouses  Statements that need compute resume their warehouse, which the log records; table
              locks and LOCK_TIMEOUT (warehouses.py).
  Parameters  --account-parameter NAME=VALUE changes the default of a session parameter, as an
              administrator can. These have an effect: ROWS_PER_RESULTSET, TIMESTAMP_INPUT_FORMAT,
              TIMESTAMP_NTZ_OUTPUT_FORMAT, TIMESTAMP_TYPE_MAPPING (parameters.py),
              MULTI_STATEMENT_COUNT, CLIENT_VALIDATE_DEFAULT_PARAMETERS.
  Protocol    Complete responses, JSON rowsets for clients that send no CLIENT_APP_ID (protocol.py);
              logins, tokens and JWT signatures (sessions.py); asynchronous statements by 333334 and
              getResultUrl, idempotency by requestId, abort-request, paths with double slashes.
  Faults      Comments in a statement: /*fake:delay=SECONDS*/ /*fake:http503=N*/ /*fake:drop*/ (the
              response is lost) /*fake:chunks*/ (three quarters of the rows are in remote chunks)
              /*fake:json*/ (JSON rowset) /*fake:rowtype=NAME*/ (type of the first column)
              /*fake:locked*/ /*fake:gzip*/ (the chunks are gzip files without Content-Encoding)
              /*fake:qrmk*/ (the chunks need the key in `qrmk`)
  Control     /_log?n=N
                  The last N entries of the log: ["query", requestId, text, retryCount, parameters],
                  ["batch", requestId, number of statements], ["resume", warehouse], ["login", ..], ...
              /_forget
                  Ends every session.
              /_inject?pattern=REGEX&times=N
                  Injects a fault into the next N statements that match (default 1). The fault is an
                  error (code=, state=, message=), an HTTP status (http=STATUS), or a lost response
                  (drop=1; the statement runs), or statements that another session runs first
                  (sql=STATEMENTS). http=307 redirects to location=URL, or to the
                  same URL with location=same. database=D: only statements of sessions with
                  this database. Without a pattern: clears the faults (of the database).
              /_export?database=D&table=T&path=P
                  Writes a table to a Parquet file.

usage: fake_snowflake.py [--privileges] [--idle-after 300] [--port N] [--s3-endpoint URL]
                         [--async-after 45] [--session-ttl 3600] [--new-key KEY.pem]
                         [--account-parameter NAME=VALUE]... [--latency SECONDS] [--prepared FOLDER]
Without --port it listens on a free port; without --s3-endpoint it starts moto as its S3; both on
127.0.0.1 only. --new-key creates a key pair, writes the private key to that file and accepts no
other login. --prepared keeps parsed statements in a folder that several processes can share
(prepared.py). When ready, it prints one line of JSON with both addresses. It exits when its
standard input closes, so that it does not outlive the tests.
"""
import argparse, asyncio, gc, json, os, re, socket, sys, threading, time, uuid
from urllib.parse import urljoin
import boto3
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
import fakesnow.server  # noqa: F401
import copy_into, cursor_patches, parameters, prepared, protocol
from execution import Executor
from privileges import Denied, Privileges
from protocol import batch_result, failure, read_chunk, refused, success
from sessions import KeyPair, Sessions, read_body
from statement import parse_statement, split_statements
from warehouses import Locks, Warehouses

server = sys.modules["fakesnow.server"]


def catalog():
    """Returns all permanent tables and views, without fakesnow's internal ones."""
    query = ("SELECT database_name, schema_name, {kind}_name, upper('{kind}') FROM duckdb_{kind}s()"
             " WHERE NOT temporary AND NOT internal")
    with server.shared_fs.duck_conn.cursor() as cursor:
        found = cursor.execute(
            " UNION ALL ".join(query.format(kind=kind) for kind in ("table", "view"))
        ).fetchall()
    return {(database.upper(), schema.upper(), name): kind for database, schema, name, kind in found
            if not schema.lower().startswith("_fs_") and not database.startswith("_fs_")}


class FakeSnowflake:
    def __init__(self, options, files):
        self.options, self.url = options, None
        self.log = []
        self.jobs = {}          # requestId -> {task, sql, cancelled, query_id}
        self.async_jobs = {}    # query id -> job
        self.attempts = {}      # statement with /*fake:http503*/ -> attempts
        self.rules = []         # faults added by /_inject
        self.privileges, locks = Privileges(catalog), Locks(options.idle_after)
        key_pair = KeyPair(options.new_key) if options.new_key else None
        self.sessions = Sessions(
            self.privileges, options.privileges, locks, self.log, options.session_ttl, key_pair,
            dict(parameter.split("=", 1) for parameter in options.account_parameter),
        )
        self.executor = Executor(
            self.privileges, options.privileges, Warehouses(self.log), locks, self.sessions, files
        )
        if options.privileges:
            server.shared_fs.create_database_on_connect = server.shared_fs.create_schema_on_connect = False

    def take_rule(self, effect, login, *statements):
        """Returns the first injected fault of a kind that matches one of the statements of a session,
        and counts it as used once."""
        for rule in self.rules:
            matches = any(rule["pattern"].search(sql) for sql in statements)
            if rule["database"] and rule["database"].upper() != (login["session"].conn.database or "").upper():
                continue
            if effect in rule and rule["times"] > 0 and matches:
                rule["times"] -= 1
                return rule

    async def work(self, request, body, login, request_id, job):
        """Runs a statement and returns the response."""
        if found := re.search(r"fake:delay=([\d.]+)", job["sql"]):
            try:
                await asyncio.wait_for(job["cancelled"].wait(), float(found.group(1)))
                return refused(Denied("000604", "57014", "SQL execution canceled"), job["query_id"])
            except asyncio.TimeoutError:
                pass
        if len(job["statements"]) == 1:
            response = await self.run(request, body, login, job)
        else:
            response = await self.run_batch(request, body, login, request_id, job)
        self.log.append(("done", request_id))
        return response

    async def run(self, request, body, login, job):
        sql = job["sql"]
        statement = await asyncio.to_thread(parse_statement, sql)
        if rule := self.take_rule("sql", login, sql):
            await self.run_elsewhere(request, body, login, rule["sql"])
        injected = lambda: self.take_rule("code", login, sql)
        return await self.executor.run(request, body, statement, login, job, injected, self.url)

    async def run_batch(self, request, body, login, request_id, job):
        """Runs the statements of one request. The first failure ends it; what ran before stays."""
        children = []
        for sql in job["statements"]:
            self.log.append(("query", request_id, sql, None, body.get("parameters") or {}))
            child = {**job, "sql": sql, "query_id": str(uuid.uuid4())}
            response = await self.run(request, body, login, child)
            answer = json.loads(response.body)
            if not answer["success"]:
                if answer["code"].startswith("390"):    # the session has ended
                    return response
                # Snowflake runs the statements in a procedure, and returns the error of the procedure. The query
                # history has the error of the statement.
                login["session"].failed_batches[job["query_id"]] = (
                    child["query_id"], answer["code"], answer["message"]
                )
                message = (
                    "JavaScript execution error: Uncaught Execution of multiple statements failed on statement"
                    f" \"{sql[:40]}\" (at line 1, position 0).\n{answer['message']} in SYSTEM$MULTISTMT"
                )
                return refused(Denied("100132", "P0000", message), job["query_id"])
            child["task"] = asyncio.create_task(asyncio.sleep(0, response))
            self.async_jobs[child["query_id"]] = child
            children.append((child["query_id"], answer["data"]))
        return success(batch_result(job["query_id"], children))

    async def run_elsewhere(self, request, body, login, text):
        """Runs statements in another session with the same role and database."""
        other = await self.sessions.copy_of(login)
        for sql in split_statements(text):
            job = {"sql": sql, "query_id": str(uuid.uuid4()), "cancelled": asyncio.Event()}
            request = self.sessions.request_of(request, other)
            statement = parse_statement(sql)
            answer = await self.executor.run(request, body, statement, other, job, lambda: None, self.url)
            assert json.loads(answer.body)["success"], answer.body
        await self.sessions.end(other["session"])

    async def query(self, request):
        """Takes at least --latency for a request. The fake's own time counts, so that a slow machine does not make
        every request slower."""
        earliest = time.monotonic() + self.options.latency
        try:
            return await self.answer(request)
        finally:
            await asyncio.sleep(max(0.0, earliest - time.monotonic()))

    async def answer(self, request):
        request_id = request.query_params.get("requestId") or str(uuid.uuid4())
        login, body = self.sessions.find(request), await read_body(request)
        sql = body.get("sqlText", "")
        parameters = body.get("parameters") or {}
        statements = await asyncio.to_thread(split_statements, sql)
        if len(statements) > 1:
            self.log.append(("batch", request_id, len(statements)))
        else:
            self.log.append(("query", request_id, sql, request.query_params.get("retryCount"), parameters))
        if login is None:
            return failure("390104", "User must login again to access the service.")
        if time.time() - login["issued"] > self.options.session_ttl:
            return failure("390112", "Your session has expired. Please login again.")
        if found := re.search(r"fake:http503=(\d+)", sql):
            self.attempts[sql] = self.attempts.get(sql, 0) + 1
            if self.attempts[sql] <= int(found.group(1)):
                return Response("busy", status_code=503)
        if rule := self.take_rule("http", login, *statements):
            headers = {}
            if location := rule["location"]:
                url = str(request.url)
                headers["location"] = url if location == "same" else urljoin(url, location)
            return Response("injected", status_code=rule["http"], headers=headers)
        wanted = int(login["session"].value("MULTI_STATEMENT_COUNT", parameters, 1))
        if wanted not in (0, len(statements) or 1):
            message = (
                f"Actual statement count {len(statements)} did not match the desired statement count {wanted}."
            )
            return refused(Denied("000008", "0A000", message), str(uuid.uuid4()))
        if request_id in self.jobs:
            # A request with a known requestId gets the result of that statement.
            self.log.append(("attach", request_id))
            job = self.jobs[request_id]
        else:
            job = {"query_id": str(uuid.uuid4()), "cancelled": asyncio.Event(), "sql": sql,
                   "statements": statements or [sql]}
            self.jobs[request_id] = job
            job["task"] = asyncio.create_task(self.work(request, body, login, request_id, job))
        if self.take_rule("drop", login, *statements) or ("fake:drop" in sql and not job.get("dropped")):
            job["dropped"] = True
            await job["task"]
            raise RuntimeError("the response is dropped on purpose")
        done, _ = await asyncio.wait(
            {job["task"]}, timeout=0.05 if body.get("asyncExec") else self.options.async_after
        )
        if done:
            response = job["task"].result()
            return Response(response.body, media_type="application/json", status_code=response.status_code)
        self.async_jobs[job["query_id"]] = job
        message = ("Asynchronous execution in progress. Use provided query id to perform query monitoring and"
                   " management.")
        return self.in_progress(job, "333334", message)

    def in_progress(self, job, code, message):
        data = {"queryId": job["query_id"], "getResultUrl": f"/queries/{job['query_id']}/result",
                "queryAbortsAfterSecs": 300, "progressDesc": None}
        return JSONResponse({"data": data, "code": code, "message": message, "success": True})

    async def result(self, request):
        job = self.async_jobs.get(request.path_params["query_id"])
        if not job:
            return failure("000709", "Statement not found")
        done, _ = await asyncio.wait({job["task"]}, timeout=self.options.async_after)
        if done:
            return Response(job["task"].result().body, media_type="application/json")
        return self.in_progress(job, "333333", "Query in progress")

    async def abort(self, request):
        request_id = (await read_body(request)).get("requestId")
        self.log.append(("abort", request_id))
        if request_id in self.jobs:
            self.jobs[request_id]["cancelled"].set()
        return success()

    async def chunk(self, request):
        return read_chunk(request.path_params["chunk_id"], request.headers)

    async def read_log(self, request):
        entries = self.log[-int(request.query_params.get("n", 50)):]
        return JSONResponse({"log": entries, "sessions": len(self.sessions.logins)})

    async def export(self, request):
        """Writes a table to a Parquet file, for comparisons that would be slow over the protocol."""
        query = request.query_params
        table = ".".join(
            f'"{part}"' for part in [query["database"].upper(), *query["table"].upper().split(".")]
        )
        cursor = server.shared_fs.duck_conn.cursor()
        cursor.execute(f"COPY (SELECT * FROM {table}) TO '{query['path']}' (FORMAT parquet)")
        return JSONResponse({})

    async def inject(self, request):
        query = request.query_params
        if "pattern" not in query:
            self.rules = [rule for rule in self.rules if rule["database"] != query.get("database", rule["database"])]
            return JSONResponse({})
        rule = {
            "pattern": re.compile(query["pattern"], re.I | re.S), "times": int(query.get("times", 1)),
            "database": query.get("database"),
        }
        if "code" in query:
            rule.update(
                code=query["code"], state=query.get("state", "XX000"), message=query.get("message", "injected")
            )
        elif "http" in query:
            rule.update(http=int(query["http"]), location=query.get("location"))
        elif "sql" in query:
            rule["sql"] = query["sql"]
        elif query.get("drop"):
            rule["drop"] = True
        else:
            return JSONResponse({"error": "code=, http=, sql= or drop=1 is missing"}, status_code=400)
        self.rules.append(rule)
        return JSONResponse({})

    def routes(self):
        return [
            Route("/session/v1/login-request", self.sessions.login, methods=["POST"]),
            Route("/session/token-request", self.sessions.renew, methods=["POST"]),
            Route("/session", self.sessions.session, methods=["POST"]),
            Route("/session/heartbeat", self.sessions.session, methods=["POST"]),
            Route("/queries/v1/query-request", self.query, methods=["POST"]),
            Route("/queries/{query_id}/result", self.result, methods=["GET"]),
            Route("/queries/v1/abort-request", self.abort, methods=["POST"]),
            Route("/fs_bucket/{path:path}", server.bucket_upload, methods=["PUT"]),
            Route("/monitoring/queries/{sfqid}", server.monitoring_query, methods=["GET"]),
            Route("/_chunk/{chunk_id}", self.chunk),
            Route("/_log", self.read_log),
            Route("/_forget", self.sessions.forget),
            Route("/_inject", self.inject),
            Route("/_export", self.export),
        ]

    def app(self):
        routes = Starlette(routes=self.routes())

        async def handle(scope, receive, send):
            if scope["type"] == "http" and "//" in scope["path"]:
                self.log.append(("doubleslash", scope["path"]))
                path = re.sub("/+", "/", scope["path"])
                scope = {**scope, "path": path, "raw_path": path.encode()}
            await routes(scope, receive, send)
        return handle


def listen(port=0):
    listener = socket.socket()
    listener.bind(("127.0.0.1", port))
    return listener, listener.getsockname()[1]


def start_s3():
    from moto.server import ThreadedMotoServer
    listener, port = listen()
    listener.close()
    ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False).start()
    return f"http://127.0.0.1:{port}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--s3-endpoint")
    parser.add_argument("--async-after", type=float, default=45.0)
    parser.add_argument("--session-ttl", type=float, default=3600.0)
    parser.add_argument("--new-key")
    parser.add_argument("--privileges", action="store_true")
    parser.add_argument("--account-parameter", action="append", default=[])
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--idle-after", type=float, default=300.0)
    parser.add_argument("--prepared")
    options = parser.parse_args()
    s3 = options.s3_endpoint or start_s3()
    files = copy_into.install(
        boto3.client(
            "s3",
            endpoint_url=s3,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
    )
    cursor_patches.install()
    if options.prepared:
        prepared.install(options.prepared)
    parameters.install()
    protocol.install()
    fake = FakeSnowflake(options, files)

    import uvicorn
    # A quarter of the time in Python was garbage collection, mostly of modules and of trees without cycles.
    gc.freeze()
    gc.set_threshold(50_000)
    listener, port = listen(options.port)
    fake.url = f"http://127.0.0.1:{port}"

    def exit_with_parent():
        sys.stdin.read()
        os._exit(0)
    threading.Thread(target=exit_with_parent, daemon=True).start()

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            print(json.dumps({"url": fake.url, "s3": s3}), flush=True)
    Server(uvicorn.Config(fake.app(), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
