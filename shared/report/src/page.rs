//! Assembles a page: the markup, styles and scripts of `assets`, and the data as JSON. The page loads
//! nothing.

use findata_domain::{Error, Result};
use serde::Serialize;

const PAGE: &str = include_str!("../assets/page.html");
const STYLES: &[&str] = &[
    include_str!("../assets/vendor/uplot/uPlot.min.css"),
    include_str!("../assets/css/base.css"),
    include_str!("../assets/css/table.css"),
    include_str!("../assets/css/parts.css"),
    include_str!("../assets/css/print.css"),
];
const UPLOT_LICENCE: &str = include_str!("../assets/vendor/uplot/LICENSE");
const UPLOT: &str = include_str!("../assets/vendor/uplot/uPlot.iife.min.js");
const SCRIPTS: &[&str] = &[
    include_str!("../assets/js/dom.js"),
    include_str!("../assets/js/format.js"),
    include_str!("../assets/js/tip.js"),
    include_str!("../assets/js/chart.js"),
    include_str!("../assets/js/run.js"),
    include_str!("../assets/js/quality.js"),
    include_str!("../assets/js/screener.js"),
    include_str!("../assets/js/filters.js"),
    include_str!("../assets/js/company.js"),
    include_str!("../assets/js/explain.js"),
    include_str!("../assets/js/charts.js"),
    include_str!("../assets/js/stock.js"),
    include_str!("../assets/js/main.js"),
];

/// Returns the page with its data.
///
/// # Errors
/// `Stop` if the data cannot be written as JSON.
pub fn page(title: &str, data: &impl Serialize) -> Result<String> {
    let data = serde_json::to_string(data).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
    let scripts = format!(
        "/*\n{UPLOT_LICENCE}*/\n{UPLOT}\n(() => {{\n\"use strict\";\n{}\n}})();",
        SCRIPTS.join("\n")
    );
    let (title, styles, data) = (text(title), STYLES.join("\n"), inside_script(&data));
    let mut page = String::with_capacity(PAGE.len() + styles.len() + scripts.len() + data.len());
    let mut rest = PAGE;
    while let Some((before, (place, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        page.push_str(match place {
            "title" => &title,
            "styles" => &styles,
            "scripts" => &scripts,
            _ => &data,
        });
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

/// Escapes JSON for a `script` element. Without `<`, no text can end the element or begin a comment
/// in it. The line separators are escaped for programs that read the data as JavaScript.
fn inside_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Escapes text for HTML.
fn text(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_library_is_an_unchanged_copy() {
        let readme = include_str!("../assets/vendor/uplot/README.md");
        for (file, content) in [("uPlot.iife.min.js", UPLOT), ("uPlot.min.css", STYLES[0])] {
            let line = readme.lines().find(|line| line.starts_with(&format!("| `{file}`"))).unwrap();
            assert!(line.contains(&findata_domain::hash::sha256(content.as_bytes())), "{file}");
        }
    }

    #[test]
    fn hostile_text_stays_text_and_keeps_its_value() {
        let name = "</script><script>alert(1)</script><!-- {{scripts}} \u{2028} & \"";
        let page = page(name, &serde_json::json!({ "name": name })).unwrap();
        assert_eq!(page.matches("</script>").count(), 2, "the data and the scripts");
        assert!(page.contains("<title>&lt;/script&gt;"));
        let (_, data) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        assert!(!data.contains('<') && !data.contains('\u{2028}'));
        let read: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(read["name"], name);
    }
}
