"""The translated template as the checks read it, with the values of its parameters and conditions."""


class Template:
    """A translated template. `parameters` replace the defaults; with them, each Fn::If becomes the
    branch that CloudFormation would take, and resources whose condition is false are left out."""

    def __init__(self, body, **parameters):
        self.body = body
        self.values = {name: parameters.get(name, p.get("Default")) for name, p in body["Parameters"].items()}
        self.resources = {
            name: self.expand(resource)
            for name, resource in body["Resources"].items()
            if "Condition" not in resource or self.holds({"Condition": resource["Condition"]})
        }

    def holds(self, condition):
        """Evaluates a condition."""
        (kind, operands), = condition.items()
        if kind == "Condition":
            return self.holds(self.body["Conditions"][operands])
        if kind == "Fn::Equals":
            left, right = map(self.text, operands)
            return left == right
        return {"Fn::Not": lambda parts: not parts[0], "Fn::And": all, "Fn::Or": any}[kind](
            [self.holds(operand) for operand in operands]
        )

    def text(self, value):
        """A value in a condition: text, a Ref to a parameter, or a Select from a list."""
        if not isinstance(value, dict):
            return value
        if "Ref" in value:
            return self.values[value["Ref"]]
        position, parts = value["Fn::Select"]
        return self.text(parts).split(",")[int(position)]

    def expand(self, value):
        if isinstance(value, list):
            parts = [self.expand(part) for part in value]
            return [part for part in parts if part != {"Ref": "AWS::NoValue"}]
        if not isinstance(value, dict):
            return value
        if "Fn::If" in value:
            condition, yes, no = value["Fn::If"]
            return self.expand(yes if self.holds({"Condition": condition}) else no)
        parts = {name: self.expand(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part != {"Ref": "AWS::NoValue"}}

    def properties(self, resource_type):
        """Returns the resources of a type: {logical id: properties}."""
        return {
            name: r.get("Properties", {})
            for name, r in self.resources.items()
            if r["Type"] == f"AWS::{resource_type}"
        }

    def resolve(self, value):
        """Replaces a Ref to a parameter with the parameter's value."""
        if isinstance(value, dict) and value.get("Ref") in self.values:
            return self.values[value["Ref"]]
        return value

    def number(self, value, default=0):
        resolved = self.resolve(value)
        return int(resolved) if resolved is not None else default


def referenced(value):
    """The logical id that a Ref or a GetAtt refers to."""
    if not isinstance(value, dict):
        return None
    if "Ref" in value:
        return value["Ref"]
    name = value.get("Fn::GetAtt")
    return (name.split(".") if isinstance(name, str) else name or [None])[0]


def as_list(value):
    return value if isinstance(value, list) else [value]


def text_of(resource):
    """The text of a Sub, or a plain text."""
    return resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource


def statements(role):
    return [s for policy in role.get("Policies", []) for s in as_list(policy["PolicyDocument"]["Statement"])]


def allows(role, action, resource):
    return any(action in as_list(s["Action"]) and resource in map(referenced, as_list(s["Resource"]))
               for s in statements(role) if s["Effect"] == "Allow")
