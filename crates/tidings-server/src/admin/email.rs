//! Emails, as far as their form goes: whether there is such a mailbox is not asked.

/// Longest email, in bytes (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES: usize = 254;
/// Longest part before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_BYTES: usize = 64;

/// The email in lower case, the way it is kept and looked up.
///
/// # Errors
/// A sentence: no such form. Quoted names and addresses in brackets (RFC 5321, 4.1.2) are not taken.
pub fn parse(text: &str) -> Result<String, String> {
    let email = text.trim().to_lowercase();
    if is_email(&email) {
        Ok(email)
    } else {
        Err(format!("`{}` is no email: write name@example.org", text.escape_debug()))
    }
}

fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let is_named = |c: char| !c.is_control() && !c.is_whitespace() && !"\"(),:;<>@[\\]|".contains(c);
    let is_label = |label: &str| {
        let inner = |c: char| c.is_alphanumeric() || c == '-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(inner)
    };
    email.len() <= EMAIL_BYTES
        && (1..=LOCAL_BYTES).contains(&local.len())
        && local.chars().all(is_named)
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_have_a_name_and_a_domain() {
        for (text, email) in [
            ("Ada@Example.org", "ada@example.org"),
            (" a.b+c@x ", "a.b+c@x"),
            ("o'neill@mail-1.example", "o'neill@mail-1.example"),
        ] {
            assert_eq!(parse(text).unwrap(), email);
        }
        let long = format!("{}@x", "a".repeat(65));
        for text in
            ["", "a", "@x", "a@", "a@b@c", "a b@c", "a@b..c", "a@-b", "a@b c", "a\n@b", "i|a@b", &long]
        {
            assert!(parse(text).unwrap_err().contains("is no email"), "{text}");
        }
    }
}
