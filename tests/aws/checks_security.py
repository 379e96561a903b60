"""Checks of roles, encryption, the network and the bucket."""
import json, re
from template_model import allows, as_list, referenced, statements, text_of

# A wildcard may only match the contents of one of findata's own folders.
OWN_FOLDER = r"\$\{Bucket\.Arn\}/\$\{StagePrefix\}/(landing(/(\*_)?[a-z0-9_]+)?|state(/[a-z0-9_]+)?|runs(/\*/[a-z]+)?)/\*"
OWN_OBJECT = r"\$\{Bucket\.Arn\}/\$\{StagePrefix\}/runs/\*/[a-z]+\.json"
NETWORK = {
    f"ec2:{name}"
    for name in ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets",
                 "DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
}


def is_network(s):
    """The permissions that Lambda needs for functions in a VPC, and their denial to the functions' code. AWS
    allows no resource for them: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html"""
    return {a for a in as_list(s["Action"])} in (NETWORK, {"ec2:*"}) and (s["Effect"] == "Deny" or "*" not in s["Action"])


def policies(t):
    for name, role in t.properties("IAM::Role").items():
        if role.get("ManagedPolicyArns"):
            yield f"{name}: has managed policies"
        for s in statements(role):
            if is_network(s):
                continue
            for action in as_list(s["Action"]):
                if "*" in action:
                    yield f"{name}: allows {action}"
            for resource in as_list(s["Resource"]):
                text = text_of(resource)
                if "*" in text and not re.fullmatch(OWN_FOLDER, text) and not re.fullmatch(OWN_OBJECT, text):
                    yield f"{name}: allows access to {text}"
            if "s3:ListBucket" in as_list(s["Action"]) and s.get("Condition") != {
                "StringLike": {"s3:prefix": [{"Fn::Sub": "${StagePrefix}/*"}]}
            }:
                yield f"{name}: lists other objects than those of the stage, or not all of them"
            if "events:PutEvents" in as_list(s["Action"]):
                condition = s.get("Condition", {})
                types = condition.get("StringEquals", {}).get("events:detail-type", ["RunRequested"])
                if condition.get("ForAllValues:StringEquals") != {"events:source": ["findata"]}:
                    yield f"{name}: puts events of any source"
                if "RunRequested" in types:
                    yield f"{name}: may request runs"
    # Extract writes its own objects only: the others' objects decide what is loaded and computed.
    for s in statements(t.properties("IAM::Role")["ExtractRole"]):
        broad = [text for text in map(text_of, as_list(s["Resource"])) if re.search(r"/(runs|state)/\*$", text)]
        if "s3:PutObject" in as_list(s["Action"]) and broad:
            yield f"ExtractRole: writes all of {broad}"


def trust(t):
    for name, role in t.properties("IAM::Role").items():
        if t.holds({"Condition": "HasBoundary"}) and "PermissionsBoundary" not in role:
            yield f"{name}: cannot be created in an account that enforces a permissions boundary"
        for s in role["AssumeRolePolicyDocument"]["Statement"]:
            if s.get("Condition") == {"DateLessThan": {"aws:CurrentTime": "2000-01-01T00:00:00Z"}}:
                continue
            principal, condition = s["Principal"], s.get("Condition", {}).get("StringEquals", {})
            # The Scheduler passes the ARN of the schedule group:
            # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
            if principal == {"Service": "scheduler.amazonaws.com"}:
                group = text_of(condition.get("aws:SourceArn", ""))
                if not group.endswith(":schedule-group/default") or condition.get("aws:SourceAccount") != {"Ref": "AWS::AccountId"}:
                    yield f"{name}: trusts schedules of other accounts"
            elif "AWS" in principal and "sts:ExternalId" not in condition:
                yield f"{name}: trusts a principal without an external id"
            elif "Service" in principal and principal["Service"] != "lambda.amazonaws.com":
                yield f"{name}: trusts {principal}"


