//! What a security label of the provider `pg_cordon` says: what a DBA has looked at, `key: reason`, one a line.

/// What the audit reports, by which a label acknowledges it. docs/AUDIT.md says what each means.
pub const CODES: &[&str] = &[
    "bypasses_row_security",
    "child_without_tenant",
    "column_granted",
    "constant_default",
    "conversion_unfinished",
    "create_on_schema",
    "creates_roles",
    "default_privileges",
    "definer_bypasses",
    "definer_search_path",
    "foreign_key_crosses_tenants",
    "foreign_table",
    "function_granted",
    "function_serialises_row",
    "function_sets_tenant",
    "guard_not_enabled",
    "guard_switched_off",
    "hba_trust",
    "hba_without_tls",
    "index_not_leakproof",
    "key_age",
    "key_printable",
    "keyring_in_data_directory",
    "large_objects",
    "leakproof_function",
    "log_not_redacted",
    "maintain_granted",
    "materialized_view",
    "may_become_bypassing_role",
    "no_keyring",
    "no_tenant",
    "no_tenant_index",
    "not_checked",
    "nothing_protected",
    "nullable_tenant",
    "old_key_in_use",
    "owns_database",
    "owns_protected_table",
    "owns_schema",
    "parameter_granted",
    "persisted_tenant",
    "plaintext_secret",
    "policy_altered",
    "predefined_role",
    "publication",
    "references_granted",
    "registration_stale",
    "replication",
    "replication_slot",
    "role_policy_without_floor",
    "row_security_not_forced",
    "row_security_off",
    "rule_on_protected",
    "sealed_constant",
    "server_version",
    "ssl_off",
    "statements_logged",
    "subscription",
    "superuser",
    "tenant_not_frozen",
    "tenant_setting",
    "token_store_open",
    "token_store_writable",
    "trigger_granted",
    "trigger_serialises_row",
    "truncate_granted",
    "unique_without_tenant",
    "unprotected_child",
    "unprotected_parent",
    "unprotected_table",
    "user_mapping",
    "view_without_security_invoker",
];

/// What one line of a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// A table is the same for all tenants.
    Shared,
    /// A column holds no secrets, whatever its name.
    Plain,
    /// Whatever is less than an error was looked at.
    Reviewed,
    /// A column holds secrets, whatever its name.
    Secret,
    /// A finding of that code was looked at.
    Code(&'a str),
}

/// Why a label is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelFault {
    /// A line that is not `key: reason`.
    Line(usize),
    /// A key that there is not.
    Key(usize),
    /// A key of two lines.
    Twice(usize),
    /// A line that acknowledges something without a reason.
    Reason(usize),
}

impl LabelFault {
    /// The line at fault, from 1 on, and what is wrong with it.
    #[must_use]
    pub const fn describe(self) -> (usize, &'static str) {
        match self {
            Self::Line(line) => (line, "is not \"key: reason\""),
            Self::Key(line) => {
                (line, "has a key that is neither shared, plain, reviewed, secret nor a code of the audit")
            }
            Self::Twice(line) => (line, "has the key of an earlier line"),
            Self::Reason(line) => (line, "has no reason"),
        }
    }
}

/// The keys of a label, in order.
///
/// # Errors
/// [`LabelFault`] for the first line that is at fault.
pub fn keys(label: &str) -> Result<Vec<Key<'_>>, LabelFault> {
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(label.split('\n')) {
        let (word, reason) = line.split_once(": ").unwrap_or((line, ""));
        let key = match word {
            "shared" => Key::Shared,
            "plain" => Key::Plain,
            "reviewed" => Key::Reviewed,
            "secret" => Key::Secret,
            code if CODES.contains(&code) => Key::Code(code),
            word if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => {
                return Err(LabelFault::Key(number));
            }
            _ => return Err(LabelFault::Line(number)),
        };
        if keys.contains(&key) {
            return Err(LabelFault::Twice(number));
        }
        if reason.trim().is_empty() && key != Key::Secret {
            return Err(LabelFault::Reason(number));
        }
        keys.push(key);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::{CODES, Key, LabelFault, keys};

    #[test]
    fn labels_are_lines_of_keys_with_reasons() {
        assert_eq!(keys("shared: the same for all tenants"), Ok(vec![Key::Shared]));
        assert_eq!(keys("secret"), Ok(vec![Key::Secret]));
        assert_eq!(
            keys("secret: by contract\nplain: a hash: see login.py\ndefiner_bypasses: counts only"),
            Ok(vec![Key::Secret, Key::Plain, Key::Code("definer_bypasses")])
        );
        for (label, fault) in [
            ("", LabelFault::Line(1)),
            ("shared", LabelFault::Reason(1)),
            ("shared:  ", LabelFault::Reason(1)),
            ("Shared: yes", LabelFault::Line(1)),
            ("shared: yes\n", LabelFault::Line(2)),
            ("shraed: yes", LabelFault::Key(1)),
            ("plain: a\nplain: b", LabelFault::Twice(2)),
        ] {
            assert_eq!(keys(label), Err(fault), "{label}");
        }
    }

    #[test]
    fn codes_are_sorted_and_single() {
        assert!(CODES.is_sorted_by(|a, b| a < b));
    }
}
