"""infra/template.yaml as CloudFormation: SAM's own translator, offline and without an account."""
import os
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parents[2] / "infra" / "template.yaml"


class NoAccount:
    """Stands in for IAM, which the translator asks for the managed policies; the template uses none."""
    def get_paginator(self, _):
        return self

    def paginate(self, **_):
        return iter([{"Policies": []}])


def translated(text=None, code=None):
    """The template with the code of each function at s3://bucket/key, {"Fanout": "s3://..."}."""
    template = yaml_parse(text if text is not None else TEMPLATE.read_text())
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = (code or {}).get(name, f"s3://artifacts/{name}.zip")
    return transform(template, {}, ManagedPolicyLoader(NoAccount()))
