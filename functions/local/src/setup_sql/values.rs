//! What differs from account to account, checked: nothing of it can end the literal or the name that it comes to stand in.

/// What was given, unchecked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// The bucket's name.
    pub bucket: Option<&'a str>,
    /// The folder in the bucket; empty for the bucket itself.
    pub prefix: Option<&'a str>,
    /// The AWS role that Snowflake takes to read the bucket.
    pub role_arn: Option<&'a str>,
    /// The public key of the service user, as PEM.
    pub public_key: Option<&'a str>,
    /// Credits a month.
    pub credits: Option<&'a str>,
    /// What the names of all objects begin with.
    pub name: Option<&'a str>,
}

/// The same, good to be written.
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
    /// Checks everything.
    ///
    /// # Errors
    /// All that is wrong, each with its option.
    pub fn of(given: &Given<'_>) -> Result<Values, Vec<String>> {
        let mut wrong = Vec::new();
        let mut checked = |option: &str, value: Option<&str>, is_good: fn(&str) -> bool, what: &str| {
            if let Some(bad) = value.filter(|value| !is_good(value)) {
                let start: String = bad.chars().take(80).collect();
                wrong.push(format!("--{option}: {start:?} is no {what}"));
            }
            value.map(str::to_owned)
        };
        let bucket = checked("bucket", given.bucket, is_bucket, BUCKET);
        let prefix = checked("prefix", given.prefix, is_prefix, PREFIX).unwrap_or_else(|| "home".into());
        let role_arn = checked("role-arn", given.role_arn, is_role_arn, ROLE_ARN);
        let credits = checked("credits", given.credits, |text| credits(text).is_some(), CREDITS);
        let name = checked("name", given.name, is_name, NAME).unwrap_or_else(|| "findata".into());
        let public_key = given
            .public_key
            .map(public_key)
            .and_then(|key| key.map_err(|what| wrong.push(format!("--public-key: {what}; {PUBLIC_KEY}"))).ok());
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let credits = credits.as_deref().and_then(self::credits);
        Ok(Values { bucket, prefix, role_arn, public_key, credits, name })
    }

    /// The options without which a script for setting up has placeholders.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [("--bucket", &self.bucket), ("--role-arn", &self.role_arn), ("--public-key", &self.public_key)];
        all.into_iter().filter(|(_, value)| value.is_none()).map(|(option, _)| option).collect()
    }

    /// The folder of the landing files, as Snowflake names it.
    pub(super) fn location(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("s3://{}/{}{slash}", self.bucket.as_deref().unwrap_or("findata-bucket"), self.prefix)
    }
}

const BUCKET: &str = "name of an S3 bucket: 3 to 63 lower-case letters, digits, hyphens and dots";
const PREFIX: &str = "folder in a bucket: letters, digits, - _ . = and / between them, neither first nor last";
const ROLE_ARN: &str = "role of AWS: write it as arn:aws:iam::123456789012:role/findata-snowflake";
const CREDITS: &str = "number of credits: a whole one from 1 to 100000";
const NAME: &str = "name for objects: up to 60 lower-case letters, digits and _, a letter first, and no reserved word";
const PUBLIC_KEY: &str = "make it with `openssl pkey -in key.pem -pubout`";

/// The rules of S3 for names of buckets.
fn is_bucket(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_address = text.split('.').count() == 4 && text.split('.').all(|part| part.parse::<u8>().is_ok());
    let kept = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| text.starts_with(start))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|end| text.ends_with(end));
    (3..=63).contains(&text.len())
        && text.chars().all(|c| inside(c) || c == '-' || c == '.')
        && text.starts_with(inside)
        && text.ends_with(inside)
        && !text.contains("..")
        && !is_address
        && !kept
}

fn is_prefix(text: &str) -> bool {
    let part = |part: &str| {
        !matches!(part, "" | "." | "..") && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.=".contains(c))
    };
    text.is_empty() || (text.len() <= 200 && text.split('/').all(part))
}

fn is_role_arn(text: &str) -> bool {
    let Some((account, role)) = text.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/")) else {
        return false;
    };
    account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && (1..=512).contains(&role.len())
        && role
            .split('/')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)))
}

fn credits(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n| (1..=100_000).contains(n) && text.chars().all(|c| c.is_ascii_digit()))
}

fn is_name(text: &str) -> bool {
    (1..=60).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !RESERVED.split_whitespace().any(|word| word == text)
}

/// What Snowflake keeps for itself, its own database among it.
const RESERVED: &str = "snowflake account all alter and any as between by case cast check column connect connection constraint create \
    cross current current_date current_time current_timestamp current_user database delete distinct drop else exists false following \
    for from full grant group gscluster having ilike in increment inner insert intersect into is issue join lateral left like localtime \
    localtimestamp minus natural not null of on or order organization qualify regexp revoke right rlike row rows sample schema select \
    set some start table tablesample then to trigger true try_cast union unique update using values view when whenever where with";

/// The body of a PEM of an RSA key, as Snowflake wants it. Nothing of the text is told: it may be the private half.
fn public_key(pem: &str) -> Result<String, &'static str> {
    if pem.contains("PRIVATE KEY") {
        return Err("that is a private key, which stays where it is");
    }
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
        .ok_or("that is no public key as PEM")?;
    let body: String = body.split_whitespace().collect();
    if is_rsa(&body) { Ok(body) } else { Err("that is no RSA key of 2048 bits or more, or not all of it") }
}

/// Whether a text is base64 of a SubjectPublicKeyInfo of RSA, as long as it says itself.
fn is_rsa(body: &str) -> bool {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = body.trim_end_matches('=');
    let value = |c: u8| DIGITS.iter().position(|digit| *digit == c);
    let Some(values) = digits.bytes().map(value).collect::<Option<Vec<usize>>>() else { return false };
    // Bytes 3 and 4 are the length of what follows them; the algorithm's name is always at the same place.
    let [_, _, a, b, c, d, ..] = values[..] else { return false };
    let told = ((a & 3) << 6 | b) << 8 | c << 2 | d >> 4;
    body.starts_with("MII")
        && body.get(8..28) == Some("BgkqhkiG9w0BAQEFAAOC")
        && told + 4 == values.len() * 6 / 8
        && told >= 290
        && body.len().is_multiple_of(4)
        && body.len() - digits.len() <= 2
}
