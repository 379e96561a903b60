"""COPY INTO from s3:// for JSON files, in Python over boto3, because fakesnow's version lacks most
of it.

Supported: prefixes with recursion, PATTERN, FILES, FORCE, ON_ERROR abort|continue|skip_file,
STRIP_OUTER_ARRAY, gzip (detected by its magic bytes), the default FILE_FORMAT of a stage, $1,
$1:path, METADATA$*, and load metadata by (path, etag). Other files go to fakesnow's own COPY.
"""
import datetime as dt, gzip, json, re, threading
import duckdb, pyarrow as pa
from sqlglot import exp
from snowflake.connector.errors import ProgrammingError
import fakesnow.copy_into as fakesnow_copy
import fakesnow.cursor as fakesnow_cursor
import fakesnow.transforms as fakesnow_transforms
from fakesnow.transforms import stage as fakesnow_stage
from fakesnow.transforms.file_format import lookup_file_format

STAGE_FORMATS = {}   # (database, schema, stage) -> text of its FILE_FORMAT
LOADED = {}          # (database, schema, table) -> {(url, etag)}, the load metadata
OPTIONS = {
    "FILES",
    "PATTERN",
    "FORCE",
    "ON_ERROR",
    "PURGE",
    "SIZE_LIMIT",
    "RETURN_FAILED_ONLY",
    "LOAD_UNCERTAIN_FILES",
    "MATCH_BY_COLUMN_NAME",
    "ENFORCE_LENGTH",
    "TRUNCATECOLUMNS",
    "VALIDATION_MODE",
}
RESULT_COLUMNS = ("file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error",
                  "first_error_line", "first_error_character", "first_error_column_name")


class Current(threading.local):
    """Holds, per thread, the connection whose statement the thread runs. Sessions run concurrently, and
    each statement runs in a thread of its own."""

    conn = None


CURRENT = Current()


def compilation_error(message, errno, sqlstate):
    return ProgrammingError(msg=f"SQL compilation error:\n{message}", errno=errno, sqlstate=sqlstate)


def forget_pending_loads(conn):
    """Discards the load metadata of a transaction that was rolled back."""
    for table, files in conn.__dict__.get("_fake_pending_loads") or []:
        LOADED.get(table, set()).difference_update(files)


def create_stage(expression, database, schema):
    """fakesnow's CREATE STAGE, which also remembers the stage's file format."""
    result = original_create_stage(expression, database, schema)
    if result is not expression:
        table = expression.find(exp.Table)
        key = (table.catalog or database, table.db or schema, table.this.this)
        found = re.search(r"FILE_FORMAT\s*=\s*\((.*?)\)", expression.sql(dialect="snowflake"), re.I | re.S)
        STAGE_FORMATS[key] = found.group(1) if found else ""
    return result


def parse_format(text, con, database, schema):
    """Returns the options of a file format, including those of a named format."""
    options = {}
    for name, value in re.findall(r"(\w+)\s*=\s*('(?:[^']|'')*'|[\w.\"]+)", text or ""):
        options[name.upper()] = value.strip("'").strip('"')
    if name := options.pop("FORMAT_NAME", None):
        named = lookup_file_format(con, name, database, schema)
        options = {**{k: str(v) for k, v in named.items()}, **options}
    return options


class S3Files:
    def __init__(self, client):
        self.client = client

    @staticmethod
    def split(url):
        found = re.match(r"s3://([^/]+)/?(.*)$", url)
        return found.group(1), found.group(2)

    def list(self, url):
        """Yields (url, object) of every key that begins with the url, which need not end at a slash."""
        bucket, prefix = self.split(url)
        try:
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield f"s3://{bucket}/{found['Key']}", found
        except Exception as e:
            message = f"Failure using stage area. Cause: [{e}]"
            raise ProgrammingError(msg=message, errno=91016, sqlstate="22000") from None

    def read(self, url):
        bucket, key = self.split(url)
        body = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode("utf-8")

    def select(self, url, files, pattern):
        """Returns the objects that a COPY reads: the named files under the url, or else all objects
        under it. A pattern limits them further."""
        if files is None:
            found = [entry for entry in self.list(url) if not entry[0].endswith("/")]
        else:
            found = []
            for name in files:
                file_url = url + name if url.endswith("/") else url.rstrip("/") + "/" + name.lstrip("/")
                matches = [entry for entry in self.list(file_url) if entry[0] == file_url]
                if not matches:
                    message = (f"Remote file '{file_url}' was not found. There are several potential causes."
                               " The file might not exist.")
                    raise ProgrammingError(msg=message, errno=91016, sqlstate="22000")
                found += matches
        return [entry for entry in found if not pattern or re.fullmatch(pattern, self.split(entry[0])[1])]


