"""Tests of roles, grants and ownership."""

from fake_client import FakeTest


class GrantsTest(FakeTest):
    def test_grants_are_recorded_and_shown(self):
        s = self.fake.session(database="shown")
        s.run(
            "create schema if not exists raw",
            "create table raw.prices (n bigint)",
            "create table raw.old (n bigint)",
            "create view raw.newest as select n from raw.prices",
            "create role if not exists loader",
            "create role reader",
            "create role deploy",
            "create warehouse wh with warehouse_size = xsmall auto_suspend = 60",
            "grant usage on database shown to role loader",
            "grant usage on schema shown.raw to role loader",
            "grant usage on warehouse wh to role loader",
            "grant select, insert on all tables in schema raw to role loader",
            "grant select on future tables in schema raw to role loader",
            "grant select on view raw.newest to role loader",
            "grant usage on stage raw.landing to role loader",
            "grant usage on file format raw.json to loader",
            "grant usage on integration lake to role loader",
            "grant role reader to role loader",
            "grant role loader to user svc",
            "grant delete on table raw.prices to role loader with grant option",
            "create table raw.later (n bigint)",
            "revoke insert on table raw.old from role loader",
        )
        rows = s.query("show grants to role loader")
        self.assertEqual(
            list(rows[0]),
            [
                "created_on",
                "privilege",
                "granted_on",
                "name",
                "granted_to",
                "grantee_name",
                "grant_option",
                "granted_by",
            ],
        )
        self.assertEqual(
            {(r["privilege"], r["granted_on"], r["name"], r["grant_option"]) for r in rows},
            {
                ("USAGE", "DATABASE", "SHOWN", "false"),
                ("USAGE", "SCHEMA", "SHOWN.RAW", "false"),
                ("USAGE", "WAREHOUSE", "WH", "false"),
                ("SELECT", "TABLE", "SHOWN.RAW.PRICES", "false"),
                ("INSERT", "TABLE", "SHOWN.RAW.PRICES", "false"),
                ("SELECT", "TABLE", "SHOWN.RAW.OLD", "false"),
                ("SELECT", "VIEW", "SHOWN.RAW.NEWEST", "false"),
                ("USAGE", "STAGE", "SHOWN.RAW.LANDING", "false"),
                ("USAGE", "FILE_FORMAT", "SHOWN.RAW.JSON", "false"),
                ("USAGE", "INTEGRATION", "LAKE", "false"),
                ("USAGE", "ROLE", "READER", "false"),
                ("DELETE", "TABLE", "SHOWN.RAW.PRICES", "true"),
                ("SELECT", "TABLE", "SHOWN.RAW.LATER", "false"),
            },
        )
        self.assertEqual(
            {
                (r["granted_to"], r["grantee_name"], r["granted_by"])
                for r in rows
                if r["granted_on"] != "ROLE"
            },
            {("ROLE", "LOADER", "ACCOUNTADMIN")},
        )
        future = s.query("show future grants in schema raw")
        self.assertEqual(
            [(r["privilege"], r["grant_on"], r["name"], r["grantee_name"]) for r in future],
            [("SELECT", "TABLE", "SHOWN.RAW.<TABLE>", "LOADER")],
        )
        self.assertEqual([r["role"] for r in s.query("show grants to user svc")], ["LOADER"])
        self.assertEqual(s.query("show grants to role deploy"), [])
        self.assert_error("002003", "02000", s.run, "show grants to role nobody")
        owned = {
            r["name"]
            for r in s.query("show grants to role accountadmin")
            if r["privilege"] == "OWNERSHIP" and r["granted_on"] == "TABLE"
        }
        self.assertEqual(owned, {"SHOWN.RAW.PRICES", "SHOWN.RAW.OLD", "SHOWN.RAW.LATER"})
        s.run("create or replace table raw.prices (n bigint)")
        mine = {
            (r["privilege"], r["name"])
            for r in s.query("show grants to role loader")
            if r["granted_on"] == "TABLE"
        }
        self.assertIn(("SELECT", "SHOWN.RAW.PRICES"), mine)
        self.assertNotIn(("INSERT", "SHOWN.RAW.PRICES"), mine)
        s.run("drop table raw.old")
        self.assertFalse([r for r in s.query("show grants to role loader") if r["name"] == "SHOWN.RAW.OLD"])

    def test_setup_statements_are_repeatable(self):
        s = self.fake.session(database=None, schema=None)
        for _ in range(2):
            s.run(
                "use role useradmin",
                "create role if not exists again",
                "use role sysadmin",
                "create warehouse if not exists again_wh initially_suspended = true",
                "alter warehouse again_wh set auto_suspend = 60",
                "create database if not exists again",
                "use database again",
                "create schema if not exists raw",
                "use role accountadmin",
                "create storage integration if not exists again_s3 type = external_stage"
                " storage_provider = 'S3' enabled = true storage_aws_role_arn = 'arn'"
                " storage_allowed_locations = ('s3://b/')",
                "grant usage on integration again_s3 to role sysadmin",
                "create stage if not exists raw.landing url = 's3://b/' storage_integration = again_s3",
                "create user if not exists again_service type = service default_role = again",
                "grant role again to user again_service",
                "create table if not exists raw.t (n bigint)",
                "grant select on all tables in schema again.raw to role again",
            )
        self.assertEqual(
            [(r["privilege"], r["name"]) for r in s.query("show grants to role again")],
            [("SELECT", "AGAIN.RAW.T")],
        )
        self.assertIn(
            "STORAGE_AWS_EXTERNAL_ID", [r["property"] for r in s.query("desc integration again_s3")]
        )
        self.assert_error("002002", "42710", s.run, "create role again")
        s.run(
            "drop user again_service",
            "drop role again",
            "drop integration again_s3",
            "drop database again",
            "drop database if exists again",
            "drop warehouse again_wh",
        )
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
        self.assertEqual(
            self.fake.session(role="one", database="uses").run("select current_role()"), [["ONE"]]
        )
        data = s.execute("select 1")
        self.assertEqual(
            (
                data["finalRoleName"],
                data["finalWarehouseName"],
                data["finalDatabaseName"],
                data["finalSchemaName"],
            ),
            ("TWO", "W2", "USES", "OTHER"),
        )