def encryption(t):
    queues, has_key = t.properties("SQS::Queue"), t.holds({"Condition": "HasKey"})
    for name, queue in queues.items():
        if bool(queue.get("SqsManagedSseEnabled")) == has_key or ("KmsMasterKeyId" in queue) != has_key:
            yield f"{name}: not encrypted, or not with the right key"
        denials = [s for p in t.properties("SQS::QueuePolicy").values() if name in map(referenced, p["Queues"])
                   for s in p["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        if not any(
            s.get("Condition") == {"Bool": {"aws:SecureTransport": False}} and referenced(s["Resource"]) == name
            for s in denials
        ):
            yield f"{name}: accepts requests without TLS"
    if has_key:
        for name, topic in t.properties("SNS::Topic").items():
            if "KmsMasterKeyId" not in topic:
                yield f"{name}: not encrypted with the key"
        for name, log in t.properties("Logs::LogGroup").items():
            if "KmsKeyId" not in log:
                yield f"{name}: not encrypted with the key"
        for name, role in t.properties("IAM::Role").items():
            if not allows(role, "kms:Decrypt", "KmsKeyArn"):
                yield f"{name}: may not use the key"


def network(t):
    for name, f in t.properties("Lambda::Function").items():
        in_vpc = t.holds({"Condition": "HasVpc"})
        if ("VpcConfig" in f) != in_vpc:
            yield f"{name}: {'not in the given subnets' if in_vpc else 'in a VPC'}"
        role = t.properties("IAM::Role")[referenced(f["Role"])]
        given = {s["Effect"]: set(as_list(s["Action"])) for s in statements(role) if is_network(s)}
        if given != ({"Allow": NETWORK, "Deny": {"ec2:*"}} if in_vpc else {}):
            yield f"{name}: needs the permissions for network interfaces exactly in a VPC, and its code never"


def bucket(t):
    for name, b in t.properties("S3::Bucket").items():
        if list(b.get("PublicAccessBlockConfiguration", {}).values()) != [True] * 4:
            yield f"{name}: does not block public access"
        encryption = json.dumps(b.get("BucketEncryption", {}))
        if ("aws:kms" if t.holds({"Condition": "HasKey"}) else "AES256") not in encryption:
            yield f"{name}: not encrypted, or not with the right key"
        if (
            not b.get("NotificationConfiguration", {})
            .get("EventBridgeConfiguration", {})
            .get("EventBridgeEnabled")
        ):
            yield f"{name}: does not publish events"
        if b.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{name}: keeps no versions of overwritten and deleted objects"
        rules = b.get("LifecycleConfiguration", {}).get("Rules", [])
        expiring = {text_of(r.get("Prefix", "")): r["ExpirationInDays"] for r in rules if "ExpirationInDays" in r}
        # A rebuild of the warehouse needs landing files and ledgers of any age, and runs need the state. Only the
        # ids of direct invocations may expire.
        if set(expiring) != {"${StagePrefix}/state/asked/"}:
            yield f"{name}: must expire exactly the ids of direct invocations, not {sorted(expiring)}"
        if not any("AbortIncompleteMultipartUpload" in r for r in rules):
            yield f"{name}: never deletes incomplete uploads"
        old = {text_of(r.get("Prefix", "")): r["NoncurrentVersionExpiration"]["NoncurrentDays"]
               for r in rules if "NoncurrentVersionExpiration" in r}
        if not 7 <= old.get("", 0) <= 90:
            yield f"{name}: old versions must be kept for a week, and deleted at some time"
        if old.get("${StagePrefix}/state/budget/") != 1:
            yield f"{name}: keeps every state of the rate limit"
        # Without RetainExceptOnCreate, each failed first deploy would leave a bucket behind.
        kept = [t.resources[name].get(policy) for policy in ("DeletionPolicy", "UpdateReplacePolicy")]
        if kept != ["RetainExceptOnCreate", "Retain"]:
            yield f"{name}: is deleted with the stack, or kept after a failed first deploy"
        denials = [s for p in t.properties("S3::BucketPolicy").values() if referenced(p["Bucket"]) == name
                   for s in p["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        if not any(
            s.get("Condition") == {"Bool": {"aws:SecureTransport": False}} and len(s["Resource"]) == 2
            for s in denials
        ):
            yield f"{name}: accepts requests without TLS"


CHECKS = (policies, trust, encryption, network, bucket)
