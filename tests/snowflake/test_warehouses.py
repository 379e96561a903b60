"""Tests of warehouses, locks and transactions."""

import threading, time
from fake_client import FakeTest


class WarehousesTest(FakeTest):
    def test_only_statements_that_need_compute_resume_a_warehouse(self):
        s = self.fake.session(database="bill", warehouse="bill_wh")
        resumed = lambda: self.fake.log("resume").count(["resume", "BILL_WH"])
        s.run(
            "create warehouse bill_wh warehouse_size = xsmall auto_suspend = 1 initially_suspended = true",
            "create table t (n bigint)",
            "create or replace temporary table x (n bigint)",
            "show grants to role accountadmin",
            "describe table t",
            "begin",
            "commit",
            "use schema public",
            "select 1",
            "grant select on table t to role r",
            "drop table x",
        )
        self.assert_error("002003", "42S02", s.run, "select n from no_such_table")
        self.assertEqual(resumed(), 0)
        s.run("insert into t values (1)", "select n from t", "create table u as select n from t")
        self.assertEqual(resumed(), 1)
        time.sleep(1.3)
        s.run("begin", "commit")
        self.assertEqual(resumed(), 1)
        s.run("select n from t /*fake:delay=0.1*/", "select n from t")
        self.assertEqual(resumed(), 2)
        s.run(
            "alter warehouse bill_wh suspend",
            "alter warehouse bill_wh set auto_suspend = 60",
            "update t set n = 2",
        )
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
        started = time.monotonic()
        for sql in [
            "update t set n = 2",
            "merge into t using (select 1 as n) s on t.n = s.n when matched then delete",
            "begin",
            "delete from t",
            "rollback",
        ]:
            if sql in ("begin", "rollback"):
                b.run(sql)
            else:
                self.assertIn("has locked table 'T'", self.assert_error("000625", "57014", b.run, sql))
        self.assertTrue(2.9 < time.monotonic() - started < 10)
        self.assertEqual(b.post("update t set n = 2", LOCK_TIMEOUT=0).json()["code"], "000625")
        self.assertEqual(
            b.post("update t set n = 2", LOCK_TIMEOUT=9, STATEMENT_TIMEOUT_IN_SECONDS=1).json()["code"],
            "000630",
        )
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
        for s in (a, b):
            s.run(
                "create temporary table mine (n bigint)",
                "alter table mine rename to t2",
                "begin",
                "insert into t2 values (1)",
                "update t2 set n = 2",
            )
        for s in (a, b):
            s.run("rollback")

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
