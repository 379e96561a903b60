//! The dependencies between the crates, read from `cargo metadata`: they run in one direction.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// For each crate of the workspace, the other workspace crates that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("models", &["domain"]),
    ("pipeline", &["domain"]),
    ("fmp", &["domain", "pipeline"]),
    ("aws", &["domain", "pipeline"]),
    ("snowflake", &["domain", "pipeline"]),
    ("duckdb", &["domain", "models", "pipeline"]),
    ("explain", &["domain", "models"]),
    ("report", &["domain", "explain", "models", "pipeline"]),
    ("fmp-simulator", &["domain"]),
    ("fanout", &["aws", "domain", "fmp", "models", "pipeline"]),
    ("extract", &["aws", "domain", "fmp", "pipeline"]),
    ("load", &["aws", "domain", "pipeline", "snowflake"]),
    ("stream", &["aws", "domain", "pipeline"]),
    ("analytics", &["aws", "domain", "models", "pipeline", "snowflake"]),
];

/// Crates that no Lambda function may link. Only the command needs them; in a function they would
/// add size and start time.
const NOT_IN_A_FUNCTION: &[&str] = &["clap", "duckdb", "axum", "indicatif", "tokio-tungstenite"];
/// Crates that only analytics and fanout may link: the metric registry and its dependencies. fanout checks
/// the user's metrics before a run makes calls.
const REGISTRY: &[&str] = &["findata-models", "minijinja", "sqlparser", "toml"];

struct Graph {
    /// Names of the direct dependencies of each package, without those for tests and build scripts.
    dependencies: BTreeMap<String, BTreeSet<String>>,
    /// Features that each package of the workspace declares.
    features: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn read() -> Graph {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        // Limits the graph to this platform: the dependencies of other platforms may not have been
        // downloaded.
        let rustc = Command::new("rustc").arg("-vV").output().unwrap();
        let rustc = String::from_utf8(rustc.stdout).unwrap();
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let arguments =
            ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host];
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .args(["--manifest-path", manifest])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let members: BTreeSet<&str> = metadata["workspace_members"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut names = BTreeMap::new();
        let mut features = BTreeMap::new();
        for package in metadata["packages"].as_array().unwrap() {
            let (id, name) = (package["id"].as_str().unwrap(), package["name"].as_str().unwrap().to_owned());
            if members.contains(id) {
                let declared = package["features"].as_object().unwrap().keys().cloned().collect();
                features.insert(name.clone(), declared);
            }
            names.insert(id, name);
        }
        let mut dependencies = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array().unwrap() {
            let normal = |kinds: &Value| kinds.as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
            let found = node["deps"].as_array().unwrap().iter().filter(|dep| normal(&dep["dep_kinds"]));
            let found = found.map(|dep| names[dep["pkg"].as_str().unwrap()].clone()).collect();
            dependencies.insert(names[node["id"].as_str().unwrap()].clone(), found);
        }
        Graph { dependencies, features }
    }

    fn own(&self, package: &str) -> BTreeSet<String> {
        let own = |name: &String| name.strip_prefix("findata-").map(str::to_owned);
        self.dependencies[package].iter().filter_map(own).collect()
    }

    fn transitive(&self, package: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![package.to_owned()];
        while let Some(next) = open.pop() {
            for dependency in self.dependencies.get(&next).into_iter().flatten() {
                if found.insert(dependency.clone()) {
                    open.push(dependency.clone());
                }
            }
        }
        found
    }
}

#[test]
fn dependencies_run_one_way() {
    let graph = Graph::read();
    for (name, allowed) in ALLOWED {
        let allowed: BTreeSet<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        let own = graph.own(&format!("findata-{name}"));
        let forbidden: Vec<_> = own.difference(&allowed).collect();
        assert!(forbidden.is_empty(), "findata-{name} must not depend on {forbidden:?}");
    }
    let listed: BTreeSet<String> = ALLOWED.iter().map(|(name, _)| format!("findata-{name}")).collect();
    let hosts = ["findata-local", "findata-tests"].map(String::from).into();
    let members: BTreeSet<String> = graph.features.keys().cloned().collect();
    assert_eq!(
        members.difference(&listed).cloned().collect::<BTreeSet<_>>(),
        hosts,
        "crates without a rule"
    );
}

#[test]
fn functions_link_only_what_they_need() {
    let graph = Graph::read();
    for function in ["fanout", "extract", "load", "analytics", "stream"] {
        let linked = graph.transitive(&format!("findata-{function}"));
        let registry = REGISTRY.iter().filter(|_| !["analytics", "fanout"].contains(&function));
        let unwanted: Vec<_> =
            NOT_IN_A_FUNCTION.iter().chain(registry).filter(|name| linked.contains(**name)).collect();
        assert!(unwanted.is_empty(), "findata-{function} links {unwanted:?}");
        let (loads, fetches) = (linked.contains("findata-snowflake"), linked.contains("findata-fmp"));
        if function == "stream" {
            assert!(!loads && !fetches, "findata-stream needs only the stage");
            continue;
        }
        assert!(
            loads != fetches,
            "findata-{function} either calls FMP or writes to the warehouse, not both"
        );
    }
}

#[test]
fn the_only_feature_is_the_bundled_duckdb() {
    for (package, features) in Graph::read().features {
        let expected: &[&str] = match package.as_str() {
            "findata-local" | "findata-duckdb" => &["bundled"],
            _ => &[],
        };
        assert_eq!(features, expected, "{package}");
    }
}
