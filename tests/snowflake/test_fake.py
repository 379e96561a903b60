"""Tests of the fake Snowflake: python test_fake.py, with the packages of requirements.txt."""
import json, os, subprocess, sys, tempfile, threading, time, unittest, uuid
import requests

HERE = os.path.dirname(os.path.abspath(__file__))


class Fake:
    def __init__(self, *options):
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "fake_snowflake.py"), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        line = self.process.stdout.readline()
        if not line:
            self.stderr.seek(0)
            raise RuntimeError(self.stderr.read().decode())
        ready = json.loads(line)
        self.url, self.s3 = ready["url"], ready["s3"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.stderr.close()

    def session(self, **login):
        return Session(self.url, **login)

    def log(self, kind):
        return [e for e in requests.get(f"{self.url}/_log?n=100000", timeout=30).json()["log"] if e[0] == kind]

    def inject(self, **rule):
        requests.get(f"{self.url}/_inject", params=rule, timeout=30).raise_for_status()

    def forget(self):
        requests.get(f"{self.url}/_forget", timeout=30).raise_for_status()


class SqlError(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer['code']}: {answer['message']}")
        self.code, self.state, self.message = answer["code"], (answer["data"] or {}).get("sqlState"), answer["message"]


class Session:
    def __init__(self, url, role="accountadmin", user="setter", database="findata", schema="public", warehouse=None, **parameters):
        self.url = url
        names = {"databaseName": database, "schemaName": schema, "warehouse": warehouse, "roleName": role}
        data = {"LOGIN_NAME": user, "ACCOUNT_NAME": "account", "SESSION_PARAMETERS": parameters}
        answer = requests.post(f"{url}/session/v1/login-request", params={k: v for k, v in names.items() if v}, json={"data": data}, timeout=30).json()
        if not answer["success"]:
            raise SqlError(answer)
        self.headers = {"Authorization": f'Snowflake Token="{answer["data"]["token"]}"'}

    def post(self, sql, request=None, **parameters):
        return requests.post(f"{self.url}/queries/v1/query-request", params={"requestId": request or str(uuid.uuid4())}, json={"sqlText": sql, "parameters": parameters}, headers=self.headers, timeout=60)

    def execute(self, sql, **parameters):
        answer = self.post(sql, **parameters).json()
        if not answer["success"]:
            raise SqlError(answer)
        return answer["data"]

    def run(self, *statements):
        for sql in statements:
            rows = self.execute(sql)["rowset"]
        return rows

    def query(self, sql):
        data = self.execute(sql)
        return [dict(zip((c["name"] for c in data["rowtype"]), row)) for row in data["rowset"]]

    def end(self):
        requests.post(f"{self.url}/session", params={"delete": "true"}, headers=self.headers, timeout=30).raise_for_status()


class FakeTest(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.fake = Fake(*cls.options)
        cls.addClassCleanup(cls.fake.close)

    def assert_error(self, code, state, call, *arguments):
        with self.assertRaises(SqlError) as caught:
            call(*arguments)
        self.assertEqual((caught.exception.code, caught.exception.state), (code, state), caught.exception.message)
        return caught.exception.message


class GrantsTest(FakeTest):
    def test_grants_are_recorded_and_shown(self):
        s = self.fake.session(database="shown")
        s.run("create schema if not exists raw", "create table raw.prices (n bigint)", "create table raw.old (n bigint)", "create view raw.newest as select n from raw.prices",
              "create role if not exists loader", "create role reader", "create role deploy", "create warehouse wh with warehouse_size = xsmall auto_suspend = 60",
              "grant usage on database shown to role loader", "grant usage on schema shown.raw to role loader", "grant usage on warehouse wh to role loader",
              "grant select, insert on all tables in schema raw to role loader", "grant select on future tables in schema raw to role loader",
              "grant select on view raw.newest to role loader", "grant usage on stage raw.landing to role loader", "grant usage on file format raw.json to loader",
              "grant usage on integration lake to role loader", "grant role reader to role loader", "grant role loader to user svc",
              "grant delete on table raw.prices to role loader with grant option", "create table raw.later (n bigint)", "revoke insert on table raw.old from role loader")
        rows = s.query("show grants to role loader")
        self.assertEqual(list(rows[0]), ["created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by"])
        self.assertEqual({(r["privilege"], r["granted_on"], r["name"], r["grant_option"]) for r in rows}, {
            ("USAGE", "DATABASE", "SHOWN", "false"), ("USAGE", "SCHEMA", "SHOWN.RAW", "false"), ("USAGE", "WAREHOUSE", "WH", "false"),
            ("SELECT", "TABLE", "SHOWN.RAW.PRICES", "false"), ("INSERT", "TABLE", "SHOWN.RAW.PRICES", "false"), ("SELECT", "TABLE", "SHOWN.RAW.OLD", "false"),
            ("SELECT", "VIEW", "SHOWN.RAW.NEWEST", "false"), ("USAGE", "STAGE", "SHOWN.RAW.LANDING", "false"), ("USAGE", "FILE_FORMAT", "SHOWN.RAW.JSON", "false"),
            ("USAGE", "INTEGRATION", "LAKE", "false"), ("USAGE", "ROLE", "READER", "false"), ("DELETE", "TABLE", "SHOWN.RAW.PRICES", "true"),
            ("SELECT", "TABLE", "SHOWN.RAW.LATER", "false")})
        self.assertEqual({(r["granted_to"], r["grantee_name"], r["granted_by"]) for r in rows if r["granted_on"] != "ROLE"}, {("ROLE", "LOADER", "ACCOUNTADMIN")})
        future = s.query("show future grants in schema raw")
        self.assertEqual([(r["privilege"], r["grant_on"], r["name"], r["grantee_name"]) for r in future], [("SELECT", "TABLE", "SHOWN.RAW.<TABLE>", "LOADER")])
        self.assertEqual([r["role"] for r in s.query("show grants to user svc")], ["LOADER"])
        self.assertEqual(s.query("show grants to role deploy"), [])
        self.assert_error("002003", "02000", s.run, "show grants to role nobody")
        owned = {r["name"] for r in s.query("show grants to role accountadmin") if r["privilege"] == "OWNERSHIP" and r["granted_on"] == "TABLE"}
        self.assertEqual(owned, {"SHOWN.RAW.PRICES", "SHOWN.RAW.OLD", "SHOWN.RAW.LATER"})
        s.run("create or replace table raw.prices (n bigint)")
        mine = {(r["privilege"], r["name"]) for r in s.query("show grants to role loader") if r["granted_on"] == "TABLE"}
        self.assertIn(("SELECT", "SHOWN.RAW.PRICES"), mine)
        self.assertNotIn(("INSERT", "SHOWN.RAW.PRICES"), mine)
        s.run("drop table raw.old")
        self.assertFalse([r for r in s.query("show grants to role loader") if r["name"] == "SHOWN.RAW.OLD"])

    def test_setup_statements_are_repeatable(self):
        s = self.fake.session(database=None, schema=None)
        for _ in range(2):
            s.run("use role useradmin", "create role if not exists again", "use role sysadmin", "create warehouse if not exists again_wh initially_suspended = true", "alter warehouse again_wh set auto_suspend = 60",
                  "create database if not exists again", "use database again", "create schema if not exists raw", "use role accountadmin",
                  "create storage integration if not exists again_s3 type = external_stage storage_provider = 'S3' enabled = true storage_aws_role_arn = 'arn' storage_allowed_locations = ('s3://b/')", "grant usage on integration again_s3 to role sysadmin",
                  "create stage if not exists raw.landing url = 's3://b/' storage_integration = again_s3", "create user if not exists again_service type = service default_role = again",
                  "grant role again to user again_service", "create table if not exists raw.t (n bigint)", "grant select on all tables in schema again.raw to role again")
        self.assertEqual([(r["privilege"], r["name"]) for r in s.query("show grants to role again")], [("SELECT", "AGAIN.RAW.T")])
        self.assertIn("STORAGE_AWS_EXTERNAL_ID", [r["property"] for r in s.query("desc integration again_s3")])
        self.assert_error("002002", "42710", s.run, "create role again")
        s.run("drop user again_service", "drop role again", "drop integration again_s3", "drop database again", "drop database if exists again", "drop warehouse again_wh")
        self.assert_error("002003", "02000", s.run, "drop database again")
        self.assert_error("002003", "02000", s.run, "show grants to role again")

    def test_privileges_are_not_enforced_by_default(self):
        s = self.fake.session(role="nobody", database="free")
        s.run("create table t (n bigint)", "insert into t values (1)")
        self.assertEqual(s.run("select count(*)::varchar from t"), [["1"]])

    def test_use_switches_schema_role_and_warehouse(self):
        s = self.fake.session(role="one", warehouse="w1", database="uses")
        s.run("create schema other", "create table other.t (n bigint)", "use schema public")
        self.assert_error("002003", "42S02", s.run, "select n from t")
        s.run("use schema other", "select n from t", "use role two", "use warehouse w2")
        self.assertEqual(s.run("select current_role(), current_warehouse()"), [["TWO", "W2"]])
        self.assertEqual(self.fake.session(role="one", database="uses").run("select current_role()"), [["ONE"]])
        data = s.execute("select 1")
        self.assertEqual((data["finalRoleName"], data["finalWarehouseName"], data["finalDatabaseName"], data["finalSchemaName"]), ("TWO", "W2", "USES", "OTHER"))


class EnforcedPrivilegesTest(FakeTest):
    options = ("--privileges",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.fake.session()
        cls.admin.run(
            "create database if not exists findata", "create schema if not exists findata.raw", "create schema if not exists findata.analytics", "create schema findata.closed",
            "create warehouse if not exists wh auto_suspend = 60 initially_suspended = true", "use warehouse wh", "use schema findata.raw",
            "create table prices (n bigint, text varchar)", "create table closed.secret (n bigint)", "create stage landing url = 's3://bucket/some/'",
            "create table analytics.facts (n bigint)", "create view analytics.seen as select n from findata.raw.prices",
            "create role loader", "create role reader", "create user svc type = service default_role = loader", "grant role loader to user svc", "grant role reader to role loader",
            "grant usage on database findata to role loader", "grant usage on schema raw to role loader", "grant usage on warehouse wh to role loader",
            "grant usage on database findata to role reader", "grant usage on schema analytics to role reader", "grant select on all views in schema analytics to role reader",
            "grant select, insert on table prices to role loader")

    def loader(self, **login):
        return self.fake.session(**{"role": "loader", "user": "svc", "schema": "raw", "warehouse": "wh", **login})

    def test_a_role_has_only_the_privileges_granted_to_it(self):
        s = self.loader()
        s.run("insert into prices values (1, 'a')", "insert into raw.prices select n + 1, text from prices", "select n from findata.raw.prices")
        for sql in ["update prices set n = 2", "delete from prices", "delete from prices p using prices q where p.n = q.n", "truncate table prices",
                    "merge into prices p using (select 1 as n) s on p.n = s.n when matched then update set text = 'b'", "drop table prices",
                    "alter table prices add column x bigint", "create or replace table prices (n bigint)" ]:
            message = self.assert_error("003001", "42501", s.run, sql)
            self.assertRegex(message, r"\ASQL access control error:\nInsufficient privileges to operate on (table 'PRICES'|schema 'RAW')\Z")
        self.assert_error("003001", "42501", s.run, "create table made (n bigint)")
        self.assert_error("003001", "42501", s.run, "create schema findata.more")
        self.assert_error("003001", "42501", s.run, "grant select on table prices to role reader")
        self.assert_error("003001", "42501", s.run, "create role more")

    def test_temporary_tables_need_no_privileges(self):
        s = self.loader()
        s.run("create or replace temporary table incoming (n bigint)", "insert into incoming select n from prices", "update incoming set n = 3", "delete from incoming",
              "create or replace temporary table copied as select n from prices", "select n from copied", "drop table incoming")
        self.assert_error("002003", "02000", s.run, "create temporary table closed.x (n bigint)")

    def test_objects_without_usage_appear_not_to_exist(self):
        s = self.loader()
        for sql in ["select n from closed.secret", "insert into closed.secret values (1)", "with x as (select n from findata.closed.secret) select n from x"]:
            self.assertEqual(self.assert_error("002003", "02000", s.run, sql), "SQL compilation error:\nObject 'FINDATA.CLOSED.SECRET' does not exist or not authorized.")
        self.assert_error("002043", "02000", s.run, "use schema closed")

    def test_a_view_needs_no_privilege_on_its_tables(self):
        s = self.loader(role="reader", schema="analytics")
        self.assert_error("000606", "57P03", s.run, "select n from seen")
        self.admin.run("grant usage on warehouse wh to role reader")
        s.run("select n from seen")
        self.assert_error("003001", "42501", s.run, "select n from facts")
        self.assert_error("002003", "02000", s.run, "select n from raw.prices")
        self.admin.run("revoke usage on warehouse wh from role reader")

    def test_queries_need_a_warehouse(self):
        s = self.loader(warehouse=None)
        s.run("select 1", "begin", "commit", "show grants to role loader")
        self.assertIn("No active warehouse selected", self.assert_error("000606", "57P03", s.run, "select n from prices"))
        s.run("use warehouse wh", "select n from prices")

    def test_copy_needs_usage_on_its_stage(self):
        s = self.loader()
        copy = "copy into prices (n) from (select $1:n::bigint from @raw.landing) file_format = (type = json) files = ('x')"
        self.assertIn("stage 'LANDING'", self.assert_error("003001", "42501", s.run, copy))
        self.admin.run("grant usage on stage raw.landing to role loader")
        self.assert_error("091016", "22000", s.run, copy)       # the file does not exist

    def test_future_grants_apply_to_new_tables(self):
        self.admin.run("grant select on future tables in schema findata.raw to role loader", "create table findata.raw.later (n bigint)")
        s = self.loader()
        s.run("select n from later")
        self.assert_error("003001", "42501", s.run, "insert into later values (1)")

    def test_a_role_owns_what_it_creates(self):
        self.admin.run("create role maker", "grant usage on database findata to role maker", "grant usage on warehouse wh to role maker", "grant create schema on database findata to role maker")
        s = self.fake.session(role="maker", warehouse="wh", schema="raw")
        s.run("create schema findata.own", "create table own.t (n bigint)", "insert into own.t values (1)", "update own.t set n = 2", "alter table own.t add column x bigint",
              "grant select on table own.t to role loader", "create or replace table own.t (n bigint)", "drop table own.t", "drop schema findata.own")

    def test_a_user_can_only_use_granted_roles(self):
        self.assert_error("390189", None, lambda: self.loader(role="accountadmin"))
        self.assert_error("390189", None, lambda: self.loader(role="unheard_of"))
        s = self.loader()
        s.run("use role reader")
        self.assert_error("003013", "42501", s.run, "use role sysadmin")


class WarehousesTest(FakeTest):
    def test_only_statements_that_need_compute_resume_a_warehouse(self):
        s = self.fake.session(database="bill", warehouse="bill_wh")
        resumed = lambda: self.fake.log("resume").count(["resume", "BILL_WH"])
        s.run("create warehouse bill_wh warehouse_size = xsmall auto_suspend = 1 initially_suspended = true", "create table t (n bigint)", "create or replace temporary table x (n bigint)",
              "show grants to role accountadmin", "describe table t", "begin", "commit", "use schema public", "select 1", "grant select on table t to role r", "drop table x")
        self.assert_error("002003", "42S02", s.run, "select n from no_such_table")
        self.assertEqual(resumed(), 0)
        s.run("insert into t values (1)", "select n from t", "create table u as select n from t")
        self.assertEqual(resumed(), 1)
        time.sleep(1.3)
        s.run("begin", "commit")
        self.assertEqual(resumed(), 1)
        s.run("select n from t /*fake:delay=0.1*/", "select n from t")
        self.assertEqual(resumed(), 2)
        s.run("alter warehouse bill_wh suspend", "alter warehouse bill_wh set auto_suspend = 60", "update t set n = 2")
        self.assertEqual(resumed(), 3)
        time.sleep(1.3)
        s.run("delete from t")
        self.assertEqual(resumed(), 3)

    def test_the_log_contains_whole_statements(self):
        s = self.fake.session(database="log")
        sql = "select '" + "x" * 500 + " the end'"
        s.post(sql, QUERY_TAG="a tag")
        entry = [e for e in self.fake.log("query") if "the end" in e[2]][-1]
        self.assertEqual((entry[2], entry[4]), (sql, {"QUERY_TAG": "a tag"}))


class LocksTest(FakeTest):
    def two_sessions(self, database, **parameters):
        a, b = self.fake.session(database=database), self.fake.session(database=database, **parameters)
        a.run("create or replace table t (n bigint)", "insert into t values (1)")
        return a, b

    def test_a_statement_waits_for_a_lock(self):
        a, b = self.two_sessions("waits", LOCK_TIMEOUT=30)
        a.run("begin", "update t set n = 2")
        done = []
        thread = threading.Thread(target=lambda: done.append(b.run("update t set n = n + 10")))
        thread.start()
        time.sleep(0.5)
        self.assertEqual(done, [])
        a.run("commit")
        thread.join(20)
        self.assertEqual(len(done), 1)
        self.assertEqual(a.run("select n::varchar from t"), [["12"]])

    def test_waiting_for_a_lock_times_out(self):
        a, b = self.two_sessions("times", LOCK_TIMEOUT=1)
        a.run("begin", "delete from t")
        begun = time.monotonic()
        for sql in ["update t set n = 2", "merge into t using (select 1 as n) s on t.n = s.n when matched then delete", "begin", "delete from t", "rollback"]:
            if sql in ("begin", "rollback"): b.run(sql)
            else: self.assertIn("has locked table 'T'", self.assert_error("000625", "57014", b.run, sql))
        self.assertTrue(2.9 < time.monotonic() - begun < 10)
        self.assertEqual(b.post("update t set n = 2", LOCK_TIMEOUT=0).json()["code"], "000625")
        self.assertEqual(b.post("update t set n = 2", LOCK_TIMEOUT=9, STATEMENT_TIMEOUT_IN_SECONDS=1).json()["code"], "000630")
        self.assertEqual(b.run("select count(*)::varchar from t"), [["1"]])
        a.run("rollback")
        b.run("update t set n = 2")

    def test_a_transaction_sees_commits_before_its_first_write(self):
        a, b = self.two_sessions("reads")
        b.run("begin", "select n from t")
        a.run("update t set n = 5")
        self.assertEqual(b.run("select n::varchar from t"), [["5"]])
        b.run("update t set n = n + 1", "commit")
        self.assertEqual(a.run("select n::varchar from t"), [["6"]])

    def test_inserts_do_not_block_each_other(self):
        a, b = self.two_sessions("adds", LOCK_TIMEOUT=1)
        a.run("begin", "insert into t values (2)")
        b.run("insert into t values (3)")
        a.run("commit")
        self.assertEqual(a.run("select count(*)::varchar from t"), [["3"]])

    def test_ending_a_session_rolls_back_its_transaction(self):
        for end in ["end", "forget"]:
            a, b = self.two_sessions("ends_" + end, LOCK_TIMEOUT=1)
            a.run("create temporary table mine (n bigint)", "begin", "delete from t")
            (a.end if end == "end" else self.fake.forget)()
            if end == "forget":
                self.assert_error("390104", None, b.run, "select 1")
                b = self.fake.session(database="ends_" + end)
            self.assert_error("390104", None, a.run, "select 1")
            b.run("update t set n = 7")
            self.assertEqual(b.run("select n::varchar from t"), [["7"]])
            self.assert_error("002003", "42S02", b.run, "select n from mine")

    def test_ddl_commits_the_transaction(self):
        a, b = self.two_sessions("ddl", LOCK_TIMEOUT=1)
        a.run("begin", "insert into t values (2)", "create table other (n bigint)", "rollback")
        self.assertEqual(b.run("select count(*)::varchar from t"), [["2"]])

    def test_a_duckdb_conflict_is_reported_as_a_lock_timeout(self):
        a, b = self.two_sessions("conflicts")
        a.run("create table u (n bigint)")
        b.run("begin", "insert into u values (1)", "select n from t")
        a.run("update t set n = 2")
        self.assert_error("000625", "57014", b.run, "update t set n = 3")
        b.run("rollback")
        self.assertEqual(a.run("select n::varchar from t"), [["2"]])

    def test_temporary_tables_are_not_locked(self):
        a, b = self.two_sessions("temporary", LOCK_TIMEOUT=1)
        for s in (a, b): s.run("create temporary table mine (n bigint)", "alter table mine rename to t2", "begin", "insert into t2 values (1)", "update t2 set n = 2")
        for s in (a, b): s.run("rollback")

    def test_a_lock_error_on_request(self):
        a, _ = self.two_sessions("demand")
        self.assert_error("000625", "57014", a.run, "insert into t values (2) /*fake:locked*/")
        self.assertEqual(a.run("select count(*)::varchar from t"), [["1"]])


class IdleTransactionTest(FakeTest):
    options = ("--idle-after", "1")

    def test_an_idle_blocking_transaction_is_rolled_back(self):
        a, b = self.fake.session(database="idle"), self.fake.session(database="idle", LOCK_TIMEOUT=30)
        a.run("create table t (n bigint)", "insert into t values (1)", "begin", "delete from t")
        b.run("update t set n = 2")
        a.run("commit")
        self.assertEqual(b.run("select n::varchar from t"), [["2"]])


class InjectedFaultsTest(FakeTest):
    def tearDown(self):
        self.fake.inject()

    def session(self, database):
        s = self.fake.session(database=database)
        s.run("create or replace table t (n bigint)")
        return s

    def test_injected_errors(self):
        s = self.session("refusals")
        self.fake.inject(pattern="insert into t .*7", code="000603", state="XX000", message="no luck", times=2)
        for _ in range(2):
            self.assertEqual(self.assert_error("000603", "XX000", s.run, "INSERT into t values (7)"), "no luck")
        s.run("insert into t values (8)", "insert into t values (7)")
        self.assertEqual(s.run("select count(*)::varchar from t"), [["2"]])

    def test_injected_http_errors(self):
        s = self.session("http")
        self.fake.inject(pattern="insert", http=503, times=2)
        self.assertEqual([s.post("insert into t values (1)").status_code for _ in range(3)], [503, 503, 200])

    def test_lost_responses_and_resubmission(self):
        s = self.session("lost")
        self.fake.inject(pattern="insert", drop=1)
        request = str(uuid.uuid4())
        try: self.assertGreaterEqual(s.post("insert into t values (1)", request).status_code, 500)
        except requests.ConnectionError: pass
        self.assertTrue(s.post("insert into t values (1)", request).json()["success"])
        self.assertEqual(s.run("select count(*)::varchar from t"), [["1"]])

    def test_clearing_injected_faults(self):
        s = self.session("clearing")
        self.fake.inject(pattern="select", code="000604", state="57014", times=99)
        self.fake.inject()
        s.run("select 1")


class ConnectorTest(FakeTest):
    def test_the_python_connector_understands_the_responses(self):
        import snowflake.connector
        host, port = self.fake.url.removeprefix("http://").split(":")
        with snowflake.connector.connect(user="u", password="p", account="a", host=host, port=int(port), protocol="http", role="loader", database="con", schema="public", warehouse="wh", session_parameters={"LOCK_TIMEOUT": 1}) as con:
            cursor = con.cursor()
            cursor.execute("create or replace table t (n bigint)")
            cursor.execute("grant select on table t to role loader")
            rows = cursor.execute("show grants to role loader").fetchall()
            self.assertEqual([r[1:6] for r in rows], [("OWNERSHIP", "TABLE", "CON.PUBLIC.T", "ROLE", "LOADER"), ("SELECT", "TABLE", "CON.PUBLIC.T", "ROLE", "LOADER")])
            with self.assertRaises(snowflake.connector.errors.Error) as caught:
                cursor.execute("delete from t /*fake:locked*/")
            self.assertEqual((caught.exception.errno, caught.exception.sqlstate), (625, "57014"))


if __name__ == "__main__":
    tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    done = unittest.TextTestRunner(verbosity=2).run(tests)
    sys.exit(not (done.testsRun and done.wasSuccessful() and not done.skipped))
