use std::time::Duration;

use similar::TextDiff;

/// How long the shortest difference is looked for. Of texts that have little in common, which anybody can propose, it would
/// take hours; then a longer one is shown.
const PATIENCE: Duration = Duration::from_secs(2);

/// The difference of two texts as people read it: lines with `-` go, lines with `+` come, three lines around each.
/// Empty if there is none.
pub(crate) fn texts(old_name: &str, new_name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    lines(old, new).unified_diff().context_radius(3).header(old_name, new_name).to_string()
}

/// The same without names, for parts of something that has one.
pub(crate) fn changes(old: &str, new: &str) -> String {
    lines(old, new).unified_diff().context_radius(3).to_string()
}

fn lines<'a>(old: &'a str, new: &'a str) -> TextDiff<'a, 'a, 'a, str> {
    TextDiff::configure().timeout(PATIENCE).diff_lines(old, new)
}

/// The same for JSON documents, laid out one member a line.
pub(crate) fn documents(
    old_name: &str,
    new_name: &str,
    old: &serde_json::Value,
    new: &serde_json::Value,
) -> Result<String, serde_json::Error> {
    let lines = |value| serde_json::to_string_pretty(value).map(|text| text + "\n");
    Ok(texts(old_name, new_name, &lines(old)?, &lines(new)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(texts("a", "b", "x\n", "x\n"), "");
        assert_eq!(documents("a", "b", &json!({"x": 1}), &json!({"x": 1})).unwrap(), "");
    }

    #[test]
    fn texts_without_anything_in_common_do_not_take_forever() {
        let text = |step: u64| (0..120_000).map(|n: u64| format!("{}\n", n * step % 120_011)).collect::<String>();
        let (old, new, started) = (text(7), text(48_611), std::time::Instant::now());
        let difference = changes(&old, &new);
        assert!(difference.lines().count() > 100_000);
        assert!(started.elapsed() < 20 * PATIENCE, "{:?}", started.elapsed());
    }

    #[test]
    fn a_changed_member_is_one_line_out_and_one_in() {
        let diff = documents("service", "file", &json!({"a": 1, "b": 2}), &json!({"a": 1, "b": 3})).unwrap();
        assert!(diff.starts_with("--- service\n+++ file\n@@"), "{diff}");
        assert!(diff.contains("\n-  \"b\": 2\n+  \"b\": 3\n"), "{diff}");
        assert!(diff.contains("\n   \"a\": 1,\n"), "{diff}");
    }
}
