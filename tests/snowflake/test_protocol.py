"""Tests of injected faults, and of the fake with Snowflake's Python connector."""

import uuid
import requests
from fake_client import FakeTest


class InjectedFaultsTest(FakeTest):
    def tearDown(self):
        self.fake.inject()

    def session(self, database):
        s = self.fake.session(database=database)
        s.run("create or replace table t (n bigint)")
        return s

    def test_injected_errors(self):
        s = self.session("refusals")
        self.fake.inject(
            pattern="insert into t .*7", code="000603", state="XX000", message="no luck", times=2
        )
        for _ in range(2):
            self.assertEqual(
                self.assert_error("000603", "XX000", s.run, "INSERT into t values (7)"), "no luck"
            )
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
        try:
            self.assertGreaterEqual(s.post("insert into t values (1)", request).status_code, 500)
        except requests.ConnectionError:
            pass
        self.assertTrue(s.post("insert into t values (1)", request).json()["success"])
        self.assertEqual(s.run("select count(*)::varchar from t"), [["1"]])

    def test_redirects(self):
        s = self.session("redirects")
        self.fake.inject(pattern="insert", http=307, location="/elsewhere")
        response = s.post("insert into t values (1)", allow_redirects=False)
        self.assertEqual((response.status_code, response.headers["location"][-10:]), (307, "/elsewhere"))

    def test_statements_of_another_session(self):
        s = self.session("others")
        self.fake.inject(pattern="select count", sql="insert into t values (1); insert into t values (2)")
        self.assertEqual(s.run("select count(*)::varchar from t"), [["2"]])
        self.assertEqual(s.run("select count(*)::varchar from t"), [["2"]])

    def test_clearing_injected_faults(self):
        s = self.session("clearing")
        self.fake.inject(pattern="select", code="000604", state="57014", times=99)
        self.fake.inject()
        s.run("select 1")


class BatchTest(FakeTest):
    def test_a_batch_runs_until_the_first_failure(self):
        s = self.fake.session(database="batches")
        s.run("create or replace table t (n bigint)")
        batch = "insert into t values (1), (2) -- one; two\n;\ninsert into t select 3 where_ from t limit 1"
        data = s.execute(batch, MULTI_STATEMENT_COUNT=2)
        self.assertEqual(len(data["resultIds"].split(",")), 2)
        message = self.assert_error(
            "100132", "P0000",
            lambda: s.execute("insert into t values (4); delete from nothing", MULTI_STATEMENT_COUNT=2),
        )
        self.assertIn("delete from nothing", message)
        self.assertEqual(s.run("select count(*)::varchar from t"), [["4"]])

    def test_the_number_of_statements_must_be_right(self):
        s = self.fake.session(database="batches")
        self.assert_error("000008", "0A000", s.execute, "select 1; select 2")
        self.assert_error(
            "000008", "0A000", lambda: s.execute("select 1; select 2", MULTI_STATEMENT_COUNT=3)
        )


class ParametersTest(FakeTest):
    options = (
        "--privileges",
        *("--account-parameter", "ROWS_PER_RESULTSET=2"),
        *("--account-parameter", "TIMESTAMP_INPUT_FORMAT=DD.MM.YYYY"),
        *("--account-parameter", "TIMESTAMP_TYPE_MAPPING=TIMESTAMP_LTZ"),
    )
    TYPE = "select data_type from information_schema.columns where column_name = 'MOMENT'"

    def session(self, **parameters):
        self.fake.session(database=None, schema=None).run(
            "create database if not exists d", "create schema if not exists d.public",
            "create warehouse if not exists wh",
        )
        return self.fake.session(database="d", warehouse="wh", **parameters)

    def test_parameters_of_the_account(self):
        s = self.session()
        s.run("create or replace table d.public.t (moment timestamp)")
        self.assertEqual(s.run(self.TYPE), [["TIMESTAMP_TZ"]])
        three = "select n::varchar from (values (1), (2), (3)) v(n) order by n"
        self.assertEqual(len(s.run(three)), 2)
        self.assert_error("100035", "22007", s.run, "select '2024-02-01 21:30:05'::timestamp")

    def test_parameters_of_the_session_take_precedence(self):
        s = self.session(
            ROWS_PER_RESULTSET=0,
            TIMESTAMP_INPUT_FORMAT="AUTO",
            TIMESTAMP_TYPE_MAPPING="TIMESTAMP_NTZ",
            TIMESTAMP_NTZ_OUTPUT_FORMAT="YYYY-MM-DD HH24:MI:SS.FF6",
        )
        s.run("create or replace table d.public.t (moment timestamp)")
        self.assertEqual(s.run(self.TYPE), [["TIMESTAMP_NTZ"]])
        self.assertEqual(len(s.run("select n::varchar from (values (1), (2), (3)) v(n)")), 3)
        self.assertEqual(
            s.run("select (timestamp '2024-02-01 21:30:05')::varchar"), [["2024-02-01 21:30:05.000000"]]
        )

    def test_a_where_needs_a_from(self):
        s = self.session()
        self.assert_error("001003", "42000", s.run, "select 1 where exists (select 1 from t)")

    def test_a_login_can_be_validated(self):
        validated = {"CLIENT_VALIDATE_DEFAULT_PARAMETERS": True}
        self.fake.session(database="absent", schema=None)
        self.assert_error(
            "390201", None, lambda: self.fake.session(database="absent", schema=None, role="public", **validated)
        )


class ConnectorTest(FakeTest):
    def test_the_python_connector_understands_the_responses(self):
        import snowflake.connector

        host, port = self.fake.url.removeprefix("http://").split(":")
        with snowflake.connector.connect(
            user="u",
            password="p",
            account="a",
            host=host,
            port=int(port),
            protocol="http",
            role="loader",
            database="con",
            schema="public",
            warehouse="wh",
            session_parameters={"LOCK_TIMEOUT": 1},
        ) as con:
            cursor = con.cursor()
            cursor.execute("create or replace table t (n bigint)")
            cursor.execute("grant select on table t to role loader")
            rows = cursor.execute("show grants to role loader").fetchall()
            self.assertEqual(
                [r[1:6] for r in rows],
                [
                    ("OWNERSHIP", "TABLE", "CON.PUBLIC.T", "ROLE", "LOADER"),
                    ("SELECT", "TABLE", "CON.PUBLIC.T", "ROLE", "LOADER"),
                ],
            )
            cursor.execute("insert into t values (1); select n from t; select 7", num_statements=3)
            results = [cursor.fetchall()]
            while cursor.nextset():
                results.append(cursor.fetchall())
            self.assertEqual(results, [[(1,)], [(1,)], [(7,)]])
            query = (
                "select seq from (select row_number() over (order by null) as seq"
                " from table(generator(rowcount => 100))) t order by 1 /*fake:chunks*/ /*fake:json*/"
            )
            for chunks in ("", "/*fake:gzip*/", "/*fake:gzip*/ /*fake:qrmk*/"):
                rows = cursor.execute(f"{query} {chunks}").fetchall()
                self.assertEqual([int(n) for n, in rows], list(range(1, 101)), chunks)
            with self.assertRaises(snowflake.connector.errors.Error) as caught:
                cursor.execute("delete from t /*fake:locked*/")
            self.assertEqual((caught.exception.errno, caught.exception.sqlstate), (625, "57014"))
