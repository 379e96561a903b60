"""Compares the permissions of a stack's roles with the calls made since the local AWS started;
prints JSON.

usage: permissions.py --url URL [--stack findata]
  refused  calls that no statement allows
  unused   permissions that no call used; roles are named by their logical id in the template
A statement with several actions or resources is split into pairs, each of which must be used.
"""
import argparse, fnmatch, json, urllib.request
from deploy import client


def declared_permissions(url, stack):
    """Returns the permissions of the stack's roles: {role: (logical id, [(action, resource)])}."""
    iam, found = client(url, "iam"), {}
    for resource in client(url, "cloudformation").describe_stack_resources(StackName=stack)["StackResources"]:
        if resource["ResourceType"] == "AWS::IAM::Role":
            role, pairs = resource["PhysicalResourceId"], []
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                for statement in iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"][
                    "Statement"
                ]:
                    actions, resources = (
                        [x] if isinstance(x, str) else x for x in (statement["Action"], statement["Resource"])
                    )
                    pairs += [(action, resource) for action in actions for resource in resources]
            found[role] = (resource["LogicalResourceId"], pairs)
    return found


def compare(url, stack):
    with urllib.request.urlopen(f"{url}/_calls") as response:
        calls = json.load(response)
    unused = []
    for role, (logical_id, pairs) in declared_permissions(url, stack).items():
        used = {(c["action"], c["resource"]) for c in calls if c["role"] == role and c["allowed"]}
        unused += [{"role": logical_id, "action": action, "resource": resource} for action, resource in pairs
                   if not any(action == a and fnmatch.fnmatchcase(r, resource) for a, r in used)]
    return {"refused": [c for c in calls if not c["allowed"]], "unused": unused}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--stack", default="findata")
    args = parser.parse_args()
    print(json.dumps(compare(args.url, args.stack)))


if __name__ == "__main__":
    main()
