"""Compares what the roles of a stack allow with what was called in their name since the local AWS started, both ways, as JSON.

usage: permissions.py --url URL [--stack findata]
  refused  calls that no statement allows
  unused   what statements allow and nothing called; a role of ours is named by its place in the template
A statement with several actions or resources is taken apart: each pair has to be used.
"""
import argparse, fnmatch, json, urllib.request
from deploy import client


def declared(url, stack):
    """{role: (its name in the template, [(action, resource)])}"""
    iam, found = client(url, "iam"), {}
    for resource in client(url, "cloudformation").describe_stack_resources(StackName=stack)["StackResources"]:
        if resource["ResourceType"] == "AWS::IAM::Role":
            role, pairs = resource["PhysicalResourceId"], []
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                for s in iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]:
                    actions, resources = ([x] if isinstance(x, str) else x for x in (s["Action"], s["Resource"]))
                    pairs += [(action, resource) for action in actions for resource in resources]
            found[role] = (resource["LogicalResourceId"], pairs)
    return found


def compared(url, stack):
    with urllib.request.urlopen(f"{url}/_calls") as answer:
        calls = json.load(answer)
    roles, unused = declared(url, stack), []
    for role, (name, pairs) in roles.items():
        mine = {(c["action"], c["resource"]) for c in calls if c["role"] == role and c["allowed"]}
        unused += [{"role": name, "action": action, "resource": resource} for action, resource in pairs
                   if not any(action == a and fnmatch.fnmatchcase(r, resource) for a, r in mine)]
    return {"refused": [c for c in calls if not c["allowed"]], "unused": unused}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--stack", default="findata")
    asked = parser.parse_args()
    print(json.dumps(compared(asked.url, asked.stack)))


if __name__ == "__main__":
    main()
