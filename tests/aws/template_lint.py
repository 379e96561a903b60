"""Checks infra/template.yaml without an account: prints findings as JSON and exits with 1 if there
are any.

usage: template_lint.py [--mutate NAME]     applies a known mutation first, which must be detected
       template_lint.py --list-mutations    prints the names of the mutations
cfn-lint checks the SAM source and the translated template. The checks in checks_*.py read the
translated template with its defaults, with each option and with all. They find faults that cfn-lint
accepts: properties that AWS rejects, or ignores.
"""
import argparse, json, subprocess, sys, tempfile
from pathlib import Path
import checks_delivery, checks_operation, checks_security
from mutations import MUTATIONS, mutate
from sam_translation import TEMPLATE, translate
from template_model import Template

CHECKS = (*checks_delivery.CHECKS, *checks_operation.CHECKS, *checks_security.CHECKS)
# The options of the template. Each makes a condition true.
OPTIONS = (
    {"AlarmEmail": "a@b.c"},
    {"AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms"},
    {"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234"},
    {"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary"},
    {"ReserveConcurrency": "true"},
    {"PriceStream": "ENABLED"},
    {"SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1"},
    {"SnowflakeIamUserArn": "arn:aws:iam::123456789012:user/snowflake", "SnowflakeExternalId": "id"},
)
ALL = {name: value for option in OPTIONS for name, value in option.items()}


def cfn_lint(path):
    command = [
        Path(sys.executable).with_name("cfn-lint"),
        "--format",
        "json",
        "--include-checks",
        "I",
        "--",
        str(path),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode and not result.stdout.strip().startswith("["):
        raise SystemExit(f"cfn-lint: {result.stderr}")
    return [f"{m['Rule']['Id']}: {m['Message']}" for m in json.loads(result.stdout or "[]")]


def findings(text, lint=True):
    """Returns {check: [findings]}. A template that cannot be translated is a single finding."""
    try:
        body = translate(text)
    except Exception as e:
        return {"sam": [getattr(e, "message", str(e))]}
    # The last one has all options.
    configurations = [Template(body, **option) for option in ({}, *OPTIONS, ALL)]
    found = {
        check.__name__: list(dict.fromkeys(message for t in configurations for message in check(t)))
        for check in CHECKS
    }
    if unused := [name for name in body["Conditions"] if not configurations[-1].holds({"Condition": name})]:
        found["conditions"] = [f"never checked with these conditions: {unused}"]
    if lint:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("source.yaml", text), ("translated.json", json.dumps(body, default=str))):
                path = f"{folder}/{name}"
                with open(path, "w") as file:
                    file.write(content)
                found[f"cfn-lint of {name}"] = cfn_lint(path)
    return {check: messages for check, messages in found.items() if messages}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutate", choices=[mutation.name for mutation in MUTATIONS])
    parser.add_argument("--list-mutations", action="store_true")
    args = parser.parse_args()
    if args.list_mutations:
        return print("\n".join(mutation.name for mutation in MUTATIONS))
    text = TEMPLATE.read_text()
    found = findings(mutate(text, args.mutate) if args.mutate else text)
    print(json.dumps(found, indent=1))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
