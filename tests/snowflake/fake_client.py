"""Starts the fake Snowflake and sends it statements over HTTP, for its own tests."""

import json, os, subprocess, sys, tempfile, unittest, uuid
import requests

HERE = os.path.dirname(os.path.abspath(__file__))


class Fake:
    def __init__(self, *options):
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "fake_snowflake.py"), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
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
        entries = requests.get(f"{self.url}/_log?n=100000", timeout=30).json()["log"]
        return [entry for entry in entries if entry[0] == kind]

    def inject(self, **rule):
        requests.get(f"{self.url}/_inject", params=rule, timeout=30).raise_for_status()

    def forget(self):
        requests.get(f"{self.url}/_forget", timeout=30).raise_for_status()


class SqlError(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer['code']}: {answer['message']}")
        self.code, self.message = answer["code"], answer["message"]
        self.state = (answer["data"] or {}).get("sqlState")


class Session:
    def __init__(
        self,
        url,
        role="accountadmin",
        user="setter",
        database="findata",
        schema="public",
        warehouse=None,
        **parameters,
    ):
        self.url = url
        names = {"databaseName": database, "schemaName": schema, "warehouse": warehouse, "roleName": role}
        data = {"LOGIN_NAME": user, "ACCOUNT_NAME": "account", "SESSION_PARAMETERS": parameters}
        answer = requests.post(
            f"{url}/session/v1/login-request",
            params={k: v for k, v in names.items() if v},
            json={"data": data},
            timeout=30,
        ).json()
        if not answer["success"]:
            raise SqlError(answer)
        self.headers = {"Authorization": f'Snowflake Token="{answer["data"]["token"]}"'}

    def post(self, sql, request=None, allow_redirects=True, **parameters):
        return requests.post(
            f"{self.url}/queries/v1/query-request",
            params={"requestId": request or str(uuid.uuid4())},
            json={"sqlText": sql, "parameters": parameters},
            headers=self.headers,
            allow_redirects=allow_redirects,
            timeout=60,
        )

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
        requests.post(
            f"{self.url}/session", params={"delete": "true"}, headers=self.headers, timeout=30
        ).raise_for_status()


class FakeTest(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.fake = Fake(*cls.options)
        cls.addClassCleanup(cls.fake.close)

    def assert_error(self, code, state, call, *arguments):
        with self.assertRaises(SqlError) as caught:
            call(*arguments)
        self.assertEqual(
            (caught.exception.code, caught.exception.state), (code, state), caught.exception.message
        )
        return caught.exception.message
