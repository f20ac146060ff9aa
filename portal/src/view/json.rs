//! JSON as it came, laid out for people: not a digit, not an order of names is changed.

use serde::de::IgnoredAny;

/// `text` with a line for each member; what is no JSON stays as it is.
pub fn pretty(text: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return text.to_owned();
    }
    let mut laid_out = Layout::default();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                laid_out.push('"');
                while let Some(inner) = characters.next() {
                    laid_out.push(inner);
                    match inner {
                        '\\' => characters.next().into_iter().for_each(|c| laid_out.push(c)),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                while characters.next_if(|next| next.is_whitespace()).is_some() {}
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => {
                        laid_out.push(character);
                        laid_out.push(end);
                    }
                    None => laid_out.open(character),
                }
            }
            '}' | ']' => laid_out.close(character),
            ',' => {
                laid_out.push(',');
                laid_out.line();
            }
            ':' => laid_out.text.push_str(": "),
            space if space.is_whitespace() => {}
            other => laid_out.push(other),
        }
    }
    laid_out.text
}

#[derive(Default)]
struct Layout {
    text: String,
    depth: usize,
}

impl Layout {
    fn push(&mut self, character: char) {
        self.text.push(character);
    }

    fn open(&mut self, character: char) {
        self.push(character);
        self.depth += 1;
        self.line();
    }

    fn close(&mut self, character: char) {
        self.depth = self.depth.saturating_sub(1);
        self.line();
        self.push(character);
    }

    fn line(&mut self) {
        self.push('\n');
        self.text.push_str(&"  ".repeat(self.depth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_stays_and_only_the_layout_changes() {
        let text = r#"{"b":1.50, "a":[ ] ,"c":[{"x":"{\",\\"},null],"d":{}}"#;
        let lines = [
            "{",
            r#"  "b": 1.50,"#,
            r#"  "a": [],"#,
            r#"  "c": ["#,
            "    {",
            r#"      "x": "{\",\\""#,
            "    },",
            "    null",
            "  ],",
            r#"  "d": {}"#,
            "}",
        ];
        assert_eq!(pretty(text), lines.join("\n"));
        assert_eq!(pretty("{broken"), "{broken");
        assert_eq!(pretty(""), "");
    }
}
