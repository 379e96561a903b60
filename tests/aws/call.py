"""Calls the local AWS with the root keys: a line of JSON [service, operation, parameters] in, a line of JSON out.

usage: call.py --url URL    ends when its standard input does
The answer is {"done": ...} or {"failed": code}; a streamed body is its text.
"""
import argparse, json, sys
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from deploy import client


def plain(value):
    if isinstance(value, StreamingBody):
        return value.read().decode()
    return {name: plain(part) for name, part in value.items()} if isinstance(value, dict) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    url, clients = parser.parse_args().url, {}
    for line in sys.stdin:
        service, operation, parameters = json.loads(line)
        clients.setdefault(service, client(url, service))
        try:
            answer = {"done": plain(getattr(clients[service], operation)(**parameters))}
        except ClientError as error:
            answer = {"failed": error.response["Error"]["Code"]}
        print(json.dumps(answer, default=str), flush=True)


main()
