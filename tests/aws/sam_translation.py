"""Translates infra/template.yaml to CloudFormation with SAM's own translator, offline and without
an account."""
import os
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parents[2] / "infra" / "template.yaml"


class FakeIam:
    """An IAM client that lists no managed policies. The translator loads the list, but the template
    uses none of them."""
    def get_paginator(self, _):
        return self

    def paginate(self, **_):
        return iter([{"Policies": []}])


def translate(text=None, code=None):
    """Returns the translated template. `code` maps a function's logical id to the location of its
    zip file: {"Fanout": "s3://bucket/key"}."""
    template = yaml_parse(text if text is not None else TEMPLATE.read_text())
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = (code or {}).get(name, f"s3://artifacts/{name}.zip")
    return transform(template, {}, ManagedPolicyLoader(FakeIam()))
