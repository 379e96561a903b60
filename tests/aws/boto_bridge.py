"""Lets the Rust tests call the local AWS through boto3 with the root keys.

usage: boto_bridge.py --url URL    exits when its standard input closes
Reads calls from standard input, one per line: [service, operation, parameters] as JSON. Prints one
line of JSON per call: {"done": response} or {"failed": error code}. A streamed body becomes text.
"""
import argparse, json, sys
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from deploy import client


def read_bodies(value):
    """Replaces each streamed body in a response with its text."""
    if isinstance(value, StreamingBody):
        return value.read().decode()
    return {name: read_bodies(part) for name, part in value.items()} if isinstance(value, dict) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    url, clients = parser.parse_args().url, {}
    for line in sys.stdin:
        service, operation, parameters = json.loads(line)
        clients.setdefault(service, client(url, service))
        try:
            answer = {"done": read_bodies(getattr(clients[service], operation)(**parameters))}
        except ClientError as error:
            answer = {"failed": error.response["Error"]["Code"]}
        print(json.dumps(answer, default=str), flush=True)


main()
