"""Puts the translated template into a local AWS and prints its outputs as JSON.

usage: deploy.py --url URL [--stack findata] --zip Fanout=fanout.zip ... --secret FmpSecretArn=FILE ... [--set Name=value ...]
--secret makes a secret of the file's content and gives its ARN as that parameter. A stack of that name is updated.

Left untested by this way: `sam build`, the upload and change set of `sam deploy`, samconfig.toml, and that AWS's own translator
does as the library of the same version does.
"""
import argparse, json, sys
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from translated import translated


def client(url, service):
    # No retries: an error of the local AWS is to be seen.
    config = Config(retries={"total_max_attempts": 1}, read_timeout=120, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test", config=config)


def made_secret(url, name, value):
    secrets = client(url, "secretsmanager")
    try:
        return secrets.create_secret(Name=name, SecretString=value)["ARN"]
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=value)
        return secrets.describe_secret(SecretId=name)["ARN"]


def deploy(url, stack, zips, secrets, parameters, template=None):
    """The outputs of the stack, and of a failed one its events as an error."""
    s3, formation = client(url, "s3"), client(url, "cloudformation")
    s3.create_bucket(Bucket="artifacts")
    code = {}
    for name, path in zips.items():
        key = f"{stack}/{name}.zip"
        with open(path, "rb") as file:
            s3.put_object(Bucket="artifacts", Key=key, Body=file)
        code[name] = f"s3://artifacts/{key}"
    for name, path in secrets.items():
        with open(path) as file:
            parameters = {**parameters, name: made_secret(url, f"{stack}/{name}", file.read())}
    ask = {
        "StackName": stack, "TemplateBody": json.dumps(template or translated(code=code)), "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        "Tags": [{"Key": "Project", "Value": "findata"}],
    }
    try:
        formation.describe_stacks(StackName=stack)
        formation.update_stack(**ask)
        done = "stack_update_complete"
    except ClientError as e:
        if "does not exist" not in str(e):
            raise
        formation.create_stack(**ask)
        done = "stack_create_complete"
    try:
        formation.get_waiter(done).wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    except Exception as e:
        events = formation.describe_stack_events(StackName=stack)["StackEvents"]
        reasons = [f"{x['LogicalResourceId']}: {x['ResourceStatusReason']}" for x in events if "FAILED" in x["ResourceStatus"] and "ResourceStatusReason" in x]
        raise SystemExit(f"deploy: {e}\n" + "\n".join(reasons))
    outputs = formation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    pair = lambda text: text.split("=", 1)
    parser.add_argument("--url", required=True)
    parser.add_argument("--stack", default="findata")
    for option in ("--zip", "--secret", "--set"):
        parser.add_argument(option, action="append", type=pair, default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    json.dump(deploy(asked.url, asked.stack, dict(asked.zip), dict(asked.secret), dict(asked.set)), sys.stdout)
    print()


if __name__ == "__main__":
    main()
