//! The AWS deployment on a local AWS emulator: the functions, the real template, and the fake
//! Snowflake beside them.

use std::{
    io::Write,
    path::PathBuf,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use findata_pipeline::{run::RunId, summary::Summary};
use serde_json::{Value, json};

use super::{
    fake_snowflake::FakeSnowflake,
    home::today,
    python::{self, Program},
    simulator::Simulator,
    wait,
};

/// The functions, named as in the template.
const FUNCTIONS: [&str; 5] = ["fanout", "extract", "load", "analytics", "stream"];
/// The database on the fake Snowflake.
pub const DATABASE: &str = "bundle";
/// The longest time that a run of a few symbols may take on the emulator.
const TIMEOUT: Duration = Duration::from_secs(480);

/// A deployed stack on its own emulator. It ends when dropped.
pub struct Bundle {
    calls: Mutex<Program>,
    url: String,
    outputs: Value,
    /// The Snowflake that the functions use.
    pub snowflake: FakeSnowflake,
    /// The last field, so it is dropped last: the other fields use the emulator.
    _aws: Program,
}

impl Bundle {
    /// Starts a stack that uses this FMP server on [`today`]. `parameters` override the test's
    /// defaults. If the Python environment or the built functions are missing, prints what is
    /// missing and returns `None`.
    pub fn start(server: &Simulator, parameters: &[(&str, &str)]) -> Option<Bundle> {
        Self::start_with(server, parameters, &[])
    }

    /// Like [`Bundle::start`], with options of the fake Snowflake.
    pub fn start_with(
        server: &Simulator,
        parameters: &[(&str, &str)],
        snowflake_options: &[&str],
    ) -> Option<Bundle> {
        let python = python::prepared_python("FINDATA_TEST_AWS_PYTHON", "tests/aws/requirements.txt")?;
        let zips = zips()?;
        let mut aws = Program::start(&python, "aws/local_aws.py", [] as [&str; 0]);
        let url = aws.read_json()["url"].as_str().expect("an address").to_owned();
        let fake = FakeSnowflake::with_s3(&url, snowflake_options)?;
        let secrets = [("FmpSecretArn", "the-key-of-fmp"), ("SnowflakeSecretArn", fake.key())];
        let mut arguments: Vec<String> = vec!["--url".into(), url.clone()];
        for (name, text) in secrets {
            let file = aws.folder().join(name);
            std::fs::write(&file, text).expect("a file");
            arguments.extend(["--secret".into(), format!("{name}={}", file.display())]);
        }
        for function in FUNCTIONS {
            let (first, rest) = function.split_at(1);
            let zip = zips.join(format!("findata-{function}/bootstrap.zip"));
            arguments.extend(["--zip".into(), format!("{}{rest}={}", first.to_uppercase(), zip.display())]);
        }
        let settings = fake.settings(DATABASE);
        let day = today().to_string();
        let usual = [
            ("FmpPlan", "unlimited"),
            ("FmpUrl", &server.url()),
            ("RetryPause", "1"),
            ("SnowflakeAccount", &settings.account),
            ("SnowflakeUser", &settings.user),
            ("SnowflakeRoleName", &settings.role),
            ("SnowflakeWarehouse", &settings.warehouse),
            ("SnowflakeDatabase", DATABASE),
            ("SnowflakeSchema", "public"),
            ("SnowflakeStage", "public.own"),
            ("SnowflakeUrl", settings.url.as_deref().expect("an address")),
            ("Today", &day),
        ];
        let given = |name: &str| parameters.iter().any(|(other, _)| *other == name);
        for (name, value) in usual.iter().filter(|(name, _)| !given(name)).chain(parameters) {
            arguments.extend(["--set".into(), format!("{name}={value}")]);
        }
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("aws/deploy.py");
        let deployed = Command::new(&python).arg(script).args(arguments).output().expect("Python starts");
        let stdout = String::from_utf8_lossy(&deployed.stdout);
        let outputs: Value = serde_json::from_str(stdout.trim())
            .unwrap_or_else(|e| panic!("{e}: {stdout} {}", String::from_utf8_lossy(&deployed.stderr)));
        let calls = Program::start(&python, "aws/boto_bridge.py", ["--url", &url]);
        let bundle = Bundle {
            calls: Mutex::new(calls),
            url,
            outputs,
            snowflake: fake,
            _aws: aws,
        };
        bundle.set_visibility_timeout(20);
        Some(bundle)
    }

    /// The value of a stack output.
    pub fn output(&self, name: &str) -> String {
        self.outputs[name]
            .as_str()
            .unwrap_or_else(|| panic!("no output {name}: {}", self.outputs))
            .to_owned()
    }

    /// The URL of the local AWS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls AWS with the root credentials. Returns the response or the error code.
    pub fn try_call(&self, service: &str, operation: &str, parameters: Value) -> Result<Value, String> {
        let mut calls = self.calls.lock().expect("no panic before");
        let line = json!([service, operation, parameters]);
        writeln!(calls.stdin.as_mut().expect("its input"), "{line}").expect("it reads");
        let answer = calls.read_json();
        match answer["failed"].as_str() {
            Some(code) => Err(code.to_owned()),
            None => Ok(answer["done"].clone()),
        }
    }

    /// Like [`Bundle::try_call`], for a call that must succeed.
    pub fn call(&self, service: &str, operation: &str, parameters: Value) -> Value {
        let done = self.try_call(service, operation, parameters);
        done.unwrap_or_else(|code| panic!("{service} {operation}: {code}"))
    }

    /// Calls a control endpoint of the emulator: `/_tick`, `/_deliver`, `/_fail`, `/_kill` or
    /// `/_calls`. AWS does not have these endpoints.
    pub fn control(&self, path: &str, question: &[(&str, &str)]) -> Value {
        let text = wait(async {
            let request =
                self.snowflake.http().get(format!("{}{path}", self.url)).query(question).send().await;
            request.expect("an answer").error_for_status().expect(path).text().await
        });
        serde_json::from_str(&text.expect("a text")).expect("JSON")
    }

    /// Invokes a function and waits for its response.
    pub fn invoke(&self, function: &str, input: &Value) -> Value {
        let request = json!({"FunctionName": format!("findata-{function}"), "Payload": input.to_string()});
        let answer = self.call("lambda", "invoke", request);
        let payload = answer["Payload"].as_str().expect("an answer");
        serde_json::from_str(payload).unwrap_or_else(|e| panic!("{e}: {payload}"))
    }

    /// Puts an event on the stack's bus.
    pub fn put_event(&self, kind: &str, detail: &Value) {
        let entry = json!({
            "EventBusName": self.output("BusName"), "Source": "findata", "DetailType": kind, "Detail": detail.to_string(),
        });
        assert_eq!(self.call("events", "put_events", json!({"Entries": [entry]}))["FailedEntryCount"], 0);
    }

    /// Sets the visibility timeout of the queues in seconds: the time for which a received message
    /// stays hidden unless it is deleted. The template sets 30 minutes.
    pub fn set_visibility_timeout(&self, seconds: u32) {
        for queue in ["QueueUrl", "DeadLettersUrl"] {
            let attributes = json!({"VisibilityTimeout": seconds.to_string()});
            self.call(
                "sqs",
                "set_queue_attributes",
                json!({"QueueUrl": self.output(queue), "Attributes": attributes}),
            );
        }
    }

    /// The number of messages waiting in a queue. `queue` is the stack output with the queue's URL.
    pub fn queue_depth(&self, queue: &str) -> u32 {
        let request =
            json!({"QueueUrl": self.output(queue), "AttributeNames": ["ApproximateNumberOfMessages"]});
        let answer = self.call("sqs", "get_queue_attributes", request);
        let held = answer["Attributes"]["ApproximateNumberOfMessages"].as_str().expect("a number");
        held.parse().expect("a number")
    }

    /// The text of an object on the stage; `None` if it does not exist.
    pub fn object(&self, key: &str) -> Option<String> {
        let place = json!({"Bucket": self.output("BucketName"), "Key": format!("home/{key}")});
        match self.try_call("s3", "get_object", place) {
            Ok(object) => object["Body"].as_str().map(str::to_owned),
            Err(code) if code == "NoSuchKey" => None,
            Err(code) => panic!("{key}: {code}"),
        }
    }

    /// The keys on the stage that begin with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let request = json!({"Bucket": self.output("BucketName"), "Prefix": format!("home/{prefix}")});
        let listed = self.call("s3", "list_objects_v2", request);
        let keys = listed["Contents"].as_array().into_iter().flatten();
        keys.filter_map(|object| Some(object["Key"].as_str()?.strip_prefix("home/")?.to_owned()))
            .collect()
    }

    /// Waits until a run has a summary, and returns it.
    pub fn summary(&self, run: &RunId) -> Summary {
        let key = format!("runs/{run}/summary.json");
        self.wait_for(&key, || Some(serde_json::from_str(&self.object(&key)?).expect("a summary")))
    }

    /// Calls `find` until it returns a value. `what` appears in the message if it never does.
    pub fn wait_for<T>(&self, what: &str, find: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = find() {
                return found;
            }
            if begun.elapsed() > TIMEOUT {
                let logs: Vec<String> =
                    FUNCTIONS.iter().map(|f| format!("{f}:\n{}", self.log(f).join("\n"))).collect();
                panic!("timed out waiting for {what}; {:?}\n{}", self.keys(""), logs.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The lines that a function has logged.
    pub fn log(&self, function: &str) -> Vec<String> {
        let group = json!({"logGroupName": format!("/aws/lambda/findata-{function}")});
        let Ok(found) = self.try_call("logs", "filter_log_events", group) else {
            return Vec::new();
        };
        let events = found["events"].as_array().into_iter().flatten();
        events.filter_map(|event| event["message"].as_str().map(str::to_owned)).collect()
    }
}

/// The folder with the functions' zip files.
fn zips() -> Option<PathBuf> {
    let folder = std::env::var_os("FINDATA_TEST_BUNDLE").map(PathBuf::from).filter(|path| path.exists());
    if folder.is_none() {
        println!(
            "skipped: FINDATA_TEST_BUNDLE does not name a folder with the functions' zip files; ./dev test builds them"
        );
    }
    folder
}
