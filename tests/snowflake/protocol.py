"""Responses as Snowflake's server sends them: complete fields, JSON rowsets, remote chunks, errors
with codes."""

import base64, contextvars, datetime as dt, gzip, io, json, logging, re, sys, time, uuid
import pyarrow.ipc as ipc
from starlette.responses import JSONResponse, Response
import fakesnow.server  # noqa: F401
from statement import parse_statement
from warehouses import locked

# The error behind an HTTP 500 of fakesnow, which only logs it.
UNHANDLED = contextvars.ContextVar("unhandled error", default="")
CHUNKS = {}     # chunk id -> (body, required headers)
SSE_C = "x-amz-server-side-encryption-customer-"
DONE = "SELECT 'Statement executed successfully.' AS \"status\""
INTERNAL_ERRORS = {"000604", "000625", "000630"}


class KeepUnhandled(logging.Filter):
    def filter(self, record):
        if record.exc_info:
            UNHANDLED.set(f"{record.exc_info[0].__name__}: {record.exc_info[1]}")
        return True


def install():
    sys.modules["fakesnow.server"].logger.addFilter(KeepUnhandled())


def success(data=None):
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def failure(code, message, data=None):
    return JSONResponse({"data": data, "code": code, "message": message, "success": False, "headers": None})


def sql_error(code, state, message, query_id, error_type="COMPILATION"):
    data = {
        "internalError": False,
        "unredactedFromSecureObject": False,
        "errorCode": code,
        "age": 0,
        "sqlState": state,
        "queryId": query_id,
        "line": -1,
        "pos": -1,
        "type": error_type,
    }
    return failure(code, message, data)


def refused(denied, query_id):
    error_type = "INTERNAL" if denied.code in INTERNAL_ERRORS else "COMPILATION"
    return sql_error(denied.code, denied.state, denied.message, query_id, error_type)


def read_arrow(text):
    return ipc.open_stream(io.BytesIO(base64.b64decode(text))).read_all()


def write_arrow(table):
    buffer = io.BytesIO()
    writer = ipc.new_stream(buffer, table.schema)
    writer.write_table(table)
    writer.close()
    return buffer.getvalue()


def json_value(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dict):
        return f"{value['epoch']}.{value['fraction']:09d}" + (
            f" {value['timezone']}" if "timezone" in value else ""
        )
    if isinstance(value, dt.date):
        return str((value - dt.date(1970, 1, 1)).days)
    return str(value)


def to_json(data):
    """Replaces an Arrow rowset with a JSON rowset."""
    rowset = data.pop("rowsetBase64", "")
    rows = read_arrow(rowset).to_pylist() if rowset else []
    data["rowset"] = [[json_value(value) for value in row.values()] for row in rows]
    data["queryResultFormat"] = "json"


def read_chunk(chunk_id, headers):
    """Returns a chunk. The storage rejects a request without the key of an encrypted chunk."""
    body, required = CHUNKS[chunk_id]
    if any(headers.get(name) != value for name, value in required.items()):
        return Response("the key is missing", status_code=400)
    return Response(body, media_type="application/octet-stream")


def batch_result(query_id, children):
    """Returns the data of the response to several statements; each has a result of its own."""
    return {
        "queryId": query_id,
        "resultIds": ",".join(child_id for child_id, _ in children),
        "resultTypes": ",".join(str(data.get("statementTypeId", 0)) for _, data in children),
        "rowtype": [{"name": "multiple statement execution", "type": "text", "nullable": False}],
        "rowset": [["Multiple statements executed successfully."]],
        "total": 1, "returned": 1, "queryResultFormat": "json", "statementTypeId": 0xA000, "version": 1,
        "parameters": [], "sqlState": "00000",
    }


