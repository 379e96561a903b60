"""Event source mappings of Kinesis streams, as AWS describes them. ministack 1.5.33 passes batches to the
function, but ignores the records that it reports as failed, and neither bisects nor counts retries.

  Partial failures  Records before the lowest reported sequence number are done; the others are delivered again.
  Bisection         A batch whose invocation fails is delivered again in two halves, one after the other.
  Retries           A batch that cannot be divided any more is tried again. After the last attempt, its sequence
                    numbers go to the on-failure destination, and the shard continues.
  Roles             The mapping needs the permission of the function's role.
The batching window is not waited for.
"""
import base64, json, time

# The number of records that were read, by mapping and shard.
POSITIONS = {}
# The batches that wait for another delivery, in order, by mapping and shard: [records, failed attempts].
BATCHES = {}
# When a shard may be read again, by mapping and shard.
PAUSES = {}
PAUSE_SECONDS = 0.2
ACTIONS = ("GetRecords", "GetShardIterator", "DescribeStream", "DescribeStreamSummary", "ListShards")


def event_record(record, shard, stream):
    data = record["Data"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": data if isinstance(data, str) else base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "awsRegion": stream.split(":")[3],
        "eventSourceARN": stream,
    }


def after_failure(batch, attempts, mapping):
    """The batches that replace a batch whose invocation failed; None if it is given up."""
    if mapping.get("BisectBatchOnFunctionError") and len(batch) > 1:
        middle = len(batch) // 2
        return [[batch[:middle], 0], [batch[middle:], 0]]
    most = mapping.get("MaximumRetryAttempts", -1)
    return None if 0 <= most <= attempts else [[batch, attempts + 1]]


def after_answer(batch, attempts, mapping, answer):
    """The batches that replace a batch whose invocation succeeded."""
    reported = [failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures") or []]
    if not reported or "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        return []
    numbers = [record["SequenceNumber"] for record in batch]
    first = min(numbers.index(number) for number in reported)
    return [[batch[first:], attempts + 1 if first == 0 else 0]]


class Poller:
    def __init__(self, functions, streams, may_read, give_up):
        self.functions, self.streams, self.may_read, self.give_up = functions, streams, may_read, give_up

    def poll(self):
        """Delivers one batch of each shard. Returns whether there was any."""
        functions, delivered = self.functions, False
        for account, region, mapping in functions._iter_all_esms():
            tokens = functions._request_account_id.set(account), functions._request_region.set(region)
            try:
                delivered = self.poll_mapping(mapping) or delivered
            finally:
                functions._request_account_id.reset(tokens[0])
                functions._request_region.reset(tokens[1])
        return delivered

    def poll_mapping(self, mapping):
        source = mapping.get("EventSourceArn", "")
        if ":kinesis:" not in source or not mapping.get("Enabled", True):
            return False
        function, config = self.functions._get_func_record_for_qualifier(mapping["FunctionName"], None)
        stream = self.streams.get(source.rsplit("/", 1)[-1])
        if function is None or stream is None:
            return False
        return any([self.poll_shard(mapping, function, config, name, shard)
                    for name, shard in stream["shards"].items()])

    def poll_shard(self, mapping, function, config, name, shard):
        key, source = (mapping["UUID"], name), mapping["EventSourceArn"]
        batches = BATCHES.setdefault(key, [])
        if PAUSES.get(key, 0) > time.time():
            return False
        if not batches:
            is_latest = mapping.get("StartingPosition") == "LATEST"
            begin = POSITIONS.setdefault(key, len(shard["records"]) if is_latest else 0)
            records = shard["records"][begin:begin + int(mapping.get("BatchSize", 100))]
            if not records or not self.may_read(config, source):
                return False
            POSITIONS[key] = begin + len(records)
            batches.append([records, 0])
        batch, attempts = batches[0]
        event = {"Records": [event_record(record, name, source) for record in batch]}
        result = self.functions._execute_function(function, event)
        if result.get("error"):
            rest = after_failure(batch, attempts, mapping)
            PAUSES[key] = time.time() + PAUSE_SECONDS
        else:
            body = result.get("body")
            rest = after_answer(batch, attempts, mapping, json.loads(body) if isinstance(body, str) else body)
            if rest:
                PAUSES[key] = time.time() + PAUSE_SECONDS
        if rest is None:
            self.give_up(mapping, config, name, batch)
        batches[:1] = rest or []
        return True


def backlog(streams):
    """The number of records of all streams that no function has accepted."""
    stored = sum(len(shard["records"]) for stream in streams._data.values() for shard in stream["shards"].values())
    waiting = sum(len(batch) for batches in list(BATCHES.values()) for batch, _ in list(batches))
    return stored - sum(POSITIONS.values()) + waiting
