"""The template is clean, and each known fault in it is found: python -m unittest test_template."""
import re, unittest
from faults import FAULTS, planted
from template import findings
from translated import TEMPLATE, yaml_parse


class Checks(unittest.TestCase):
    def test_the_template_is_clean(self):
        self.assertEqual(findings(TEMPLATE.read_text()), {})

    def test_each_fault_is_found_by_its_check(self):
        text = TEMPLATE.read_text()
        for fault in FAULTS:
            with self.subTest(fault.name):
                # cfn-lint takes seconds, so it reads only what is its to find.
                found = findings(planted(text, fault.name), lint="cfn-lint" in fault.by)
                self.assertTrue(any(check.startswith(by) for check in found for by in fault.by.split("|")), found)

    def test_wrong_parameters_are_refused_before_anything_is_made(self):
        arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:findata/fmp-Ab12Cd"
        wrong = {
            "FmpSecretArn": ["", "findata/fmp", "arn:aws:s3:::bucket", "the-key-itself"], "SnowflakeSecretArn": ["", "-----BEGIN PRIVATE KEY-----"],
            "FmpUrl": ["", "financialmodelingprep.com/stable", "ftp://x"], "FmpPlan": ["", "gold", "0", "-5", "300.5"], "FmpGigabytes": ["0", "20 GB"],
            "SnowflakeAccount": ["", "https://org-account.snowflakecomputing.com"], "Universe": ["", "../x", "a b"], "StagePrefix": ["", "/home", "home/", "a//b"],
            "SnowflakeIamUserArn": ["user", "arn:aws:iam::1:user/x"], "AlarmEmail": ["nobody", "a b@c"], "AlarmTopicArn": ["topic"], "Today": ["today", "2026-9-1"],
            "Ttl": ["profile", "profile=7", "profile=7d,", "Profile=7d"],
        }
        right = {"FmpSecretArn": [arn], "SnowflakeSecretArn": [arn.replace("aws:", "aws-us-gov:", 1)], "FmpUrl": ["http://127.0.0.1:1/stable"],
                 "FmpPlan": ["free", "3000", "unlimited"], "FmpGigabytes": ["", "150"], "SnowflakeAccount": ["ORG-ACCOUNT", "xy12345.eu-west-1"],
                 "StagePrefix": ["a/b"], "Ttl": ["", "profile=7d,cash_flow=12h"], "SnowflakeIamUserArn": ["", "arn:aws:iam::123456789012:user/abc"], "AlarmEmail": ["a@b.c"]}
        parameters = yaml_parse(TEMPLATE.read_text())["Parameters"]
        allowed = lambda name, value: re.search(parameters[name]["AllowedPattern"], value) is not None
        self.assertEqual([(name, value) for name, values in wrong.items() for value in values if allowed(name, value)], [])
        self.assertEqual([(name, value) for name, values in right.items() for value in values if not allowed(name, value)], [])
        # What has no default must be given.
        given = {name for name, parameter in parameters.items() if "Default" not in parameter}
        self.assertEqual(given, {"FmpSecretArn", "SnowflakeSecretArn", "SnowflakeAccount"})


if __name__ == "__main__":
    unittest.main()