def to_chunks(data, base_url, is_gzip, key):
    """Keeps the first quarter of the rows inline and moves the others to three remote chunks, in
    row order."""
    total = data.get("total", 0)
    cuts = [total * i // 4 for i in range(5)]
    is_arrow = data.get("queryResultFormat") == "arrow"
    table = read_arrow(data["rowsetBase64"]) if is_arrow else None
    data["chunks"] = []
    for start, end in zip(cuts[1:], cuts[2:]):
        if is_arrow:
            body = write_arrow(table.slice(start, end - start))
        else:
            body = json.dumps(data["rowset"][start:end])[1:-1].encode()
        chunk_id = uuid.uuid4().hex
        required = {SSE_C + "algorithm": "AES256", SSE_C + "key": key} if key else {}
        CHUNKS[chunk_id] = gzip.compress(body) if is_gzip else body, required
        data["chunks"].append({"url": f"{base_url}/_chunk/{chunk_id}", "rowCount": end - start,
                               "uncompressedSize": len(body), "compressedSize": len(body)})
    if is_arrow:
        data["rowsetBase64"] = base64.b64encode(write_arrow(table.slice(0, cuts[1]))).decode()
    else:
        data["rowset"] = data["rowset"][:cuts[1]]
    data.update(qrmk=key) if key else data.update(chunkHeaders={})


def complete(response, login, query_id, sql, base_url):
    """Adds the fields that a strict client requires to fakesnow's response to a statement."""
    status, body = response.status_code, json.loads(response.body)
    data = body.get("data")
    if body.get("success") and isinstance(data, dict) and "rowtype" in data:
        is_show = re.match(r"show\b", parse_statement(sql).text, re.I)
        # Snowflake sends only the results of queries as Arrow. Those of DDL, COPY and SHOW are
        # always JSON.
        is_query = data.get("statementTypeId", 0) < 0x3000 and not is_show
        if (login["json"] or not is_query or "fake:json" in sql) and data.get("queryResultFormat") == "arrow":
            to_json(data)
        session = login["session"]
        if is_show:
            data["statementTypeId"] = 0x4400
        if "fake:chunks" in sql:
            to_chunks(data, base_url, "fake:gzip" in sql, "a2V5" if "fake:qrmk" in sql else None)
        limit = int(session.value("ROWS_PER_RESULTSET", {}, 0))
        if limit and data.get("queryResultFormat") == "json" and len(data["rowset"]) > limit:
            data.update(rowset=data["rowset"][:limit], total=limit)
        if found := re.search(r"fake:rowtype=(\w+)", sql):
            data["rowtype"][0]["type"] = found.group(1)
        data.update(returned=data.get("total", 0), version=1, finalRoleName=session.role,
                    finalWarehouseName=session.warehouse, databaseProvider=None, numberOfBinds=0,
                    arrayBindSupported=False, sqlState="00000", sendResultTime=int(time.time() * 1000))
        if data.get("queryResultFormat") == "json":
            data.pop("rowsetBase64", None)
        body.update(code=None, message=None)
    elif not body.get("success"):
        code, message = body.get("code") or "000603", body.get("message") or ""
        error = UNHANDLED.get()
        if status == 500 and error.startswith("TransactionException") and "conflict" in error.lower():
            return refused(locked("unknown"), query_id)
        if status == 500:
            code, message, status = "000603", f"SQL execution internal error: {error} {message}", 200
        if status == 401:
            return JSONResponse(
                {"data": None, "code": code, "message": message, "success": False}, status_code=200
            )
        message = re.sub(r"^\d{6} \(\w+\): ", "", message)
        answer = sql_error(code, (data or {}).get("sqlState") or "42000", message, query_id)
        answer.status_code = status
        return answer
    return JSONResponse(body, status_code=status)


def rows_as_sql(columns, rows):
    """Returns a query whose result is these rows."""
    def literal(value):
        if isinstance(value, dt.datetime):
            return f"'{value.isoformat()}'::timestamp_ltz"
        return "'" + str(value).replace("'", "''") + "'"
    if not rows:
        kind = lambda column: "timestamp_ltz" if column == "created_on" else "varchar"
        return "SELECT " + ", ".join(f'NULL::{kind(c)} AS "{c}"' for c in columns) + " WHERE FALSE"
    selects = ("SELECT " + ", ".join(f'{literal(v)} AS "{c}"' for c, v in zip(columns, row)) for row in rows)
    return " UNION ALL ".join(selects)
