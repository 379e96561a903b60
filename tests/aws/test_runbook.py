"""Runs each command of the runbook in infra/README.md against the local AWS: python -m unittest
test_runbook.

The functions are stubs, and `findata` is a script that records its arguments; the Rust tests run the
real ones."""
import json, os, re, stat, subprocess, sys, time, unittest
from pathlib import Path
import test_local_aws as local
from deploy import client
from sam_translation import TEMPLATE, yaml_parse

README = TEMPLATE.with_name("README.md").read_text()
RUN = "20260918T100000000Z-00000000"


def setUpModule():
    local.setUpModule()


def tearDownModule():
    local.tearDownModule()


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.M | re.S)[1]


def blocks(text):
    """The commands of a page: [(heading, script)]."""
    found, heading = [], ""
    for line, script in re.findall(r"^(### [^\n]*)$|^ *```sh\n(.*?)^ *```$", text, re.M | re.S):
        if line:
            heading = line.removeprefix("### ")
        else:
            found.append((heading, script))
    return found


class RunbookTest(unittest.TestCase):
    executed = set()

    @classmethod
    def setUpClass(cls):
        cls.folder = local.FOLDER / "runbook"
        cls.folder.mkdir()
        aws = Path(sys.executable).with_name("aws")
        for name, script in {
            "findata": f'echo "$@" >> {cls.folder}/findata.log',
            # Version 1 of the command ignores AWS_ENDPOINT_URL for SQS.
            "aws": f'exec {aws} --endpoint-url {local.URL} "$@"',
        }.items():
            path = cls.folder / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(path.stat().st_mode | stat.S_IEXEC)
        cls.blocks = blocks(section("Runbook"))
        cls.names = cls.blocks[0][1]

    @classmethod
    def tearDownClass(cls):
        missing = [script for _, script in cls.blocks[1:] if script not in cls.executed]
        assert not missing, f"no test ran these commands: {missing}"

    def block(self, text):
        """The only block of the runbook with this text."""
        found = [script for _, script in self.blocks[1:] if text in script]
        self.assertEqual(len(found), 1, text)
        return found[0]

    def run_script(self, *scripts, expect=0):
        """Runs blocks in one shell, after the block that sets the names."""
        self.executed.update(scripts)
        path = os.pathsep.join([str(self.folder), str(Path(sys.executable).parent), "/usr/local/bin:/usr/bin:/bin"])
        environment = {
            "PATH": path, "HOME": str(self.folder), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
        }
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join([self.names, *scripts])], env=environment,
                              cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, expect, f"{scripts}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def received(self, function, text):
        return [event for event in local.received(function) if text in json.dumps(event)]

    def send(self, body):
        client(local.URL, "sqs").send_message(QueueUrl=local.STACK["FailedEventsUrl"], MessageBody=body)

    def waiting(self):
        attributes = client(local.URL, "sqs").get_queue_attributes(
            QueueUrl=local.STACK["FailedEventsUrl"], AttributeNames=["All"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])

    def test_every_alarm_is_in_the_runbook(self):
        alarms = {name: r["Properties"] for name, r in yaml_parse(TEMPLATE.read_text())["Resources"].items()
                  if r["Type"] == "AWS::CloudWatch::Alarm"}
        rows = set(re.findall(r"^\| `(\w+)` \|", section("Runbook"), re.M))
        self.assertEqual(rows, set(alarms))
        headings = {name for heading, _ in self.blocks for name in heading.split(", ")}
        self.assertLessEqual(set(alarms), headings, "each alarm needs commands")
        for name, alarm in alarms.items():
            for named in re.findall(r"see (\w+) in infra/README\.md", alarm["AlarmDescription"]):
                self.assertEqual(named, name)

    def test_a_failed_run_is_read_and_retried(self):
        read, retry = self.block("summary.json"), self.block("--retry")
        local.write(f"runs/{RUN}/trouble/load.json", b'{"reason": "no grant"}')
        self.run_script(read)
        self.assertEqual((self.folder / "trouble" / "load.json").read_text(), '{"reason": "no grant"}')
        local.write(f"runs/{RUN}/summary.json", b'{"status": "failed"}')
        printed = self.run_script(read, retry)
        self.assertIn('{"status": "failed"}', printed)
        self.assertIn(f"PRE {RUN}/", printed)
        expected = f"invoke --retry {RUN} --bus findata --stage s3://{local.STACK['BucketName']}/home --wait"
        self.assertIn(expected, (self.folder / "findata.log").read_text())

    def test_a_late_run_is_inspected_and_swept(self):
        local.write(f"runs/{RUN}/batches/b00001.json")
        printed = self.run_script(self.block("/batches/"), self.block('"sweep": true'))
        self.assertIn("b00001.json", printed)
        self.assertIn("ApproximateNumberOfMessagesNotVisible", printed)
        self.assertEqual(self.received("fanout", "patience"), [{"sweep": True, "patience": 0}])

    def test_schedules_are_inspected_and_a_run_is_started(self):
        printed = self.run_script(self.block("get-schedule"), self.block("--universe sp500"))
        self.assertIn('"DISABLED"', printed, "the daily run waits for Snowflake")
        self.assertIn('"ENABLED"', printed, "the sweeps do not")
        self.assertIn("ScheduleRole", printed)
        self.assertIn("invoke --universe sp500 --bus findata", (self.folder / "findata.log").read_text())

    def test_extracts_errors_are_read(self):
        logs = client(local.URL, "logs")
        stream = {"logGroupName": "/aws/lambda/findata-extract", "logStreamName": "runbook"}
        logs.create_log_stream(**stream)
        now = int(time.time() * 1000)
        logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": text} for text in
                                                 ('{"level":"WARN","message":"the bucket is busy"}', '{"level":"ERROR","message":"no secret"}',
                                                  '{"level":"INFO","message":"fine"}')])
        printed = self.run_script(self.block("filter-log-events"))
        self.assertIn("no secret", printed)
        self.assertIn("the bucket is busy", printed)
        self.assertNotIn("fine", printed)

    def test_a_failed_event_is_read_repeated_and_deleted(self):
        read, delete = self.block("receive-message"), self.block("delete-message")
        local.invoke_async("load", {"do": "fail", "for": "runbook"})
        local.wait_for(lambda: self.waiting() == 1)
        printed = self.run_script(read, self.block("requestPayload"), delete)
        self.assertIn("failure requested", printed)
        # Three attempts of the first invocation, three of the repeated one, which fails as well.
        local.wait_for(lambda: len(self.received("load", "runbook")) == 6)
        local.wait_for(lambda: self.waiting() == 1)
        self.run_script(read, delete)
        self.assertEqual(self.waiting(), 0)

        undelivered = {"detail-type": "Object Created", "detail": {"object": {"key": f"home/runs/{RUN}/loaded.json"}}}
        self.send(json.dumps(undelivered))
        self.run_script(read, self.block("case $BODY in"), delete)
        local.wait_for(lambda: undelivered in self.received("analytics", RUN))
        batch = json.dumps({"run_id": RUN, "batch": {"id": "b00009"}})
        self.send(batch)
        self.run_script(read, self.block("send-message"), delete)
        local.wait_for(lambda: self.received("extract", "b00009"))
        self.assertEqual(self.waiting(), 0)

    def test_an_object_is_restored(self):
        for text in (b"good", b"bad"):
            local.write("state/universe/sp500.json", text)
        self.run_script(self.block("list-object-versions"))
        key = {"Bucket": local.STACK["BucketName"], "Key": "home/state/universe/sp500.json"}
        self.assertEqual(client(local.URL, "s3").get_object(**key)["Body"].read(), b"good")


    def test_the_bucket_is_deleted_with_all_versions(self):
        s3 = client(local.URL, "s3")
        s3.create_bucket(Bucket="kept")
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        for key in ("home/state/a.json", "home/state/a.json", "home/runs/b.json"):
            s3.put_object(Bucket="kept", Key=key, Body=b"{}")
        s3.delete_object(Bucket="kept", Key="home/runs/b.json")
        (_, script), = blocks(section("Tear down"))
        self.run_script("BUCKET=kept", script)
        self.assertNotIn("kept", [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])


if __name__ == "__main__":
    unittest.main()
