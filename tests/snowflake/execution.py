"""Runs statements on fakesnow, after checks of the role's privileges, the warehouse and the locks of
other sessions."""
import json, re, sys, time
import duckdb
import fakesnow.server  # noqa: F401
import parameters as session_parameters
from copy_into import list_stage
from privileges import Denied, does_not_exist, full_name
from protocol import DONE, complete, refused, rows_as_sql
from sessions import with_body
from statement import DDL, WRITES, name_parts
from warehouses import locked

server = sys.modules["fakesnow.server"]
COMPILATION_ERRORS = {"001003", "002003", "002043", "000904"}
INTEGRATION = (("property", "property_type", "property_value", "property_default"), [
    ("ENABLED", "Boolean", "true", "false"), ("STORAGE_PROVIDER", "String", "S3", ""),
    ("STORAGE_AWS_IAM_USER_ARN", "String", "arn:aws:iam::111111111111:user/fake", ""),
    ("STORAGE_AWS_EXTERNAL_ID", "String", "FAKE_SFCRole=1_fake=", "")])


def cannot_perform():
    message = "SQL compilation error:\nObject does not exist, or operation cannot be performed."
    return Denied("002043", "02000", message)


class Executor:
    def __init__(self, privileges, enforced, warehouses, locks, sessions, files):
        self.files = files
        self.privileges, self.enforced, self.warehouses = privileges, enforced, warehouses
        self.locks, self.sessions = locks, sessions

    async def run(self, request, body, statement, login, job, take_injected_error, base_url):
        """Runs a statement and returns the response."""
        session, sql = login["session"], job["sql"]
        session.running += 1
        running_on, compiled = None, True
        try:
            if rule := take_injected_error():
                if rule["code"] == "390111":
                    # The session ends, and with it its transaction and its locks.
                    await self.sessions.end(session)
                raise Denied(rule["code"], rule["state"], rule["message"])
            if "fake:locked" in sql:
                raise locked((statement.writes or [("", ("T",))])[0][1][-1])
            text = self.prepare(session, statement, sql)
            existed = (
                statement.verb == "CREATE"
                and bool(statement.kind)
                and not statement.temporary
                and self.privileges.exists(statement.kind, full_name(session, statement.kind, statement.name))
            )
            if statement.compute and session.warehouse:
                running_on = self.warehouses.begin(session.warehouse)
            if (statement.verb in DDL and statement.kind) or statement.verb in ("GRANT", "REVOKE"):
                session.end_transaction("commit")
            if statement.verb == "DROP" and statement.kind == "DATABASE":
                text = self.drop_database(session, statement)
            await self.take_locks(session, statement, body.get("parameters") or {}, job["cancelled"])
            if session.in_transaction() and not session.wrote and statement.verb not in ("COMMIT", "ROLLBACK"):
                # READ COMMITTED: every statement sees the rows that other sessions have committed.
                # After its first write, a transaction keeps DuckDB's snapshot.
                try:
                    session.conn._duck_conn.commit()
                    session.conn._duck_conn.begin()
                except duckdb.Error:
                    pass
            if statement.verb in WRITES:
                session.wrote = True
            response = await server.query_request(with_body(request, {**body, "sqlText": text}))
            answer = json.loads(response.body)
            compiled = answer.get("code") not in COMPILATION_ERRORS
            if answer.get("success"):
                self.apply(session, statement, existed)
            return complete(response, login, job["query_id"], sql, base_url)
        except Denied as denied:
            return refused(denied, job["query_id"])
        finally:
            session.running -= 1
            session.idle_since = time.monotonic()
            if running_on:
                self.warehouses.end(running_on, compiled)
            if not session.in_transaction():
                session.wrote = False
                self.locks.release(session)

    async def take_locks(self, session, statement, parameters, cancelled):
        changed = [(name, statement.verb not in ("INSERT", "COPY")) for _, name in statement.writes]
        if statement.verb in ("DROP", "ALTER") and statement.kind == "TABLE":
            changed.append((statement.name, True))
        for name, changes_rows in changed:
            if not session.is_temporary(name):
                lock_timeout = session.seconds("LOCK_TIMEOUT", parameters, 43200.0)
                # 0 means Snowflake's maximum, which is a week.
                timeout = session.seconds("STATEMENT_TIMEOUT_IN_SECONDS", parameters, 172800.0) or 604800.0
                table = full_name(session, "TABLE", name)
                await self.locks.take(session, table, changes_rows, lock_timeout, timeout, cancelled)

    def prepare(self, session, statement, sql):
        """Returns the SQL that fakesnow runs for a statement. Raises `Denied` without the privileges."""
        privileges = self.privileges
        if self.enforced:
            privileges.check(session, statement)
        if statement.unrooted:
            # Snowflake's documentation shows no WHERE without FROM, so the fake allows none.
            raise Denied("001003", "42000", "SQL compilation error:\nsyntax error unexpected 'where'.")
        sql = session_parameters.apply(session, statement, sql)
        if statement.verb in ("GRANT", "REVOKE"):
            privileges.grant_or_revoke(session, statement.text, self.enforced)
            return DONE
        if statement.verb == "SHOW" and (shown := privileges.show_grants(session, statement.text)):
            return rows_as_sql(*shown)
        if statement.verb in ("LIST", "LS"):
            return rows_as_sql(*list_stage(self.files, session.conn, statement.text))
        if "information_schema.query_history_by_session(" in statement.text:
            found = re.search(r"where query_id = '([^']*)'", statement.text)
            failed = session.failed_batches.get(found and found.group(1))
            return rows_as_sql(("QUERY_ID", "ERROR_CODE", "ERROR_MESSAGE"), [failed] if failed else [])
        if found := re.match(r"desc(?:ribe)?\s+(?:storage\s+)?integration\s+(\S+)", statement.text, re.I):
            name = name_parts(found.group(1))
            if ("INTEGRATION", name) not in privileges.owners:
                raise does_not_exist(name[0], "Integration")
            return rows_as_sql(*INTEGRATION)
        if statement.verb == "USE":
            use = re.match(r"use\s+(role|warehouse|secondary\s+roles)\s+(\S+)", statement.text, re.I)
            if use:
                self.use(session, use.group(1).lower(), name_parts(use.group(2))[0])
                return DONE
        if self.enforced and (found := re.match(r"use\s+(database|schema)?\s*(\S+)", statement.text, re.I)):
            self.check_use(session, found.group(1), name_parts(found.group(2)))
        if statement.verb == "ALTER" and re.match(r"alter\s+session\s+set\b", statement.text, re.I):
            settings = re.findall(r"(\w+)\s*=\s*('[^']*'|[\w.]+)", statement.text)
            session.parameters.update((name.upper(), value.strip("'")) for name, value in settings)
        if (
            statement.verb == "CREATE"
            and statement.kind in ("ROLE", "USER", "WAREHOUSE")
            and not statement.replaces
            and not re.search(r"\bif\s+not\s+exists\b", statement.text, re.I)
            and privileges.exists(statement.kind, statement.name)
        ):
            message = f"SQL compilation error:\nObject '{statement.name[0]}' already exists."
            raise Denied("002002", "42710", message)
        current = lambda found: "'%s'" % getattr(session, found.group(1).lower())
        return re.sub(r"(?i)\bcurrent_(role|warehouse|user)\s*\(\s*\)", current, sql)

    def use(self, session, what, name):
        if what == "role":
            if self.enforced and not self.sessions.has_role(session.user, name):
                message = (
                    f"SQL access control error:\nRequested role '{name}' is not assigned to the executing user."
                    " Specify another role to activate."
                )
                raise Denied("003013", "42501", message)
            session.role = name
        elif what == "warehouse":
            if self.enforced and not self.privileges.has_usage(session.role, "WAREHOUSE", (name,)):
                raise cannot_perform()
            session.warehouse = name

    def check_use(self, session, kind, name):
        kind = (kind or ("SCHEMA" if len(name) == 2 else "DATABASE")).upper()
        name = full_name(session, kind, name)
        usage = lambda kind, name: self.privileges.has_usage(session.role, kind, name)
        if not (usage("DATABASE", name[:1]) and (kind == "DATABASE" or usage("SCHEMA", name))):
            raise cannot_perform()

    def drop_database(self, session, statement):
        conn, (name,) = session.conn, statement.name
        query = "SELECT 1 FROM duckdb_databases() WHERE upper(database_name) = ?"
        exists = conn._duck_conn.execute(query, [name]).fetchone()
        if not exists and not re.search(r"\bif\s+exists\b", statement.text, re.I):
            raise does_not_exist(name, "Database")
        if exists:
            if conn.database == name:       # DuckDB cannot detach the current database of a connection
                conn._duck_conn.execute("USE memory.main")
                conn.database = conn._schema = None
                conn.database_set = conn.schema_set = False
            conn._duck_conn.execute(f'DETACH "{name}"')
        return f"SELECT '{name} successfully dropped.' AS \"status\""

    def apply(self, session, statement, existed):
        """Records the effects of a successful statement on objects that DuckDB does not have."""
        kind, name, privileges = statement.kind, statement.name, self.privileges
        if not kind or statement.verb not in ("CREATE", "DROP", "ALTER"):
            return
        if kind == "WAREHOUSE":
            self.warehouses.apply(statement)
        if statement.verb == "CREATE":
            if statement.temporary and kind == "TABLE":
                session.temporary |= {full_name(session, "TABLE", name), name}
                return
            is_new = not existed or statement.replaces
            if kind == "WAREHOUSE" and is_new:
                session.warehouse = name[0]
            if kind == "USER" and (
                found := re.search(r"\bdefault_role\s*=\s*'?([\w$]+)", statement.text, re.I)
            ):
                privileges.default_roles[name[0]] = name_parts(found.group(1))[0]
            if is_new:
                privileges.created(session.role, kind, full_name(session, kind, name))
        elif statement.verb == "DROP":
            if kind == "TABLE" and session.is_temporary(name):
                session.temporary -= {full_name(session, kind, name), name}
                return
            privileges.dropped(kind, full_name(session, kind, name))
        elif found := re.search(r"\brename\s+to\s+(\S+)\s*\Z", statement.text, re.I):
            if kind == "WAREHOUSE":
                return
            new_name = name_parts(found.group(1))
            old, new = full_name(session, kind, name), full_name(session, kind, new_name)
            if kind == "TABLE" and session.is_temporary(name):
                session.temporary = session.temporary - {old, name} | {new, new_name}
            else:
                privileges.renamed(kind, old, new)
