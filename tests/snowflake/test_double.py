"""What the double of Snowflake promises. `python test_double.py` runs all of it, with the packages of requirements.txt."""
import json, os, subprocess, sys, tempfile, threading, time, unittest, uuid
import requests

HERE = os.path.dirname(os.path.abspath(__file__))


class Double:
    def __init__(self, *options):
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "fakesnow_plus.py"), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        line = self.process.stdout.readline()
        if not line:
            self.said.seek(0)
            raise RuntimeError(self.said.read().decode())
        ready = json.loads(line)
        self.url, self.s3 = ready["url"], ready["s3"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.said.close()

    def session(self, **login):
        return Session(self.url, **login)

    def log(self, kind):
        return [e for e in requests.get(f"{self.url}/_log?n=100000", timeout=30).json()["log"] if e[0] == kind]

    def inject(self, **rule):
        requests.get(f"{self.url}/_inject", params=rule, timeout=30).raise_for_status()

    def forget(self):
        requests.get(f"{self.url}/_forget", timeout=30).raise_for_status()


class Refused(Exception):
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
            raise Refused(answer)
        self.headers = {"Authorization": f'Snowflake Token="{answer["data"]["token"]}"'}

    def post(self, sql, request=None, **parameters):
        return requests.post(f"{self.url}/queries/v1/query-request", params={"requestId": request or str(uuid.uuid4())}, json={"sqlText": sql, "parameters": parameters}, headers=self.headers, timeout=60)

    def answer(self, sql, **parameters):
        answer = self.post(sql, **parameters).json()
        if not answer["success"]:
            raise Refused(answer)
        return answer["data"]

    def run(self, *statements):
        for sql in statements:
            rows = self.answer(sql)["rowset"]
        return rows

    def named(self, sql):
        data = self.answer(sql)
        return [dict(zip((c["name"] for c in data["rowtype"]), row)) for row in data["rowset"]]

    def end(self):
        requests.post(f"{self.url}/session", params={"delete": "true"}, headers=self.headers, timeout=30).raise_for_status()


class Case(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.double = Double(*cls.options)
        cls.addClassCleanup(cls.double.close)

    def refused(self, code, state, act, *statements):
        with self.assertRaises(Refused) as caught:
            act(*statements)
        self.assertEqual((caught.exception.code, caught.exception.state), (code, state), caught.exception.message)
        return caught.exception.message


class Grants(Case):
    def test_grants_are_recorded_and_shown(self):
        s = self.double.session(database="shown")
        s.run("create schema if not exists raw", "create table raw.prices (n bigint)", "create table raw.old (n bigint)", "create view raw.newest as select n from raw.prices",
              "create role if not exists loader", "create role reader", "create role deploy", "create warehouse wh with warehouse_size = xsmall auto_suspend = 60",
              "grant usage on database shown to role loader", "grant usage on schema shown.raw to role loader", "grant usage on warehouse wh to role loader",
              "grant select, insert on all tables in schema raw to role loader", "grant select on future tables in schema raw to role loader",
              "grant select on view raw.newest to role loader", "grant usage on stage raw.landing to role loader", "grant usage on file format raw.json to loader",
              "grant usage on integration lake to role loader", "grant role reader to role loader", "grant role loader to user svc",
              "grant delete on table raw.prices to role loader with grant option", "create table raw.later (n bigint)", "revoke insert on table raw.old from role loader")
        rows = s.named("show grants to role loader")
        self.assertEqual(list(rows[0]), ["created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by"])
        self.assertEqual({(r["privilege"], r["granted_on"], r["name"], r["grant_option"]) for r in rows}, {
            ("USAGE", "DATABASE", "SHOWN", "false"), ("USAGE", "SCHEMA", "SHOWN.RAW", "false"), ("USAGE", "WAREHOUSE", "WH", "false"),
            ("SELECT", "TABLE", "SHOWN.RAW.PRICES", "false"), ("INSERT", "TABLE", "SHOWN.RAW.PRICES", "false"), ("SELECT", "TABLE", "SHOWN.RAW.OLD", "false"),
            ("SELECT", "VIEW", "SHOWN.RAW.NEWEST", "false"), ("USAGE", "STAGE", "SHOWN.RAW.LANDING", "false"), ("USAGE", "FILE_FORMAT", "SHOWN.RAW.JSON", "false"),
            ("USAGE", "INTEGRATION", "LAKE", "false"), ("USAGE", "ROLE", "READER", "false"), ("DELETE", "TABLE", "SHOWN.RAW.PRICES", "true"),
            ("SELECT", "TABLE", "SHOWN.RAW.LATER", "false")})
        self.assertEqual({(r["granted_to"], r["grantee_name"], r["granted_by"]) for r in rows if r["granted_on"] != "ROLE"}, {("ROLE", "LOADER", "ACCOUNTADMIN")})
        future = s.named("show future grants in schema raw")
        self.assertEqual([(r["privilege"], r["grant_on"], r["name"], r["grantee_name"]) for r in future], [("SELECT", "TABLE", "SHOWN.RAW.<TABLE>", "LOADER")])
        self.assertEqual([r["role"] for r in s.named("show grants to user svc")], ["LOADER"])
        self.assertEqual(s.named("show grants to role deploy"), [])
        self.refused("002003", "02000", s.run, "show grants to role nobody")
        owned = {r["name"] for r in s.named("show grants to role accountadmin") if r["privilege"] == "OWNERSHIP" and r["granted_on"] == "TABLE"}
        self.assertEqual(owned, {"SHOWN.RAW.PRICES", "SHOWN.RAW.OLD", "SHOWN.RAW.LATER"})
        s.run("create or replace table raw.prices (n bigint)")
        mine = {(r["privilege"], r["name"]) for r in s.named("show grants to role loader") if r["granted_on"] == "TABLE"}
        self.assertIn(("SELECT", "SHOWN.RAW.PRICES"), mine)
        self.assertNotIn(("INSERT", "SHOWN.RAW.PRICES"), mine)
        s.run("drop table raw.old")
        self.assertFalse([r for r in s.named("show grants to role loader") if r["name"] == "SHOWN.RAW.OLD"])

    def test_a_set_up_may_be_repeated(self):
        s = self.double.session(database=None, schema=None)
        for _ in range(2):
            s.run("use role useradmin", "create role if not exists again", "use role sysadmin", "create warehouse if not exists again_wh initially_suspended = true", "alter warehouse again_wh set auto_suspend = 60",
                  "create database if not exists again", "use database again", "create schema if not exists raw", "use role accountadmin",
                  "create storage integration if not exists again_s3 type = external_stage storage_provider = 'S3' enabled = true storage_aws_role_arn = 'arn' storage_allowed_locations = ('s3://b/')", "grant usage on integration again_s3 to role sysadmin",
                  "create stage if not exists raw.landing url = 's3://b/' storage_integration = again_s3", "create user if not exists again_service type = service default_role = again",
                  "grant role again to user again_service", "create table if not exists raw.t (n bigint)", "grant select on all tables in schema again.raw to role again")
        self.assertEqual([(r["privilege"], r["name"]) for r in s.named("show grants to role again")], [("SELECT", "AGAIN.RAW.T")])
        self.assertIn("STORAGE_AWS_EXTERNAL_ID", [r["property"] for r in s.named("desc integration again_s3")])
        self.refused("002002", "42710", s.run, "create role again")
        s.run("drop user again_service", "drop role again", "drop integration again_s3", "drop database again", "drop database if exists again", "drop warehouse again_wh")
        self.refused("002003", "02000", s.run, "drop database again")
        self.refused("002003", "02000", s.run, "show grants to role again")

    def test_nothing_is_enforced_unasked(self):
        s = self.double.session(role="nobody", database="free")
        s.run("create table t (n bigint)", "insert into t values (1)")
        self.assertEqual(s.run("select count(*)::varchar from t"), [["1"]])

    def test_use_switches(self):
        s = self.double.session(role="one", warehouse="w1", database="uses")
        s.run("create schema other", "create table other.t (n bigint)", "use schema public")
        self.refused("002003", "42S02", s.run, "select n from t")
        s.run("use schema other", "select n from t", "use role two", "use warehouse w2")
        self.assertEqual(s.run("select current_role(), current_warehouse()"), [["TWO", "W2"]])
        self.assertEqual(self.double.session(role="one", database="uses").run("select current_role()"), [["ONE"]])
        data = s.answer("select 1")
        self.assertEqual((data["finalRoleName"], data["finalWarehouseName"], data["finalDatabaseName"], data["finalSchemaName"]), ("TWO", "W2", "USES", "OTHER"))


class Enforced(Case):
    options = ("--privileges",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.double.session()
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
        return self.double.session(**{"role": "loader", "user": "svc", "schema": "raw", "warehouse": "wh", **login})

    def test_a_role_may_what_it_was_granted(self):
        s = self.loader()
        s.run("insert into prices values (1, 'a')", "insert into raw.prices select n + 1, text from prices", "select n from findata.raw.prices")
        for sql in ["update prices set n = 2", "delete from prices", "delete from prices p using prices q where p.n = q.n", "truncate table prices",
                    "merge into prices p using (select 1 as n) s on p.n = s.n when matched then update set text = 'b'", "drop table prices",
                    "alter table prices add column x bigint", "create or replace table prices (n bigint)" ]:
            message = self.refused("003001", "42501", s.run, sql)
            self.assertRegex(message, r"\ASQL access control error:\nInsufficient privileges to operate on (table 'PRICES'|schema 'RAW')\Z")
        self.refused("003001", "42501", s.run, "create table made (n bigint)")
        self.refused("003001", "42501", s.run, "create schema findata.more")
        self.refused("003001", "42501", s.run, "grant select on table prices to role reader")
        self.refused("003001", "42501", s.run, "create role more")

    def test_temporary_tables_need_no_privilege_on_them(self):
        s = self.loader()
        s.run("create or replace temporary table incoming (n bigint)", "insert into incoming select n from prices", "update incoming set n = 3", "delete from incoming",
              "create or replace temporary table copied as select n from prices", "select n from copied", "drop table incoming")
        self.refused("002003", "02000", s.run, "create temporary table closed.x (n bigint)")

    def test_without_usage_nothing_is_seen(self):
        s = self.loader()
        for sql in ["select n from closed.secret", "insert into closed.secret values (1)", "with x as (select n from findata.closed.secret) select n from x"]:
            self.assertEqual(self.refused("002003", "02000", s.run, sql), "SQL compilation error:\nObject 'FINDATA.CLOSED.SECRET' does not exist or not authorized.")
        self.refused("002043", "02000", s.run, "use schema closed")

    def test_a_view_needs_no_more_than_itself(self):
        s = self.loader(role="reader", schema="analytics")
        self.refused("000606", "57P03", s.run, "select n from seen")
        self.admin.run("grant usage on warehouse wh to role reader")
        s.run("select n from seen")
        self.refused("003001", "42501", s.run, "select n from facts")
        self.refused("002003", "02000", s.run, "select n from raw.prices")
        self.admin.run("revoke usage on warehouse wh from role reader")

    def test_a_statement_needs_a_warehouse(self):
        s = self.loader(warehouse=None)
        s.run("select 1", "begin", "commit", "show grants to role loader")
        self.assertIn("No active warehouse selected", self.refused("000606", "57P03", s.run, "select n from prices"))
        s.run("use warehouse wh", "select n from prices")

    def test_copy_needs_its_stage(self):
        s = self.loader()
        copy = "copy into prices (n) from (select $1:n::bigint from @raw.landing) file_format = (type = json) files = ('x')"
        self.assertIn("stage 'LANDING'", self.refused("003001", "42501", s.run, copy))
        self.admin.run("grant usage on stage raw.landing to role loader")
        self.refused("091016", "22000", s.run, copy)       # there is no such file

    def test_future_grants_hold_for_what_comes(self):
        self.admin.run("grant select on future tables in schema findata.raw to role loader", "create table findata.raw.later (n bigint)")
        s = self.loader()
        s.run("select n from later")
        self.refused("003001", "42501", s.run, "insert into later values (1)")

    def test_what_a_role_made_is_its_own(self):
        self.admin.run("create role maker", "grant usage on database findata to role maker", "grant usage on warehouse wh to role maker", "grant create schema on database findata to role maker")
        s = self.double.session(role="maker", warehouse="wh", schema="raw")
        s.run("create schema findata.own", "create table own.t (n bigint)", "insert into own.t values (1)", "update own.t set n = 2", "alter table own.t add column x bigint",
              "grant select on table own.t to role loader", "create or replace table own.t (n bigint)", "drop table own.t", "drop schema findata.own")

    def test_a_role_must_be_granted_to_its_user(self):
        self.refused("390189", None, lambda: self.loader(role="accountadmin"))
        self.refused("390189", None, lambda: self.loader(role="unheard_of"))
        s = self.loader()
        s.run("use role reader")
        self.refused("003013", "42501", s.run, "use role sysadmin")


class Compute(Case):
    def test_a_warehouse_is_resumed_by_what_needs_it(self):
        s = self.double.session(database="bill", warehouse="bill_wh")
        resumed = lambda: self.double.log("resume").count(["resume", "BILL_WH"])
        s.run("create warehouse bill_wh warehouse_size = xsmall auto_suspend = 1 initially_suspended = true", "create table t (n bigint)", "create or replace temporary table x (n bigint)",
              "show grants to role accountadmin", "describe table t", "begin", "commit", "use schema public", "select 1", "grant select on table t to role r", "drop table x")
        self.refused("002003", "42S02", s.run, "select n from no_such_table")
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

    def test_the_log_keeps_the_whole_statement(self):
        s = self.double.session(database="log")
        sql = "select '" + "x" * 500 + " the end'"
        s.post(sql, QUERY_TAG="a tag")
        entry = [e for e in self.double.log("query") if "the end" in e[2]][-1]
        self.assertEqual((entry[2], entry[4]), (sql, {"QUERY_TAG": "a tag"}))


class Locks(Case):
    def two(self, database, **parameters):
        a, b = self.double.session(database=database), self.double.session(database=database, **parameters)
        a.run("create or replace table t (n bigint)", "insert into t values (1)")
        return a, b

    def test_a_lock_is_waited_for(self):
        a, b = self.two("waits", LOCK_TIMEOUT=30)
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

    def test_a_lock_times_out(self):
        a, b = self.two("times", LOCK_TIMEOUT=1)
        a.run("begin", "delete from t")
        begun = time.monotonic()
        for sql in ["update t set n = 2", "merge into t using (select 1 as n) s on t.n = s.n when matched then delete", "begin", "delete from t", "rollback"]:
            if sql in ("begin", "rollback"): b.run(sql)
            else: self.assertIn("has locked table 'T'", self.refused("000625", "57014", b.run, sql))
        self.assertTrue(2.9 < time.monotonic() - begun < 10)
        self.assertEqual(b.post("update t set n = 2", LOCK_TIMEOUT=0).json()["code"], "000625")
        self.assertEqual(b.post("update t set n = 2", LOCK_TIMEOUT=9, STATEMENT_TIMEOUT_IN_SECONDS=1).json()["code"], "000630")
        self.assertEqual(b.run("select count(*)::varchar from t"), [["1"]])
        a.run("rollback")
        b.run("update t set n = 2")

    def test_a_transaction_sees_what_was_committed_before_its_first_change(self):
        a, b = self.two("reads")
        b.run("begin", "select n from t")
        a.run("update t set n = 5")
        self.assertEqual(b.run("select n::varchar from t"), [["5"]])
        b.run("update t set n = n + 1", "commit")
        self.assertEqual(a.run("select n::varchar from t"), [["6"]])

    def test_rows_are_added_side_by_side(self):
        a, b = self.two("adds", LOCK_TIMEOUT=1)
        a.run("begin", "insert into t values (2)")
        b.run("insert into t values (3)")
        a.run("commit")
        self.assertEqual(a.run("select count(*)::varchar from t"), [["3"]])

    def test_the_end_of_a_session_ends_its_transaction(self):
        for end in ["end", "forget"]:
            a, b = self.two("ends_" + end, LOCK_TIMEOUT=1)
            a.run("create temporary table mine (n bigint)", "begin", "delete from t")
            (a.end if end == "end" else self.double.forget)()
            if end == "forget":
                self.refused("390104", None, b.run, "select 1")
                b = self.double.session(database="ends_" + end)
            self.refused("390104", None, a.run, "select 1")
            b.run("update t set n = 7")
            self.assertEqual(b.run("select n::varchar from t"), [["7"]])
            self.refused("002003", "42S02", b.run, "select n from mine")

    def test_ddl_commits(self):
        a, b = self.two("ddl", LOCK_TIMEOUT=1)
        a.run("begin", "insert into t values (2)", "create table other (n bigint)", "rollback")
        self.assertEqual(b.run("select count(*)::varchar from t"), [["2"]])

    def test_a_conflict_of_the_engine_is_a_lock_not_had(self):
        a, b = self.two("conflicts")
        a.run("create table u (n bigint)")
        b.run("begin", "insert into u values (1)", "select n from t")
        a.run("update t set n = 2")
        self.refused("000625", "57014", b.run, "update t set n = 3")
        b.run("rollback")
        self.assertEqual(a.run("select n::varchar from t"), [["2"]])

    def test_a_temporary_table_is_locked_by_nobody(self):
        a, b = self.two("temporary", LOCK_TIMEOUT=1)
        for s in (a, b): s.run("create temporary table mine (n bigint)", "alter table mine rename to t2", "begin", "insert into t2 values (1)", "update t2 set n = 2")
        for s in (a, b): s.run("rollback")

    def test_a_lock_on_demand(self):
        a, _ = self.two("demand")
        self.refused("000625", "57014", a.run, "insert into t values (2) /*fake:locked*/")
        self.assertEqual(a.run("select count(*)::varchar from t"), [["1"]])


class Abandoned(Case):
    options = ("--idle-after", "1")

    def test_a_transaction_that_stands_in_the_way_and_is_idle_is_rolled_back(self):
        a, b = self.double.session(database="idle"), self.double.session(database="idle", LOCK_TIMEOUT=30)
        a.run("create table t (n bigint)", "insert into t values (1)", "begin", "delete from t")
        b.run("update t set n = 2")
        a.run("commit")
        self.assertEqual(b.run("select n::varchar from t"), [["2"]])


class Injected(Case):
    def tearDown(self):
        self.double.inject()

    def session(self, database):
        s = self.double.session(database=database)
        s.run("create or replace table t (n bigint)")
        return s

    def test_refusals(self):
        s = self.session("refusals")
        self.double.inject(pattern="insert into t .*7", code="000603", state="XX000", message="no luck", times=2)
        for _ in range(2):
            self.assertEqual(self.refused("000603", "XX000", s.run, "INSERT into t values (7)"), "no luck")
        s.run("insert into t values (8)", "insert into t values (7)")
        self.assertEqual(s.run("select count(*)::varchar from t"), [["2"]])

    def test_http_errors(self):
        s = self.session("http")
        self.double.inject(pattern="insert", http=503, times=2)
        self.assertEqual([s.post("insert into t values (1)").status_code for _ in range(3)], [503, 503, 200])

    def test_lost_answers(self):
        s = self.session("lost")
        self.double.inject(pattern="insert", drop=1)
        request = str(uuid.uuid4())
        try: self.assertGreaterEqual(s.post("insert into t values (1)", request).status_code, 500)
        except requests.ConnectionError: pass
        self.assertTrue(s.post("insert into t values (1)", request).json()["success"])
        self.assertEqual(s.run("select count(*)::varchar from t"), [["1"]])

    def test_clearing(self):
        s = self.session("clearing")
        self.double.inject(pattern="select", code="000604", state="57014", times=99)
        self.double.inject()
        s.run("select 1")


class Connector(Case):
    def test_the_connector_reads_it(self):
        import snowflake.connector
        host, port = self.double.url.removeprefix("http://").split(":")
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
