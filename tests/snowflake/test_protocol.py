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

    def test_clearing_injected_faults(self):
        s = self.session("clearing")
        self.fake.inject(pattern="select", code="000604", state="57014", times=99)
        self.fake.inject()
        s.run("select 1")


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
            with self.assertRaises(snowflake.connector.errors.Error) as caught:
                cursor.execute("delete from t /*fake:locked*/")
            self.assertEqual((caught.exception.errno, caught.exception.sqlstate), (625, "57014"))
