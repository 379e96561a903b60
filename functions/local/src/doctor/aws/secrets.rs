//! The two secrets: whether they exist and have the expected form. Their content is never shown.

use findata_aws::inspect::SecretState;
use findata_domain::Result;
use secrecy::ExposeSecret;

use super::{Check, Deployment, Problems};

/// A secret of the stack.
struct Expected {
    what: &'static str,
    parameter: &'static str,
    function: &'static str,
    variable: &'static str,
    /// The argument of `--secret-string` that stores it.
    value: &'static str,
    /// The name in the deployment guide.
    name: &'static str,
    /// Returns what is wrong with the content.
    problem: fn(&str) -> Option<&'static str>,
}

const SECRETS: [Expected; 2] = [
    Expected {
        what: "secret of FMP",
        parameter: "FmpSecretArn",
        function: "Fanout",
        variable: "FINDATA_FMP_SECRET",
        value: "\"$FMP_API_KEY\"",
        name: "findata/fmp",
        problem: fmp_key,
    },
    Expected {
        what: "secret of Snowflake",
        parameter: "SnowflakeSecretArn",
        function: "Load",
        variable: "FINDATA_SNOWFLAKE_SECRET",
        value: "file://key.pem",
        name: "findata/snowflake",
        problem: private_key,
    },
];

pub(super) async fn checks(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for expected in &SECRETS {
        checks.extend(check(deployment, expected).await?);
    }
    Ok(checks)
}

async fn check(deployment: &Deployment<'_>, expected: &Expected) -> Result<Vec<Check>> {
    let Expected { what, parameter, value, name, .. } = expected;
    let arn = match deployment.variable(expected.function, expected.variable) {
        "" => deployment.parameter(parameter),
        arn => arn,
    };
    let mut problems = Problems::default();
    match deployment.aws.secret_state(arn).await? {
        SecretState::Absent => problems.add(
            format!("{arn} does not exist"),
            format!(
                "aws secretsmanager create-secret --name {name} --secret-string {value} --query ARN; then cd infra && sam \
                 deploy --parameter-overrides {parameter}=ARN"
            ),
        ),
        SecretState::Deleted => problems.add(
            format!("{arn} is being deleted"),
            format!("aws secretsmanager restore-secret --secret-id {arn}"),
        ),
        SecretState::Present => {
            let content = deployment.aws.secret(arn).await;
            let found = match &content {
                Ok(content) => (expected.problem)(content.expose_secret()).map(str::to_owned),
                Err(error) => Some(error.to_string()),
            };
            if let Some(found) = found {
                problems.add(
                    format!("{arn}: {found}"),
                    format!("aws secretsmanager put-secret-value --secret-id {arn} --secret-string {value}"),
                );
            }
        }
    }
    Ok(problems.or_ok(what, format!("{arn} exists and has the expected form")))
}

/// What is wrong with a key of FMP, which functions send in a header.
fn fmp_key(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if text.starts_with(['{', '[', '"']) {
        return Some("it must contain the key as plain text, without JSON and quotation marks");
    }
    (!text.chars().all(|c| c.is_ascii_graphic()))
        .then_some("the key contains spaces or other characters than ASCII")
}

/// What is wrong with the private key of the Snowflake user.
fn private_key(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let kind = text
        .strip_prefix("-----BEGIN ")
        .and_then(|text| text.split_once("-----"))
        .map(|(kind, _)| kind);
    match kind {
        Some("PRIVATE KEY") if text.ends_with("-----END PRIVATE KEY-----") => None,
        Some("PRIVATE KEY") => Some("the key is cut off: its last line is missing"),
        Some("ENCRYPTED PRIVATE KEY") => {
            Some("the key has a pass phrase; create one without, as infra/README.md describes")
        }
        Some("RSA PRIVATE KEY") => {
            Some("the key is PKCS#1; `openssl pkcs8 -topk8 -nocrypt` converts it to PKCS#8")
        }
        Some("PUBLIC KEY") => Some("it is the public key"),
        _ => Some("it must contain a private key in PEM format (PKCS#8)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_keys_is_checked() {
        assert_eq!(fmp_key("abc123\n"), None);
        for wrong in ["{\"key\": \"abc\"}", "\"abc\"", "abc def", "abc\u{201d}"] {
            assert!(fmp_key(wrong).is_some(), "{wrong}");
        }
        assert_eq!(private_key("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"), None);
        for wrong in [
            "MII",
            "-----BEGIN PRIVATE KEY-----\nMII",
            "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII\n-----END ENCRYPTED PRIVATE KEY-----",
            "-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----",
        ] {
            assert!(private_key(wrong).is_some(), "{wrong}");
        }
    }
}