def split_json(text, strip_outer_array):
    """Yields (line number, JSON text or None, error or None) for each value."""
    decoder, position = json.JSONDecoder(parse_float=str, parse_int=str), 0
    while True:
        while position < len(text) and text[position] in " \t\r\n\ufeff":
            position += 1
        if position >= len(text):
            return
        line = text.count("\n", 0, position) + 1
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as e:
            yield line, None, f"Error parsing JSON: {e.msg}"
            newline = text.find("\n", position)
            if newline < 0:
                return
            position = newline + 1
            continue
        raw, position = text[position:end], end
        if strip_outer_array and isinstance(value, list):
            yield from ((line, json.dumps(item), None) for item in json.loads(raw))
        else:
            yield line, raw, None


def copy_options(expression, con, database, schema):
    """Returns the options of a COPY, and the options of its FILE_FORMAT or None."""
    options, file_format = {}, None
    for param in expression.args.get("params") or []:
        name = param.this.name.upper()
        if name == "FILE_FORMAT":
            text = ", ".join(e.sql(dialect="snowflake") for e in param.expressions) or param.sql(
                dialect="snowflake"
            )
            file_format = parse_format(text, con, database, schema)
        elif name == "FILES":
            options["FILES"] = [literal.name for literal in param.find_all(exp.Literal)]
        else:
            value = param.expression
            plain = isinstance(value, (exp.Literal, exp.Var, exp.Column, exp.Identifier))
            options[name] = value.name if plain else value.sql() if value is not None else "TRUE"
    return options, file_format


def projection(expression, target_columns):
    """Rewrites the select list of a COPY for the table that `load_file` makes from a file."""
    source = expression.args["files"][0].this
    if isinstance(source, exp.Select):
        clauses = ("where", "group", "joins", "order", "limit", "having", "qualify")
        if any(source.args.get(k) for k in clauses) or any(isinstance(e, exp.Star) for e in source.expressions):
            raise compilation_error(
                "COPY statement only supports simple SELECT from stage statements for import.", 2098, "0A000"
            )
        columns = [e.unalias() for e in source.expressions]
        if len(columns) != len(target_columns):
            raise compilation_error(
                f"Insert value list does not match column list expecting {len(target_columns)}"
                f" but got {len(columns)}",
                2020,
                "21S01",
            )
        text = ", ".join(column.sql(dialect="snowflake") for column in columns)
    else:
        if len(target_columns) != 1:
            raise compilation_error(
                "JSON file format can produce one and only one column of type variant, object, or"
                " array. Use CSV file format if you want to load more than one column.",
                2019,
                "0A000",
            )
        text = "$1"
    text = re.sub(r"(?:\b\w+\.)?\$1", "C1", text)
    if found := re.search(r"\$\d+", text):
        raise compilation_error(f"invalid column position {found.group(0)} for JSON", 2019, "0A000")
    return re.sub(r"METADATA\$", "M_", text, flags=re.I)


