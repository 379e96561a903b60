"""Tests the workflows and samconfig.toml: python -m unittest test_workflows."""
import re, tomllib, unittest
import yaml
from sam_translation import TEMPLATE

ROOT = TEMPLATE.parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"


def findings(files, samconfig):
    """Returns what is wrong with the workflows, given as {name: text}, and with samconfig.toml."""
    found = []
    for name, text in files.items():
        workflow = yaml.load(text, yaml.BaseLoader)
        for line in re.findall(r"uses: (.+)", text):
            # A tag can be moved to other code; a commit cannot. The comment says which release it is.
            if not re.fullmatch(r"\./\.github/workflows/[a-z]+\.yaml|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line):
                found.append(f"{name}: {line} is not pinned to the commit of a release")
        if workflow["permissions"] != {"contents": "read"}:
            found.append(f"{name}: every job has {workflow['permissions']}")
        for job, body in workflow["jobs"].items():
            for step in body.get("steps", []):
                if re.search(r"\$\{?[A-Z]", step.get("run", "")):
                    found.append(f"{name}: {job} passes a variable unquoted: {step['run']}")
                for package in re.findall(r"pip install (?!.*-r )(.*)", step.get("run", "")):
                    if unpinned := [p for p in package.split() if "==" not in p]:
                        found.append(f"{name}: {unpinned} have no version")
            if body.get("permissions", {}).get("id-token") == "write" and "environment" not in body:
                found.append(f"{name}: {job} may assume an AWS role without the approval of an environment")
    deploy, test = (yaml.load(files[name], yaml.BaseLoader)["jobs"] for name in ("deploy.yaml", "test.yaml"))
    tested = deploy.get(deploy["deploy"].get("needs"), {}).get("uses")
    if tested != "./.github/workflows/test.yaml":
        found.append("deploy.yaml: deploys before the tests have passed")
    runners = test["test"]["strategy"]["matrix"]["runner"]
    if not any(runner.endswith("-arm") for runner in runners) or len(runners) < 2:
        found.append("test.yaml: does not test on arm64, which the functions are built for")
    commands = [step.get("run", "") for step in deploy["deploy"]["steps"]]
    environments = re.findall(r"sam deploy .*--config-env (\w+)", "\n".join(commands))
    config = tomllib.loads(samconfig)
    if len(environments) != 1 or environments[0] not in config:
        return [*found, "deploy.yaml: deploys no environment of samconfig.toml"]
    default, production = (config[name]["deploy"]["parameters"] for name in ("default", environments[0]))
    if production["confirm_changeset"]:
        found.append("samconfig.toml: the workflow would wait for a confirmation")
    if production["stack_name"] == default["stack_name"] or "Project=findata" not in production["tags"]:
        found.append("samconfig.toml: the environments share a stack, or one has no tag")
    return found


class WorkflowsTest(unittest.TestCase):
    def setUp(self):
        self.files = {path.name: path.read_text() for path in WORKFLOWS.glob("*.yaml")}
        self.samconfig = (ROOT / "infra" / "samconfig.toml").read_text()

    def test_the_workflows_have_no_findings(self):
        self.assertEqual(findings(self.files, self.samconfig), [])

    def test_every_mutation_is_detected(self):
        mutations = [
            ("advisories.yaml", "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "actions/checkout@v7"),
            ("deploy.yaml", "    needs: test\n", ""),
            ("deploy.yaml", "    environment: production\n", ""),
            ("deploy.yaml", "permissions:\n  contents: read\n", "permissions:\n  contents: read\n  id-token: write\n"),
            ("deploy.yaml", "aws-sam-cli==1.170.0", "aws-sam-cli"),
            ("deploy.yaml", "sam deploy --config-env production", "sam deploy --parameter-overrides $PARAMETERS"),
            ("deploy.yaml", "--config-env production", "--config-env staging"),
            ("test.yaml", "runner: [ubuntu-24.04, ubuntu-24.04-arm]", "runner: [ubuntu-24.04]"),
            ("samconfig.toml", "confirm_changeset = false", "confirm_changeset = true"),
            ("samconfig.toml", 'stack_name = "findata-production"', 'stack_name = "findata"'),
        ]
        for name, old, new in mutations:
            with self.subTest(old):
                files = {**self.files, "samconfig.toml": self.samconfig}
                self.assertIn(old, files[name])
                files[name] = files[name].replace(old, new, 1)
                samconfig = files.pop("samconfig.toml")
                self.assertNotEqual(findings(files, samconfig), [])


if __name__ == "__main__":
    unittest.main()
