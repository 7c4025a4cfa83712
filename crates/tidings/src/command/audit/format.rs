//! A row of the audit log as a line of a file.

use tidings_server::admin::request::AuditLine;

use crate::failure::Failure;

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// RFC 4180, lines ended by LF, first the names of the table's columns. A cell that a spreadsheet would take for a
    /// formula begins with an apostrophe.
    Csv,
    /// A JSON object a line, exactly what is stored.
    Jsonl,
}

impl Format {
    /// The format of that name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            _ => None,
        }
    }

    /// What stands before the first row.
    pub(super) const fn head(self) -> &'static str {
        match self {
            Self::Csv => {
                "id,tenant_id,user_id,action,resource_id,ip_address,user_agent,metadata,created_at\n"
            }
            Self::Jsonl => "",
        }
    }

    /// A row, with the end of its line.
    ///
    /// # Errors
    /// None that happens: the row cannot be written as JSON.
    pub(super) fn line(self, row: &AuditLine) -> Result<String, Failure> {
        let mut line = match self {
            Self::Csv => csv(row),
            Self::Jsonl => serde_json::to_string(row).map_err(|error| Failure::new(error.to_string()))?,
        };
        line.push('\n');
        Ok(line)
    }
}

fn csv(row: &AuditLine) -> String {
    let given = |text: &Option<String>| text.as_deref().map(cell).unwrap_or_default();
    [
        row.id.to_string(),
        given(&row.tenant_id),
        given(&row.user_id),
        cell(&row.action),
        given(&row.resource_id),
        given(&row.ip_address),
        given(&row.user_agent),
        cell(&row.metadata.to_string()),
        cell(&row.created_at),
    ]
    .join(",")
}

/// A field, quoted where it has to be (RFC 4180, 2).
fn cell(text: &str) -> String {
    // Clients choose some of the text, and spreadsheets run what begins so.
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row() -> AuditLine {
        AuditLine {
            id: 7,
            tenant_id: Some("default".into()),
            user_id: None,
            action: "auth.login".into(),
            resource_id: Some("a \"b\"\nc".into()),
            ip_address: Some("::1".into()),
            user_agent: Some("=HYPERLINK(1)".into()),
            metadata: json!({"a": 1, "b": 2}),
            created_at: "2025-11-21T09:00:00.000Z".into(),
        }
    }

    #[test]
    fn csv_is_quoted_and_never_a_formula() {
        assert_eq!(Format::Csv.head().split(',').count(), 9);
        assert_eq!(
            Format::Csv.line(&row()).unwrap(),
            "7,default,,auth.login,\"a \"\"b\"\"\nc\",::1,\"'=HYPERLINK(1)\",\"{\"\"a\"\":1,\"\"b\"\":2}\",\
             2025-11-21T09:00:00.000Z\n"
        );
    }

    #[test]
    fn jsonl_is_exact() {
        let line = Format::Jsonl.line(&row()).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(serde_json::from_str::<AuditLine>(&line).unwrap(), row());
    }
}
