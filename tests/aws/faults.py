"""Faults that template.py has to find: a check that finds none of them is worth nothing."""
from collections import namedtuple

# The first `old` becomes `new` in the text of the template; `by` is the check that finds it, or one of several.
Fault = namedtuple("Fault", "name old new by")

FAULTS = [
    Fault("batch-of-20", "            BatchSize: 1\n", "            BatchSize: 20\n", "mappings"),
    Fault("whole-batch", "            FunctionResponseTypes: [ReportBatchItemFailures]\n", "", "mappings"),
    Fault("one-worker", "    MinValue: 2\n", "    MinValue: 1\n", "mappings"),
    Fault("no-limit-of-workers", "            ScalingConfig: {MaximumConcurrency: !Ref Workers}\n", "", "mappings"),
    Fault("visible-too-soon", "      VisibilityTimeout: 1800\n", "      VisibilityTimeout: 600\n", "mappings"),
    Fault("extract-too-long", "      CodeUri: ../functions/extract\n      Timeout: 300\n", "      CodeUri: ../functions/extract\n      Timeout: 301\n", "mappings"),
    Fault("poison-for-ever", "      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 3}\n", "", "mappings"),
    Fault("rate-1-days", "rate(15 minutes)", "rate(1 days)", "schedules"),
    Fault("rate-15-minute", "rate(15 minutes)", "rate(15 minute)", "schedules"),
    Fault("five-fields", "cron(0 6 ? * MON-FRI *)", "cron(0 6 ? * MON-FRI)", "schedules"),
    Fault("two-days", "cron(0 6 ? * MON-FRI *)", "cron(0 6 * * MON-FRI *)", "schedules"),
    Fault("retention", "      MessageRetentionPeriod: 1209600\n", "      MessageRetentionPeriod: 86400\n", "dead_letters"),
    Fault("open-queue", "      SqsManagedSseEnabled: true\n", "      SqsManagedSseEnabled: false\n", "dead_letters"),
    Fault("event-lost", "            Pattern: {source: [findata], detail-type: [RunRequested]}\n            DeadLetterConfig: {Arn: !GetAtt FailedEvents.Arn}\n",
          "            Pattern: {source: [findata], detail-type: [RunRequested]}\n", "dead_letters"),
    Fault("a-queue-of-sam", "            Pattern: {source: [findata], detail-type: [RunRequested]}\n            DeadLetterConfig: {Arn: !GetAtt FailedEvents.Arn}\n",
          "            Pattern: {source: [findata], detail-type: [RunRequested]}\n            DeadLetterConfig: {Type: SQS, QueueLogicalId: FailedEvents}\n", "sam|dead_letters"),
    Fault("rule-not-let-in", ", !GetAtt LoadStaged.Arn, ", ", ", "dead_letters"),
    Fault("any-action", "Action: [s3:GetObject, s3:PutObject]", 'Action: ["s3:*"]', "policies"),
    Fault("any-resource", "Action: sqs:SendMessage, Resource: !GetAtt Tasks.Arn", 'Action: sqs:SendMessage, Resource: "*"', "policies"),
    Fault("any-key", "${Bucket.Arn}/${StagePrefix}/state/*", "${Bucket.Arn}/*", "policies"),
    Fault("any-listing", '                Condition: {StringLikeIfExists: {"s3:prefix": [!Sub "${StagePrefix}/*"]}}\n', "", "policies"),
    Fault("role-of-sam", "      Role: !GetAtt FanoutRole.Arn\n", "", "sam|policies"),
    Fault("log-for-ever", ", RetentionInDays: !Ref LogDays", "", "functions"),
    Fault("another-log", "      LoggingConfig: {LogGroup: !Ref LoadLog}\n", "      LoggingConfig: {LogGroup: !Ref ExtractLog}\n", "functions"),
    Fault("shared-role", "      Role: !GetAtt LoadRole.Arn\n", "      Role: !GetAtt AnalyticsRole.Arn\n", "functions"),
    Fault("no-destination", "      EventInvokeConfig:\n        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt FailedEvents.Arn}}\n", "", "functions"),
    Fault("destination-refused", "              - *failed\n", "", "functions"),
    Fault("variable-missing", "          FINDATA_QUEUE_URL: !Ref Tasks\n", "", "functions"),
    Fault("variable-misspelt", "          SNOWFLAKE_ACCOUNT: ", "          SNOWFLAKE_ACOUNT: ", "functions"),
    Fault("two-loads", "      ReservedConcurrentExecutions: !If [Reserves, 1, !Ref AWS::NoValue]\n", "", "functions"),
    Fault("deaf-rule", "                bucket: {name: [!Ref Bucket]}\n", "                bucket: {name: [another]}\n", "rules"),
    Fault("own-bus-for-s3", "            Pattern:\n              source: [aws.s3]\n", "            EventBusName: !Ref Bus\n            Pattern:\n              source: [aws.s3]\n", "rules"),
    Fault("metric-misspelt", "      MetricName: RunsFailed\n", "      MetricName: RunFailed\n", "alarms"),
    Fault("metric-without-dimension", "      Dimensions: *stack\n", "      Dimensions: [{Name: Stack, Value: !Ref AWS::StackName}]\n", "alarms"),
    Fault("silent-alarm", "      AlarmActions: *actions\n", "", "alarms"),
    Fault("undecided-alarm", "      TreatMissingData: notBreaching\n", "", "alarms"),
    Fault("dashboard-misspelt", '"OpenRunMinutes", "stack"', '"OpenRunMinute", "stack"', "alarms"),
    Fault("public", "        BlockPublicPolicy: true\n", "        BlockPublicPolicy: false\n", "bucket"),
    Fault("no-tls", '            Condition: {Bool: {"aws:SecureTransport": false}}\n', '            Condition: {Bool: {"aws:SecureTransport": true}}\n', "bucket"),
    Fault("mute-bucket", "EventBridgeEnabled: true", "EventBridgeEnabled: false", "bucket"),
    Fault("uploads-for-ever", "AbortIncompleteMultipartUpload: {DaysAfterInitiation: 1}", "ExpirationInDays: 400, Prefix: x", "bucket"),
    Fault("bucket-goes", "    DeletionPolicy: Retain\n", "    DeletionPolicy: Delete\n", "bucket"),
    Fault("untagged", "      Tags: *tag_list\n", "", "whole"),
    Fault("no-output", "  StageUrl: ", "  Stage: ", "whole"),
    Fault("unknown-property", "      CodeUri: ../functions/load\n", "      CodeUri: ../functions/load\n      TimeLimit: 900\n", "sam|cfn-lint"),
    Fault("unknown-reference", "FINDATA_BUS: !Ref Bus\n", "FINDATA_BUS: !Ref Buss\n", "cfn-lint"),
    Fault("depends-in-a-circle", "  Bus:\n    Type: AWS::Events::EventBus\n", "  Bus:\n    Type: AWS::Events::EventBus\n    DependsOn: Fanout\n", "cfn-lint"),
]


def planted(text, name):
    fault = next(fault for fault in FAULTS if fault.name == name)
    assert fault.old in text, f"{name}: the template has no such text any more"
    return text.replace(fault.old, fault.new, 1)
