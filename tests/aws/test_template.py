"""Tests the template and its checks: python -m unittest test_template."""
import re, unittest
from mutations import MUTATIONS, mutate
from sam_translation import TEMPLATE, yaml_parse
from template_lint import findings


class TemplateTest(unittest.TestCase):
    def test_the_template_has_no_findings(self):
        self.assertEqual(findings(TEMPLATE.read_text()), {})

    def test_every_mutation_is_detected_by_its_check(self):
        text = TEMPLATE.read_text()
        for mutation in MUTATIONS:
            with self.subTest(mutation.name):
                # cfn-lint takes seconds, so it runs only for the mutations that it must detect.
                found = findings(mutate(text, mutation.name), lint="cfn-lint" in mutation.check)
                checks = mutation.check.split("|")
                self.assertTrue(any(name.startswith(check) for name in found for check in checks), found)

    def test_bad_parameters_are_rejected_before_any_resource_is_created(self):
        arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:findata/fmp-Ab12Cd"
        bad = {
            "FmpSecretArn": ["", "findata/fmp", "arn:aws:s3:::bucket", "the-key-itself"],
            "SnowflakeSecretArn": ["", "-----BEGIN PRIVATE KEY-----"],
            "FmpUrl": ["", "financialmodelingprep.com/stable", "ftp://x", "http://example.com/stable", "http://127.0.0.1.example.com/"],
            "FmpPlan": ["", "gold", "0", "-5", "300.5"], "FmpGigabytes": ["0", "20 GB"],
            "FmpBurst": ["0", "many"],
            # The same examples as in shared/snowflake/src/settings.rs.
            "SnowflakeAccount": ["", "https://org-account.snowflakecomputing.com", "xy12345.eu-west-1", "-org", "_org", "a b"],
            "SnowflakeUser": ["", "a b", 'a"b'], "SnowflakeRoleName": ["", "a-b", "1a", "a.b", "$a"],
            "SnowflakeWarehouse": ["", "a b"], "SnowflakeDatabase": ["", "a'b"], "SnowflakeSchema": ["", "a.b"],
            "SnowflakeStage": ["", "a.b.c.d", "a..b", "x; drop", "@a"],
            "SnowflakeUrl": ["org-account.snowflakecomputing.com", "http://example.com"],
            "SnowflakeExternalId": ["a b"], "Index": ["", "A B", "^"], "CostCentre": [""],
            "ScheduleExpression": ["", "06:00", "0 6 * * *"], "ScheduleTimeZone": ["", "New York", "/x"],
            "KmsKeyArn": ["alias/aws/s3", "1234"], "PermissionsBoundaryArn": ["boundary"],
            "SubnetIds": ["vpc-1"], "SecurityGroupIds": ["subnet-1"],
            "StagePrefix": ["", "/home", "home/", "a//b"],
            "SnowflakeIamUserArn": ["user", "arn:aws:iam::1:user/x"], "AlarmEmail": ["nobody", "a b@c"],
            "AlarmTopicArn": ["topic"], "Today": ["today", "2026-9-1"],
            "OtlpEndpoint": ["localhost:4318", "grpc://collector:4317"],
            "Ttl": ["profile", "profile=7", "profile=7d,", "Profile=7d"],
        }
        good = {
            "FmpSecretArn": [arn], "SnowflakeSecretArn": [arn.replace("aws:", "aws-us-gov:", 1)],
            "FmpUrl": ["http://127.0.0.1:1/stable"], "FmpPlan": ["free", "3000", "unlimited"],
            "FmpGigabytes": ["", "150"], "SnowflakeAccount": ["ORG-ACCOUNT", "org-my_account", "xy12345"],
            "SnowflakeUser": ["findata_service", "a@b.c"], "SnowflakeStage": ["own", "raw.landing", "db.raw.landing"],
            "SnowflakeUrl": ["", "https://org-account.privatelink.snowflakecomputing.com", "http://127.0.0.1:1"],
            "SnowflakeExternalId": ["", "AB12345_SFCRole=2_abc/def="], "Index": ["^GSPC", "SPY", "BRK-B"],
            "ScheduleExpression": ["cron(0 6 ? * MON-FRI *)", "rate(12 hours)"], "ScheduleTimeZone": ["UTC", "America/Argentina/Buenos_Aires"],
            "KmsKeyArn": ["", "arn:aws:kms:eu-west-1:123456789012:key/mrk-0f"], "SubnetIds": ["", "subnet-0a1b"],
            "PermissionsBoundaryArn": ["", "arn:aws:iam::123456789012:policy/team/boundary", "arn:aws:iam::aws:policy/PowerUserAccess"],
            "StagePrefix": ["a/b"], "OtlpEndpoint": ["", "http://10.0.0.5:4318"], "Ttl": ["", "profile=7d,cash_flow=12h"],
            "SnowflakeIamUserArn": ["", "arn:aws:iam::123456789012:user/abc"], "AlarmEmail": ["a@b.c"],
        }
        parameters = yaml_parse(TEMPLATE.read_text())["Parameters"]
        allowed = lambda name, value: re.search(parameters[name]["AllowedPattern"], value) is not None
        self.assertEqual([(name, v) for name, values in bad.items() for v in values if allowed(name, v)], [])
        self.assertEqual(
            [(name, v) for name, values in good.items() for v in values if not allowed(name, v)], []
        )


if __name__ == "__main__":
    unittest.main()
