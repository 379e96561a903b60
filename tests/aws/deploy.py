"""Deploys the translated template to a local AWS and prints the stack outputs as JSON.

usage: deploy.py --url URL [--stack findata] --zip Fanout=fanout.zip ... --secret FmpSecretArn=FILE ...
                 [--set Name=value ...]
--secret creates a secret from the file and passes its ARN as that parameter. An existing stack is updated.

This does not test `sam build`, the upload and change set of `sam deploy`, samconfig.toml, or
whether AWS's own translator agrees with the library of the same version.
"""
import argparse, json, sys
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from sam_translation import translate


def client(url, service):
    # Without retries, which would hide errors of the local AWS.
    config = Config(retries={"total_max_attempts": 1}, read_timeout=120, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="test",
                        aws_secret_access_key="test", config=config)


def put_secret(url, name, value):
    """Creates or updates a secret and returns its ARN."""
    secrets = client(url, "secretsmanager")
    try:
        return secrets.create_secret(Name=name, SecretString=value)["ARN"]
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=value)
        return secrets.describe_secret(SecretId=name)["ARN"]


def deploy(url, stack, zips, secrets, parameters, template=None):
    """Deploys the stack and returns its outputs. On failure, exits with the reasons from its events."""
    s3, cloudformation = client(url, "s3"), client(url, "cloudformation")
    s3.create_bucket(Bucket="artifacts")
    code = {}
    for name, path in zips.items():
        key = f"{stack}/{name}.zip"
        with open(path, "rb") as file:
            s3.put_object(Bucket="artifacts", Key=key, Body=file)
        code[name] = f"s3://artifacts/{key}"
    for name, path in secrets.items():
        with open(path) as file:
            parameters = {**parameters, name: put_secret(url, f"{stack}/{name}", file.read())}
    # CloudFormation reads a template above 51,200 bytes only from S3, as `sam deploy` does.
    s3.put_object(Bucket="artifacts", Key=f"{stack}/template.json", Body=json.dumps(template or translate(code=code)))
    request = {
        "StackName": stack,
        "TemplateURL": f"{url}/artifacts/{stack}/template.json",
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        "Tags": [{"Key": "Project", "Value": "findata"}],
    }
    try:
        cloudformation.describe_stacks(StackName=stack)
        cloudformation.update_stack(**request)
        waiter = "stack_update_complete"
    except ClientError as e:
        if "does not exist" not in str(e):
            raise
        cloudformation.create_stack(**request)
        waiter = "stack_create_complete"
    try:
        cloudformation.get_waiter(waiter).wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    except Exception as e:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        reasons = [f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}" for event in events
                   if "FAILED" in event["ResourceStatus"] and "ResourceStatusReason" in event]
        raise SystemExit(f"deploy: {e}\n" + "\n".join(reasons))
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    pair = lambda text: text.split("=", 1)
    parser.add_argument("--url", required=True)
    parser.add_argument("--stack", default="findata")
    for option in ("--zip", "--secret", "--set"):
        parser.add_argument(option, action="append", type=pair, default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    json.dump(deploy(args.url, args.stack, dict(args.zip), dict(args.secret), dict(args.set)), sys.stdout)
    print()


if __name__ == "__main__":
    main()
