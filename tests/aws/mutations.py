"""Mutations of the template that template_lint.py must detect."""
from collections import namedtuple

# Replaces the first occurrence of `old` in the template with `new`. `check` names the check that
# must detect it, or several alternatives separated by |.
Mutation = namedtuple("Mutation", "name old new check")

MUTATIONS = [
    Mutation("batch-size-without-window", "            BatchSize: 1\n", "            BatchSize: 20\n", "event_source_mappings"),
    Mutation("no-partial-batch-response", "            FunctionResponseTypes: [ReportBatchItemFailures]\n", "", "event_source_mappings"),
    Mutation("single-worker", "    MinValue: 2\n", "    MinValue: 1\n", "event_source_mappings"),
    Mutation("no-maximum-concurrency", "            ScalingConfig: {MaximumConcurrency: !Ref Workers}\n", "", "event_source_mappings"),
    Mutation("short-visibility-timeout", "      VisibilityTimeout: 1800\n", "      VisibilityTimeout: 600\n", "event_source_mappings"),
    Mutation("long-extract-timeout", "      CodeUri: ../functions/extract\n      Timeout: 300\n", "      CodeUri: ../functions/extract\n      Timeout: 301\n", "event_source_mappings"),
    Mutation("no-redrive-policy", "      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 3}\n", "", "event_source_mappings"),
    Mutation("rate-1-days", "rate(15 minutes)", "rate(1 days)", "schedules"),
    Mutation("rate-15-minute", "rate(15 minutes)", "rate(15 minute)", "schedules"),
    Mutation("cron-five-fields", "cron(0 6 ? * MON-FRI *)", "cron(0 6 ? * MON-FRI)", "schedules"),
    Mutation("cron-two-days", "cron(0 6 ? * MON-FRI *)", "cron(0 6 * * MON-FRI *)", "schedules"),
    Mutation("short-retention", "      MessageRetentionPeriod: 1209600\n", "      MessageRetentionPeriod: 86400\n", "dead_letter_queues"),
    Mutation("unencrypted-queue", "      SqsManagedSseEnabled: true\n", "      SqsManagedSseEnabled: false\n", "dead_letter_queues"),
    Mutation("rule-without-dead-letter-queue", "            Pattern: {source: [findata], detail-type: [RunRequested]}\n            DeadLetterConfig: {Arn: !GetAtt FailedEvents.Arn}\n",
          "            Pattern: {source: [findata], detail-type: [RunRequested]}\n", "dead_letter_queues"),
    Mutation("sam-queue-policy", "            Pattern: {source: [findata], detail-type: [RunRequested]}\n            DeadLetterConfig: {Arn: !GetAtt FailedEvents.Arn}\n",
          "            Pattern: {source: [findata], detail-type: [RunRequested]}\n            DeadLetterConfig: {Type: SQS, QueueLogicalId: FailedEvents}\n", "sam|dead_letter_queues"),
    Mutation("rule-missing-in-queue-policy", ", !GetAtt LoadStaged.Arn, ", ", ", "dead_letter_queues"),
    Mutation("wildcard-action", "Action: [s3:GetObject, s3:PutObject]", 'Action: ["s3:*"]', "policies"),
    Mutation("wildcard-resource", "Action: sqs:SendMessage, Resource: !GetAtt Tasks.Arn", 'Action: sqs:SendMessage, Resource: "*"', "policies"),
    Mutation("wildcard-key", "${Bucket.Arn}/${StagePrefix}/state/*", "${Bucket.Arn}/*", "policies"),
    Mutation("unrestricted-listing", '                Condition: {StringLikeIfExists: {"s3:prefix": [!Sub "${StagePrefix}/*"]}}\n', "", "policies"),
    Mutation("sam-generated-role", "      Role: !GetAtt FanoutRole.Arn\n", "", "sam|policies"),
    Mutation("unlimited-log-retention", ", RetentionInDays: !Ref LogDays", "", "functions"),
    Mutation("wrong-log-group", "      LoggingConfig: {LogGroup: !Ref LoadLog}\n", "      LoggingConfig: {LogGroup: !Ref ExtractLog}\n", "functions"),
    Mutation("shared-role", "      Role: !GetAtt LoadRole.Arn\n", "      Role: !GetAtt AnalyticsRole.Arn\n", "functions"),
    Mutation("no-failure-destination", "      EventInvokeConfig:\n        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt FailedEvents.Arn}}\n", "", "functions"),
    Mutation("destination-denied", "              - *failed\n", "", "functions"),
    Mutation("variable-missing", "          FINDATA_QUEUE_URL: !Ref Tasks\n", "", "functions"),
    Mutation("variable-misspelt", "          SNOWFLAKE_ACCOUNT: ", "          SNOWFLAKE_ACOUNT: ", "functions"),
    Mutation("no-reserved-concurrency", "      ReservedConcurrentExecutions: !If [Reserves, 1, !Ref AWS::NoValue]\n", "", "functions"),
    Mutation("wrong-bucket-in-pattern", "                bucket: {name: [!Ref Bucket]}\n", "                bucket: {name: [another]}\n", "rules"),
    Mutation("s3-rule-on-own-bus", "            Pattern:\n              source: [aws.s3]\n", "            EventBusName: !Ref Bus\n            Pattern:\n              source: [aws.s3]\n", "rules"),
    Mutation("metric-misspelt", "      MetricName: RunsFailed\n", "      MetricName: RunFailed\n", "alarms"),
    Mutation("wrong-metric-dimension", "      Dimensions: *stack\n", "      Dimensions: [{Name: Stack, Value: !Ref AWS::StackName}]\n", "alarms"),
    Mutation("alarm-without-action", "      AlarmActions: *actions\n", "", "alarms"),
    Mutation("alarm-without-missing-data-rule", "      TreatMissingData: notBreaching\n", "", "alarms"),
    Mutation("dashboard-misspelt", '"OpenRunMinutes", "stack"', '"OpenRunMinute", "stack"', "alarms"),
    Mutation("public-bucket", "        BlockPublicPolicy: true\n", "        BlockPublicPolicy: false\n", "bucket"),
    Mutation("tls-not-required", '            Condition: {Bool: {"aws:SecureTransport": false}}\n', '            Condition: {Bool: {"aws:SecureTransport": true}}\n', "bucket"),
    Mutation("no-bucket-events", "EventBridgeEnabled: true", "EventBridgeEnabled: false", "bucket"),
    Mutation("unlimited-uploads", "AbortIncompleteMultipartUpload: {DaysAfterInitiation: 1}", "ExpirationInDays: 400, Prefix: x", "bucket"),
    Mutation("bucket-deleted-with-stack", "    DeletionPolicy: Retain\n", "    DeletionPolicy: Delete\n", "bucket"),
    Mutation("untagged", "      Tags: *tag_list\n", "", "stack"),
    Mutation("missing-output", "  StageUrl: ", "  Stage: ", "stack"),
    Mutation("unknown-property", "      CodeUri: ../functions/load\n", "      CodeUri: ../functions/load\n      TimeLimit: 900\n", "sam|cfn-lint"),
    Mutation("unknown-reference", "FINDATA_BUS: !Ref Bus\n", "FINDATA_BUS: !Ref Buss\n", "cfn-lint"),
    Mutation("circular-dependency", "  Bus:\n    Type: AWS::Events::EventBus\n", "  Bus:\n    Type: AWS::Events::EventBus\n    DependsOn: Fanout\n", "cfn-lint"),
]


def mutate(text, name):
    """The template text with one mutation."""
    mutation = next(mutation for mutation in MUTATIONS if mutation.name == name)
    assert mutation.old in text, f"{name}: the template no longer contains this text"
    return text.replace(mutation.old, mutation.new, 1)