def load_file(con, table, target_columns, select, values, key, entry, started):
    """Inserts the values of one file and returns the number of rows. After an error the caller must
    roll back."""
    count = len(values)
    rows = pa.table(
        {
            "C1": pa.array([raw for _, raw, _ in values], pa.string()),
            "M_FILENAME": pa.array([key] * count, pa.string()),
            "M_FILE_ROW_NUMBER": pa.array(list(range(1, count + 1)), pa.int64()),
            "M_FILE_CONTENT_KEY": pa.array([entry["ETag"].strip('"')] * count, pa.string()),
            "M_FILE_LAST_MODIFIED": pa.array(
                [entry["LastModified"].replace(tzinfo=None)] * count, pa.timestamp("us")
            ),
            "M_START_SCAN_TIME": pa.array([started] * count, pa.timestamp("us")),
        }
    )
    con.register("_fake_copy_rows", rows)
    con.execute("CREATE OR REPLACE TEMP TABLE FAKE_COPY_SOURCE AS"
                " SELECT C1::JSON AS C1, * EXCLUDE (C1) FROM _fake_copy_rows")
    con.unregister("_fake_copy_rows")
    insert = f"INSERT INTO {table} ({', '.join(target_columns)}) SELECT {select} FROM FAKE_COPY_SOURCE"
    cursor = fakesnow_cursor.FakeSnowflakeCursor(conn=CURRENT.conn, duck_conn=con)
    try:
        sql = cursor._transform(fakesnow_cursor.parse_one(insert), None).sql(dialect="duckdb")
        return con.execute(sql).fetchall()[0][0]
    except duckdb.ConversionException as e:
        message = str(e).split("\n")[0] + f"\n  File '{key}'"
        raise ProgrammingError(msg=message, errno=100038, sqlstate="22018") from None
    except duckdb.BinderException as e:
        raise compilation_error(str(e).split("\n")[0], 904, "42000") from None


