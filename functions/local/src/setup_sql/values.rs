//! Validates the account-specific values, so that no value can end the SQL literal or the name into
//! which it is inserted.

/// The values as the caller wrote them, not validated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// The bucket's name.
    pub bucket: Option<&'a str>,
    /// The folder in the bucket; empty for its root.
    pub prefix: Option<&'a str>,
    /// The AWS role that Snowflake assumes to read the bucket.
    pub role_arn: Option<&'a str>,
    /// The public key of the service user, as PEM.
    pub public_key: Option<&'a str>,
    /// Maximum credits per month.
    pub credits: Option<&'a str>,
    /// Prefix of all object names.
    pub name: Option<&'a str>,
}

/// The validated values.
#[derive(Debug, Clone)]
pub struct Values {
    pub(super) bucket: Option<String>,
    pub(super) prefix: String,
    pub(super) role_arn: Option<String>,
    pub(super) public_key: Option<String>,
    pub(super) credits: Option<u32>,
    pub(super) name: String,
}

impl Values {
    /// Validates all values.
    ///
    /// # Errors
    /// One message for each invalid value, with its option.
    pub fn of(given: &Given<'_>) -> Result<Values, Vec<String>> {
        let mut errors = Vec::new();
        let mut checked = |option: &str, value: Option<&str>, is_valid: fn(&str) -> bool, expected: &str| {
            if let Some(invalid) = value.filter(|value| !is_valid(value)) {
                let start: String = invalid.chars().take(80).collect();
                errors.push(format!("--{option}: {start:?} is not {expected}"));
            }
            value.map(str::to_owned)
        };
        let bucket = checked("bucket", given.bucket, is_bucket, BUCKET);
        let prefix = checked("prefix", given.prefix, is_prefix, PREFIX).unwrap_or_else(|| "home".into());
        let role_arn = checked("role-arn", given.role_arn, is_role_arn, ROLE_ARN);
        let credits = checked("credits", given.credits, |text| credits(text).is_some(), CREDITS);
        let name = checked("name", given.name, is_name, NAME).unwrap_or_else(|| "findata".into());
        let public_key = given.public_key.map(public_key).and_then(|key| {
            key.map_err(|problem| errors.push(format!("--public-key: {problem}; {PUBLIC_KEY}"))).ok()
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        let credits = credits.as_deref().and_then(self::credits);
        Ok(Values { bucket, prefix, role_arn, public_key, credits, name })
    }

    /// Returns the options that are missing, for which the setup script contains placeholders.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [
            ("--bucket", &self.bucket),
            ("--role-arn", &self.role_arn),
            ("--public-key", &self.public_key),
        ];
        all.into_iter().filter(|(_, value)| value.is_none()).map(|(option, _)| option).collect()
    }

    /// The URL of the stage's folder on S3.
    pub(super) fn location(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("s3://{}/{}{slash}", self.bucket.as_deref().unwrap_or("findata-bucket"), self.prefix)
    }
}

const BUCKET: &str = "an S3 bucket name: use 3 to 63 lower-case letters, digits, hyphens and dots";
const PREFIX: &str = "a folder in a bucket: use letters, digits, - _ . = and /, but no / at the start or end";
const ROLE_ARN: &str = "an AWS role: write it as arn:aws:iam::123456789012:role/findata-snowflake";
const CREDITS: &str = "a number of credits: use a whole number from 1 to 100000";
const NAME: &str = "an object name: use up to 60 lower-case letters, digits and _, starting with a letter, and no reserved word";
const PUBLIC_KEY: &str = "create the file with `openssl pkey -in key.pem -pubout`";

/// Whether a text follows the naming rules of S3 buckets.
fn is_bucket(text: &str) -> bool {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_ip_address =
        text.split('.').count() == 4 && text.split('.').all(|part| part.parse::<u8>().is_ok());
    let is_reserved = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| text.starts_with(start))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|end| text.ends_with(end));
    (3..=63).contains(&text.len())
        && text.chars().all(|c| is_alphanumeric(c) || c == '-' || c == '.')
        && text.starts_with(is_alphanumeric)
        && text.ends_with(is_alphanumeric)
        && !text.contains("..")
        && !is_ip_address
        && !is_reserved
}

fn is_prefix(text: &str) -> bool {
    let is_valid_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.=".contains(c))
    };
    text.is_empty() || (text.len() <= 200 && text.split('/').all(is_valid_part))
}

fn is_role_arn(text: &str) -> bool {
    let Some((account, role)) = text.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"))
    else {
        return false;
    };
    account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && (1..=512).contains(&role.len())
        && role.split('/').all(|part| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
        })
}

fn credits(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .filter(|n| (1..=100_000).contains(n) && text.chars().all(|c| c.is_ascii_digit()))
}

fn is_name(text: &str) -> bool {
    (1..=60).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !RESERVED.split_whitespace().any(|word| word == text)
}

/// Snowflake's reserved keywords, and `snowflake`, the name of Snowflake's own database.
const RESERVED: &str = "snowflake account all alter and any as between by case cast check column connect connection constraint create \
    cross current current_date current_time current_timestamp current_user database delete distinct drop else exists false following \
    for from full grant group gscluster having ilike in increment inner insert intersect into is issue join lateral left like localtime \
    localtimestamp minus natural not null of on or order organization qualify regexp revoke right rlike row rows sample schema select \
    set some start table tablesample then to trigger true try_cast union unique update using values view when whenever where with";

/// Returns the base64 body of a PEM file with an RSA public key, the form that Snowflake expects.
/// Errors never repeat the file's text, because it may be a private key.
fn public_key(pem: &str) -> Result<String, &'static str> {
    if pem.contains("PRIVATE KEY") {
        return Err("the file contains a private key, which must stay secret");
    }
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
        .ok_or("the file is not a PEM public key")?;
    let body: String = body.split_whitespace().collect();
    if is_rsa(&body) {
        Ok(body)
    } else {
        Err("the file is not a complete RSA key of at least 2048 bits")
    }
}

/// Whether a text is the base64 of an RSA SubjectPublicKeyInfo whose length matches its header.
fn is_rsa(body: &str) -> bool {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = body.trim_end_matches('=');
    let value = |c: u8| DIGITS.iter().position(|digit| *digit == c);
    let Some(values) = digits.bytes().map(value).collect::<Option<Vec<usize>>>() else {
        return false;
    };
    // Bytes 3 and 4 are the length of the remaining bytes. The algorithm identifier is always at
    // the same position.
    let [_, _, a, b, c, d, ..] = values[..] else {
        return false;
    };
    let length = ((a & 3) << 6 | b) << 8 | c << 2 | d >> 4;
    body.starts_with("MII")
        && body.get(8..28) == Some("BgkqhkiG9w0BAQEFAAOC")
        && length + 4 == values.len() * 6 / 8
        && length >= 290
        && body.len().is_multiple_of(4)
        && body.len() - digits.len() <= 2
}
