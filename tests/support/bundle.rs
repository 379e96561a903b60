//! The bundle on a local AWS: the functions as a release has them, the template, the double of Snowflake beside them.

use std::{
    io::Write,
    path::PathBuf,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use findata_shared::run::{RunId, Summary};
use serde_json::{Value, json};

use super::{
    home::today,
    python::{self, Program},
    server::Server,
    snowflake::Double,
    wait,
};

/// The functions, as the template names them.
const FUNCTIONS: [&str; 4] = ["fanout", "extract", "load", "analytics"];
/// The database of the double.
pub const DATABASE: &str = "bundle";
/// What a run of a few symbols may take here.
const PATIENCE: Duration = Duration::from_secs(240);

/// A stack of its own, which ends when it is dropped.
pub struct Bundle {
    calls: Mutex<Program>,
    url: String,
    outputs: Value,
    /// Snowflake.
    pub double: Double,
    /// Dropped last: the others speak to it.
    _aws: Program,
}

impl Bundle {
    /// A stack that asks this FMP, on [`today`], with other parameters than a test usually has; `None`, and a word about it,
    /// where the Python or the functions are not there.
    pub fn start(server: &Server, parameters: &[(&str, &str)]) -> Option<Bundle> {
        let python = python::prepared("FINDATA_TEST_AWS_PYTHON", "tests/aws/requirements.txt")?;
        let zips = zips()?;
        let mut aws = Program::start(&python, "aws/local_aws.py", [] as [&str; 0]);
        let url = aws.said()["url"].as_str().expect("an address").to_owned();
        let double = Double::beside(&url)?;
        let secrets = [("FmpSecretArn", "the-key-of-fmp"), ("SnowflakeSecretArn", double.key())];
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
        let settings = double.settings(DATABASE);
        let day = today().to_string();
        let usual = [
            ("Architecture", "x86_64"),
            ("FmpUrl", &server.url()),
            ("FmpPlan", "unlimited"),
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
        let told = String::from_utf8_lossy(&deployed.stdout);
        let outputs: Value = serde_json::from_str(told.trim())
            .unwrap_or_else(|e| panic!("{e}: {told} {}", String::from_utf8_lossy(&deployed.stderr)));
        let calls = Program::start(&python, "aws/boto_bridge.py", ["--url", &url]);
        let bundle = Bundle { calls: Mutex::new(calls), url, outputs, double, _aws: aws };
        bundle.comes_again_after(20);
        Some(bundle)
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> String {
        self.outputs[name].as_str().unwrap_or_else(|| panic!("no output {name}: {}", self.outputs)).to_owned()
    }

    /// The address of the local AWS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls AWS with the root keys; the answer, or the code of its error.
    pub fn try_call(&self, service: &str, operation: &str, parameters: Value) -> Result<Value, String> {
        let mut calls = self.calls.lock().expect("no panic before");
        let line = json!([service, operation, parameters]);
        writeln!(calls.stdin.as_mut().expect("its input"), "{line}").expect("it reads");
        let answer = calls.said();
        match answer["failed"].as_str() {
            Some(code) => Err(code.to_owned()),
            None => Ok(answer["done"].clone()),
        }
    }

    /// The same, of what has to succeed.
    pub fn call(&self, service: &str, operation: &str, parameters: Value) -> Value {
        let done = self.try_call(service, operation, parameters);
        done.unwrap_or_else(|code| panic!("{service} {operation}: {code}"))
    }

    /// Asks the local AWS what AWS would not be asked: `/_tick`, `/_deliver`, `/_fail`, `/_kill`, `/_calls`.
    pub fn ask(&self, path: &str, question: &[(&str, &str)]) -> Value {
        let text = wait(async {
            let asked = self.double.http().get(format!("{}{path}", self.url)).query(question).send().await;
            asked.expect("an answer").error_for_status().expect(path).text().await
        });
        serde_json::from_str(&text.expect("a text")).expect("JSON")
    }

    /// Calls a function and waits for its answer.
    pub fn invoke(&self, function: &str, input: &Value) -> Value {
        let asked = json!({"FunctionName": format!("findata-{function}"), "Payload": input.to_string()});
        let answer = self.call("lambda", "invoke", asked);
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

    /// How long a message that was taken and not done is hidden, in seconds; it is 30 minutes in the template.
    pub fn comes_again_after(&self, seconds: u32) {
        for queue in ["QueueUrl", "DeadLettersUrl"] {
            let attributes = json!({"VisibilityTimeout": seconds.to_string()});
            self.call("sqs", "set_queue_attributes", json!({"QueueUrl": self.output(queue), "Attributes": attributes}));
        }
    }

    /// Messages that wait in a queue, by the output that has its address.
    pub fn waiting(&self, queue: &str) -> u32 {
        let asked = json!({"QueueUrl": self.output(queue), "AttributeNames": ["ApproximateNumberOfMessages"]});
        let answer = self.call("sqs", "get_queue_attributes", asked);
        let held = answer["Attributes"]["ApproximateNumberOfMessages"].as_str().expect("a number");
        held.parse().expect("a number")
    }

    /// What lies under a key of the stage, as text.
    pub fn object(&self, key: &str) -> Option<String> {
        let place = json!({"Bucket": self.output("BucketName"), "Key": format!("home/{key}")});
        match self.try_call("s3", "get_object", place) {
            Ok(object) => object["Body"].as_str().map(str::to_owned),
            Err(code) if code == "NoSuchKey" => None,
            Err(code) => panic!("{key}: {code}"),
        }
    }

    /// Keys of the stage under a prefix.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let asked = json!({"Bucket": self.output("BucketName"), "Prefix": format!("home/{prefix}")});
        let listed = self.call("s3", "list_objects_v2", asked);
        let keys = listed["Contents"].as_array().into_iter().flatten();
        keys.filter_map(|object| Some(object["Key"].as_str()?.strip_prefix("home/")?.to_owned())).collect()
    }

    /// Waits for the end of a run.
    pub fn summary(&self, run: &RunId) -> Summary {
        let key = format!("runs/{run}/summary.json");
        self.until(&key, || Some(serde_json::from_str(&self.object(&key)?).expect("a summary")))
    }

    /// Waits until something is there.
    pub fn until<T>(&self, what: &str, find: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = find() {
                return found;
            }
            if begun.elapsed() > PATIENCE {
                let logs: Vec<String> = FUNCTIONS.iter().map(|f| format!("{f}:\n{}", self.log(f).join("\n"))).collect();
                panic!("waited in vain for {what}; {:?}\n{}", self.keys(""), logs.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The lines that a function logged.
    pub fn log(&self, function: &str) -> Vec<String> {
        let group = json!({"logGroupName": format!("/aws/lambda/findata-{function}")});
        let Ok(found) = self.try_call("logs", "filter_log_events", group) else { return Vec::new() };
        let events = found["events"].as_array().into_iter().flatten();
        events.filter_map(|event| event["message"].as_str().map(str::to_owned)).collect()
    }
}

/// The folder of the functions' zips.
fn zips() -> Option<PathBuf> {
    let folder = std::env::var_os("FINDATA_TEST_BUNDLE").map(PathBuf::from).filter(|path| path.exists());
    if folder.is_none() {
        println!("skipped: FINDATA_TEST_BUNDLE names no folder with the functions' zips; ./dev test builds them");
    }
    folder
}
