//! Countries as forms offer them and lists name them.

use billing::country;

/// What a country is called.
pub fn name(letters: &str) -> &str {
    country::name(letters)
}

/// Every country for a form's choice, none of them first.
pub fn choices() -> Vec<(String, String)> {
    let none = (String::new(), "None".to_owned());
    let all = country::all().into_iter();
    let all = all.map(|(letters, name)| (letters.to_owned(), name.to_owned()));
    std::iter::once(none).chain(all).collect()
}