def copy_into(files, con, database, schema, expression, table_stages, params=None):
    source = fakesnow_copy._from_source(expression)
    table = fakesnow_copy._extract_table(expression.this)
    table_key = (table.catalog or database, table.db or schema, table.name)
    stage_key, url = None, source
    if source.startswith("@"):
        url = fakesnow_copy.stage_url_from_var(source[1:], con, database, schema, table_stages, table)
        stage_key = fakesnow_stage.parts_from_var(source[1:].partition("/")[0], database, schema)
    options, file_format = copy_options(expression, con, database, schema)
    if file_format is None:
        file_format = parse_format(STAGE_FORMATS.get(stage_key, ""), con, database, schema)
    if not url.startswith("s3://") or file_format.get("TYPE", "CSV").upper() != "JSON":
        return original_copy_into(con, database, schema, expression, table_stages, params)
    if unknown := set(options) - OPTIONS:
        raise compilation_error(f"invalid parameter '{unknown.pop()}'", 1420, "42601")
    if "VALIDATION_MODE" in options or "MATCH_BY_COLUMN_NAME" in options:
        raise NotImplementedError(f"COPY option {options}")
    force = options.get("FORCE", "FALSE").upper() == "TRUE"
    strip_outer_array = file_format.get("STRIP_OUTER_ARRAY", "FALSE").upper() == "TRUE"
    on_error = options.get("ON_ERROR", "ABORT_STATEMENT").upper().strip("'")
    table_sql = ".".join(f'"{part}"' for part in table_key)
    temporary = "SELECT 1 FROM duckdb_tables() WHERE database_name = 'temp' AND table_name = ?"
    if not table.db and con.execute(temporary, [table.name]).fetchone():
        table_sql = f'"{table.name}"'       # DuckDB keeps temporary tables in a database of their own
    columns = con.execute(f"DESCRIBE {table_sql}").fetchall()
    if isinstance(expression.this, exp.Schema):
        target_columns = [column.name.upper() for column in expression.this.expressions]
    else:
        target_columns = [column[0] for column in columns]
    select = projection(expression, target_columns)

    started = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    loaded_before, new_files, parsed = LOADED.setdefault(table_key, set()), set(), []
    # The first pass reads and parses every file, so a statement that aborts has loaded nothing.
    for file_url, entry in files.select(url, options.get("FILES"), options.get("PATTERN")):
        tag = (file_url, entry["ETag"])
        if tag in loaded_before and not force:
            continue                        # a loaded file is not in Snowflake's result either
        key = files.split(file_url)[1]
        values, errors = [], []
        for line, raw, error in split_json(files.read(file_url), strip_outer_array):
            (errors if error else values).append((line, raw, error))
        if errors and on_error == "ABORT_STATEMENT":
            line, _, error = errors[0]
            message = (
                f"{error}\n  File '{key}', line {line}, character 1\n"
                f'  Row {line}, column "{table_key[2]}"["$1":1]\n'
                "  If you would like to continue loading when an error is encountered, use other values such as"
                " 'SKIP_FILE' or 'CONTINUE' for the ON_ERROR option."
            )
            raise ProgrammingError(msg=message, errno=100069, sqlstate="22P02")
        parsed.append((file_url, entry, key, tag, values, errors))

    in_transaction = CURRENT.conn.__dict__.get("_fake_in_transaction") or not CURRENT.conn._autocommit
    own_transaction = bool(parsed) and not in_transaction
    if own_transaction:
        con.begin()                         # COPY is one atomic statement
    rows = []
    for file_url, entry, key, tag, values, errors in parsed:
        skipped = bool(errors) and on_error.startswith("SKIP_FILE")
        try:
            loaded = (
                0 if skipped else load_file(con, table_sql, target_columns, select, values, key, entry, started)
            )
        except ProgrammingError:
            if own_transaction:
                con.rollback()
            raise
        status = "LOAD_FAILED" if skipped else "PARTIALLY_LOADED" if errors else "LOADED"
        if not skipped:
            new_files.add(tag)
        total = len(values) + len(errors)
        first_error = (errors[0][2], errors[0][0], 1, f'"{table_key[2]}"["$1":1]') if errors else (None,) * 4
        error_limit = 1 if on_error == "ABORT_STATEMENT" else total
        rows.append((file_url, status, total, loaded, error_limit, len(errors), *first_error))
    for row in rows:
        values = [
            table_key[1],
            row[0],
            table_key[2],
            dt.datetime.now(dt.UTC).isoformat(),
            row[1],
            row[3],
            row[2],
            *row[6:10],
            row[5],
            row[4],
        ]
        con.execute(
            "INSERT INTO _fs_information_schema._fs_load_history VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", values
        )
    if own_transaction:
        con.commit()
    else:
        CURRENT.conn.__dict__.setdefault("_fake_pending_loads", []).append((table_key, new_files))
    loaded_before |= new_files
    if rows:
        values = exp.values(rows, alias="t", columns=RESULT_COLUMNS)
        sql = exp.select("*").from_(values).sql(dialect="duckdb")
    else:
        sql = "SELECT 'Copy executed with 0 files processed.' AS status"
    con.execute(sql)
    return sql


def list_stage(files, conn, text):
    """Returns the columns and rows of LIST @stage/path."""
    name, _, path = re.match(r"(?:list|ls)\s+@(\S+)", text, re.I).group(1).partition("/")
    url = fakesnow_copy.stage_url_from_var(name, conn._duck_conn, conn.database, conn.schema, {}, None)
    rows = [(url, entry["Size"], entry["ETag"].strip('"'), entry["LastModified"].isoformat())
            for url, entry in files.list(url + path)]
    return ("name", "size", "md5", "last_modified"), rows


def transform(self, expression, params):
    """fakesnow's 80 passes over a statement, which a COPY does not need: `projection` and `load_file` read it."""
    if isinstance(expression, exp.Copy):
        return expression.transform(fakesnow_transforms.upper_case_unquoted_identifiers, copy=False)
    return original_transform(self, expression, params)


original_create_stage, original_copy_into = fakesnow_stage.create_stage, fakesnow_copy.copy_into
original_transform = fakesnow_cursor.FakeSnowflakeCursor._transform


def install(s3_client):
    """Returns the files on S3."""
    files = S3Files(s3_client)
    fakesnow_transforms.create_stage = create_stage
    fakesnow_cursor.FakeSnowflakeCursor._transform = transform
    fakesnow_cursor.copy_into = lambda *args, **kwargs: copy_into(files, *args, **kwargs)
    return files