class EnforcedPrivilegesTest(FakeTest):
    options = ("--privileges",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.fake.session()
        cls.admin.run(
            "create database if not exists findata",
            "create schema if not exists findata.raw",
            "create schema if not exists findata.analytics",
            "create schema findata.closed",
            "create warehouse if not exists wh auto_suspend = 60 initially_suspended = true",
            "use warehouse wh",
            "use schema findata.raw",
            "create table prices (n bigint, text varchar)",
            "create table closed.secret (n bigint)",
            "create stage landing url = 's3://bucket/some/'",
            "create table analytics.facts (n bigint)",
            "create view analytics.seen as select n from findata.raw.prices",
            "create role loader",
            "create role reader",
            "create user svc type = service default_role = loader",
            "grant role loader to user svc",
            "grant role reader to role loader",
            "grant usage on database findata to role loader",
            "grant usage on schema raw to role loader",
            "grant usage on warehouse wh to role loader",
            "grant usage on database findata to role reader",
            "grant usage on schema analytics to role reader",
            "grant select on all views in schema analytics to role reader",
            "grant select, insert on table prices to role loader",
        )

    def loader(self, **login):
        return self.fake.session(
            **{"role": "loader", "user": "svc", "schema": "raw", "warehouse": "wh", **login}
        )

    def test_a_role_has_only_the_privileges_granted_to_it(self):
        s = self.loader()
        s.run(
            "insert into prices values (1, 'a')",
            "insert into raw.prices select n + 1, text from prices",
            "select n from findata.raw.prices",
        )
        for sql in [
            "update prices set n = 2",
            "delete from prices",
            "delete from prices p using prices q where p.n = q.n",
            "truncate table prices",
            "merge into prices p using (select 1 as n) s on p.n = s.n when matched then update set text = 'b'",
            "drop table prices",
            "alter table prices add column x bigint",
            "create or replace table prices (n bigint)",
        ]:
            message = self.assert_error("003001", "42501", s.run, sql)
            self.assertRegex(
                message,
                r"\ASQL access control error:\nInsufficient privileges to operate on (table 'PRICES'|schema 'RAW')\Z",
            )
        self.assert_error("003001", "42501", s.run, "create table made (n bigint)")
        self.assert_error("003001", "42501", s.run, "create schema findata.more")
        self.assert_error("003001", "42501", s.run, "grant select on table prices to role reader")
        self.assert_error("003001", "42501", s.run, "create role more")

    def test_temporary_tables_need_no_privileges(self):
        s = self.loader()
        s.run(
            "create or replace temporary table incoming (n bigint)",
            "insert into incoming select n from prices",
            "update incoming set n = 3",
            "delete from incoming",
            "create or replace temporary table copied as select n from prices",
            "select n from copied",
            "drop table incoming",
        )
        self.assert_error("002003", "02000", s.run, "create temporary table closed.x (n bigint)")

    def test_objects_without_usage_appear_not_to_exist(self):
        s = self.loader()
        for sql in [
            "select n from closed.secret",
            "insert into closed.secret values (1)",
            "with x as (select n from findata.closed.secret) select n from x",
        ]:
            self.assertEqual(
                self.assert_error("002003", "02000", s.run, sql),
                "SQL compilation error:\nObject 'FINDATA.CLOSED.SECRET' does not exist or not authorized.",
            )
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
        self.assertIn(
            "No active warehouse selected",
            self.assert_error("000606", "57P03", s.run, "select n from prices"),
        )
        s.run("use warehouse wh", "select n from prices")

    def test_copy_needs_usage_on_its_stage(self):
        s = self.loader()
        copy = "copy into prices (n) from (select $1:n::bigint from @raw.landing)"
        copy += " file_format = (type = json) files = ('x')"
        self.assertIn("stage 'LANDING'", self.assert_error("003001", "42501", s.run, copy))
        self.admin.run("grant usage on stage raw.landing to role loader")
        self.assert_error("091016", "22000", s.run, copy)  # the file does not exist

    def test_future_grants_apply_to_new_tables(self):
        self.admin.run(
            "grant select on future tables in schema findata.raw to role loader",
            "create table findata.raw.later (n bigint)",
        )
        s = self.loader()
        s.run("select n from later")
        self.assert_error("003001", "42501", s.run, "insert into later values (1)")

    def test_a_role_owns_what_it_creates(self):
        self.admin.run(
            "create role maker",
            "grant usage on database findata to role maker",
            "grant usage on warehouse wh to role maker",
            "grant create schema on database findata to role maker",
        )
        s = self.fake.session(role="maker", warehouse="wh", schema="raw")
        s.run(
            "create schema findata.own",
            "create table own.t (n bigint)",
            "insert into own.t values (1)",
            "update own.t set n = 2",
            "alter table own.t add column x bigint",
            "grant select on table own.t to role loader",
            "create or replace table own.t (n bigint)",
            "drop table own.t",
            "drop schema findata.own",
        )

    def test_a_user_can_only_use_granted_roles(self):
        self.assert_error("390189", None, lambda: self.loader(role="accountadmin"))
        self.assert_error("390189", None, lambda: self.loader(role="unheard_of"))
        s = self.loader()
        s.run("use role reader")
        self.assert_error("003013", "42501", s.run, "use role sysadmin")
