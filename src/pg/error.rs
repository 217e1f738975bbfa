//! Errors as SQL sees them: one SQLSTATE, message and hint for each.

use core::ffi::c_void;
use std::io::ErrorKind;

use cordon_core::{Error, keyring::ChangeFault, keyring_file::FileFault, label::LabelFault};
use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, Oid, panic::ErrorReport},
};

use super::{log, tenant_setting};

/// What verbose error reports show as the function.
const FUNCTION: &str = "pg_cordon";

/// Why a call into the extension failed.
#[derive(Debug)]
pub enum Failure {
    /// A value was not sealed or not opened.
    Core(Error),
    /// The current tenant is needed and unset.
    NoTenant,
    /// The tenant was set by an earlier transaction, and only this transaction's counts.
    StaleTenant,
    /// The tenant is another than the one that the transaction fixed.
    TenantChanged,
    /// The tenant is another than the one that a query of `cordon.across` runs in.
    TenantChangedAcross,
    /// `cordon.across` was called within its own query.
    AcrossWithinAcross,
    /// `cordon.across` was called by a role that row security does not hold.
    AcrossUnbound(String),
    /// What `cordon.across` was given is not one query that reads.
    NotOneQuery,
    /// The columns of a query of `cordon.across` are not those that were declared.
    OtherColumns(String),
    /// A query of `cordon.across` returns sealed values.
    SealedAcross,
    /// The tenant is not a value of the type that was asked for.
    TenantNotA(&'static str),
    /// An explicit tenant is not in its canonical spelling.
    Tenant(cordon_core::tenant::TenantFault),
    /// There is no keyring to work with.
    NoKeyring(NoKeyring),
    /// The keyring was not changed.
    Keyring { path: String, fault: FileFault },
    /// The keyring comes from a command, and so is not changed here.
    KeyringFromCommand,
    /// Only a superuser may do that.
    NotSuperuser(&'static str),
    /// Not a table, or somebody else's.
    NotOwner(String),
    /// Not a table of the role that owns the one it is used with.
    OtherOwner(String),
    /// No relation has that oid.
    NoTable,
    /// A table whose access method does not say what is needed of it.
    AccessMethod(String),
    /// A column is not of the type that it is taken for.
    OtherType(String),
    /// A column that is not there, or holds no sealed values.
    NotSealed { table: String, column: String },
    /// A column that cannot hold tenants.
    NotTenantColumn,
    /// A value in a range, whose order its search tag decides, was to be sealed under another search key.
    InRange,
    /// A column by whose search tags rows are kept apart was to be sealed under another search key.
    KeyOfSearchTags(String),
    /// No more rows are wanted; not for anybody to see.
    Enough,
    /// A fault of the library's own.
    Internal,
    /// The keyring file cannot be read, and that of before may be outdated.
    StaleKeyring,
    /// A value in its stored form, from somebody who may not bring one in.
    StoredFormRefused,
    /// A constant of a sealed type in a definition of that kind.
    ConstantInDefinition(&'static str),
    /// A check that seals, opens, or compares with text.
    CheckOnSealed,
    /// Statistics on what is in a sealed value.
    StatisticsOnSealed,
    /// A column whose values are sealed for tenants would change its type, in a table with rows.
    RetypedRows { column: String, is_sealed: bool },
    /// A default of a new column, in a table with rows.
    DefaultForOldRows,
    /// A literal of a sealed type in the body of an SQL function, where it would outlive its statement.
    LiteralInFunction,
    /// A function of an earlier release's SQL.
    Retired,
    /// Not a statement that can be run in place of somebody else.
    NotAStatement,
    /// The role that is to attack is a superuser, whom nothing holds.
    SuperuserRole,
    /// A security label that says nothing.
    Label(LabelFault),
    /// A line of a security label that is for other objects.
    LabelOnOther(&'static str),
    /// A security label that silences the audit, from somebody who may not.
    MayNotAcknowledge,
    /// A standby does not change the keyring.
    Standby,
    /// Not the name of a purpose.
    UnknownPurpose,
    /// Not a key id.
    NotAKeyId,
    /// A value that SQL takes no NULL for.
    Null(&'static str),
    /// Text that is not valid in its encoding, or holds a NUL.
    NotText,
    /// PostgreSQL has no memory for the result.
    OutOfMemory,
    /// A plaintext with a character that the database's encoding lacks.
    NotRepresentable,
    /// A row was given another tenant than that of the row it refers to.
    TenantOfOther(String),
    /// No foreign key has these columns.
    NoForeignKey(String),
    /// A table has no index that is unique by the columns that are looked for.
    NoUniqueKey(String),
    /// No tenants are looked up by that column.
    NotResolvable { table: String, column: String },
    /// A trigger's function was not called by a trigger that fires before a row is written.
    NotTrigger,
    /// A column that a conversion names is not there.
    NoColumn(String),
    /// The definition of a conversion's trigger is not one that `cordon.encrypt_column` makes.
    NotConversion,
    /// The keyring has no key to import with.
    NoImportKey(cordon_core::Purpose),
    /// An encrypted value would become plaintext in a column of another type without having been asked to.
    ImplicitPlaintext,
}

/// The value, or the error raised.
pub fn or_raise<T>(result: Result<T, Failure>) -> T {
    match result {
        Ok(value) => value,
        Err(failure) => failure.raise(),
    }
}

/// Why there is no keyring.
#[derive(Debug)]
pub enum NoKeyring {
    /// The file was not read.
    File { path: String, fault: FileFault },
    /// The command did not print a keyring when the server started.
    Command,
    /// There is a command, which only a preloaded library runs.
    NotPreloaded,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl Failure {
    /// Whether the value or its row is at fault, so that others may fare better.
    pub const fn concerns_one_value(&self) -> bool {
        match self {
            Self::Core(Error::NoPrimaryKey(_) | Error::NoRandomness | Error::NoMemory) => false,
            Self::Core(_) | Self::Tenant(_) | Self::Null(_) | Self::NotText | Self::NotRepresentable => true,
            _ => false,
        }
    }

    /// Writes the error to the server log, for a fault that is survived; `consequence` says how.
    pub fn log(self, consequence: &'static str) {
        let message = match self {
            Self::NoKeyring(NoKeyring::File { path, fault }) => format!("keyring file \"{path}\": {fault}"),
            failure => {
                let report = failure.report();
                report.detail().unwrap_or(report.message()).trim_end_matches('.').to_string()
            }
        };
        ErrorReport::new(PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR, format!("{message}; {consequence}"), FUNCTION)
            .report(PgLogLevel::LOG);
    }

    /// Writes a text to the server log that nobody else is to see.
    pub fn log_text(&self, text: &str) {
        ErrorReport::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, format!("pg_cordon: {text}"), FUNCTION)
            .report(PgLogLevel::LOG_SERVER_ONLY);
    }

    /// Raises the error. Rust's destructors run.
    pub fn raise(self) -> ! {
        forget_copied_value();
        self.report().report(PgLogLevel::ERROR);
        unreachable!("reporting at ERROR does not return")
    }

    /// The error as PostgreSQL reports it.
    pub fn report(self) -> ErrorReport {
        use PgSqlErrorCode as Code;
        let (code, message, detail, hint): (Code, String, Option<String>, &'static str) = match self {
            Self::Core(error) => {
                let (code, hint) = core_code(error);
                (code, error.to_string(), None, hint)
            }
            Self::NoTenant => {
                let setting = tenant_setting::name().to_string_lossy();
                let hint = format!(
                    "In the transaction, run SELECT cordon.set_tenant('...') or SET LOCAL {setting} = '...' first."
                );
                return ErrorReport::new(Code::ERRCODE_INSUFFICIENT_PRIVILEGE, "no tenant is set", FUNCTION)
                    .set_hint(hint);
            }
            Self::StaleTenant => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "the tenant was set by an earlier transaction on this connection".into(),
                Some("With cordon.tenant_scope = transaction, each transaction sets its own.".into()),
                "Begin each transaction with SELECT cordon.set_tenant('...').",
            ),
            Self::TenantChanged => (
                Code::ERRCODE_CANT_CHANGE_RUNTIME_PARAM,
                "the tenant was changed in the middle of a transaction".into(),
                Some("With cordon.freeze_tenant, a transaction keeps the tenant that it first set or read.".into()),
                "Set it back, or begin another transaction.",
            ),
            Self::TenantChangedAcross => (
                Code::ERRCODE_CANT_CHANGE_RUNTIME_PARAM,
                "the tenant was changed in the middle of a query".into(),
                Some("A query of cordon.across keeps the tenant that its rows are returned as.".into()),
                "Name every tenant in the first argument of cordon.across.",
            ),
            Self::AcrossWithinAcross => (
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "cordon.across was called within its own query".into(),
                None,
                "Name every tenant in one call.",
            ),
            Self::AcrossUnbound(role) => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("row security does not hold role \"{role}\""),
                Some("Each tenant's rows would be those of all tenants.".into()),
                "SET ROLE to the role of the application first; a superuser reads the tables themselves.",
            ),
            Self::NotOneQuery => (
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "cordon.across takes one query that reads".into(),
                None,
                "Give it one SELECT, TABLE or VALUES that changes and locks nothing.",
            ),
            Self::OtherColumns(detail) => (
                Code::ERRCODE_DATATYPE_MISMATCH,
                "the query returns other columns than were declared".into(),
                Some(detail),
                "Declare tenant text first, then the columns of the query, as in AS t(tenant text, id bigint).",
            ),
            Self::SealedAcross => (
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "a sealed value cannot leave the query of its tenant".into(),
                Some("It would be opened later, in another tenant or in none.".into()),
                "Open it in the query: SELECT a_column::text.",
            ),
            Self::TenantNotA(expected) => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("the current tenant is not {expected}"),
                None,
                "Set a tenant that the tenant column can hold.",
            ),
            Self::Tenant(fault) => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "the tenant is not in its canonical spelling".into(),
                Some(fault.to_string()),
                "Keys are derived from the spelling of a tenant, so each tenant has only one.",
            ),
            Self::NoKeyring(NoKeyring::File { path, fault: FileFault::Missing }) => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "there is no keyring".into(),
                Some(about_file(format!("There is no file \"{path}\"."), "There is no keyring file.".into())),
                "As a superuser, run SELECT cordon.create_keyring(); or put the keyring of the database's other servers \
                 there.",
            ),
            Self::NoKeyring(NoKeyring::File { path, fault }) => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "there is no usable keyring".into(),
                Some(about_file(format!("Keyring file \"{path}\": {fault}."), format!("The keyring file: {fault}."))),
                file_hint(&fault),
            ),
            Self::NoKeyring(NoKeyring::Command) => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "there is no keyring".into(),
                Some("The command of cordon.keyring_command printed none when the server started.".into()),
                "The server log of the start says why. Restart the server when the command works.",
            ),
            Self::NoKeyring(NoKeyring::NotPreloaded) => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "there is no keyring".into(),
                Some("cordon.keyring_command is set, which is run when the server starts.".into()),
                "Add pg_cordon to shared_preload_libraries and restart the server.",
            ),
            Self::Keyring { fault: FileFault::Change(fault), .. } => {
                let (code, hint) = change_code(fault);
                (code, fault.to_string(), None, hint)
            }
            Self::Keyring { path, fault } => {
                (file_code(&fault), format!("keyring file \"{path}\": {fault}"), None, file_hint(&fault))
            }
            Self::KeyringFromCommand => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the keyring comes from cordon.keyring_command".into(),
                None,
                "Change the keyring where the command gets it from, and restart the server.",
            ),
            Self::NotSuperuser(verb) => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("must be superuser to {verb}"),
                None,
                "Ask a superuser to do it.",
            ),
            Self::NotOwner(table) => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("must be owner of table {table}"),
                None,
                "Call it for a table, as its owner or as a superuser.",
            ),
            Self::OtherOwner(table) => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("table {table} belongs to another role than the table that it is used with"),
                Some("What its owner has planted there would run with the rights of the other.".into()),
                "Give both one owner, ALTER TABLE ... OWNER TO, or work on each by itself.",
            ),
            Self::NoTable => (
                Code::ERRCODE_UNDEFINED_TABLE,
                "the table does not exist".into(),
                None,
                "Name a table: it may have been dropped meanwhile.",
            ),
            Self::AccessMethod(table) => (
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                format!("the access method of table \"{table}\" does not support this"),
                None,
                "Use a table of the access method heap.",
            ),
            Self::OtherType(column) => (
                Code::ERRCODE_DATATYPE_MISMATCH,
                format!("column \"{column}\" is not of the type that it was"),
                Some("Its values are not read as what they are not.".into()),
                "Give the column its former name and type back. If it is being converted, drop the trigger zzz_cordon_... of \
                 the table and begin again.",
            ),
            Self::NotSealed { table, column } => (
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                format!("\"{table}\" has no encrypted column \"{column}\""),
                None,
                "SELECT * FROM cordon.sealed_columns() shows them.",
            ),
            Self::NotTenantColumn => (
                Code::ERRCODE_DATATYPE_MISMATCH,
                "the tenant column is not of a type that holds tenants".into(),
                None,
                "Name a column of type smallint, integer, bigint, uuid, text or varchar, or of a domain over one.",
            ),
            Self::InRange => (
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "a sealed value in a range cannot be sealed anew".into(),
                Some("The order of its bounds is that of their search tags.".into()),
                "Keep the key enabled, or make the column anew with the bounds in columns of their own.",
            ),
            Self::KeyOfSearchTags(column) => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("values of column \"{column}\" cannot be sealed under another search key in place"),
                Some(
                    "The column is a partition key, or part of a foreign key or of a deferrable unique key, by its search tags."
                        .into(),
                ),
                "Keep the former search key enabled; or drop the foreign key until both columns are sealed anew, make the unique \
                 key NOT DEFERRABLE, or copy the rows into a new partitioned table. See docs/ROTATION.md.",
            ),
            Self::Enough | Self::Internal => (
                Code::ERRCODE_INTERNAL_ERROR,
                "internal error in pg_cordon".into(),
                None,
                "The server log says more. Please report it: see SECURITY.md.",
            ),
            Self::StaleKeyring => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "values are not sealed, because the keyring file cannot be read".into(),
                Some(
                    "Its keys may have been rotated or disabled since it was last read. Values are still opened."
                        .into(),
                ),
                "Correct the keyring file: the server log says what is wrong with it. No reload is needed.",
            ),
            Self::StoredFormRefused => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "permission denied to store a sealed value as it is".into(),
                Some("Whoever may do that can read what a dump holds.".into()),
                "Restore as a superuser or a role with BYPASSRLS; or, as a superuser, run ALTER ROLE ... SET \
                 cordon.text_form = restore for the role that restores, not for the application's. See docs/RESTORE.md.",
            ),
            Self::ConstantInDefinition(what) => (
                Code::ERRCODE_INVALID_OBJECT_DEFINITION,
                format!("a constant of an encrypted type in {what}"),
                Some("It would stay as it is sealed now: for this session's tenant, under the key of today.".into()),
                "Write a cast that runs with the statement, where one is allowed: 'x'::text::encrypted_text.",
            ),
            Self::CheckOnSealed => (
                Code::ERRCODE_INVALID_OBJECT_DEFINITION,
                "a check that opens, seals or compares an encrypted value with text".into(),
                Some("It could not be restored from a dump, where values are not opened.".into()),
                "Check the value in a BEFORE trigger.",
            ),
            Self::StatisticsOnSealed => (
                Code::ERRCODE_INVALID_OBJECT_DEFINITION,
                "statistics on the plaintext of an encrypted value".into(),
                Some("They would hold plaintext.".into()),
                "Leave the expression out.",
            ),
            Self::RetypedRows { column, is_sealed: true } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("column \"{column}\" would be sealed for one tenant in every row"),
                Some("The statement seals each value for the current tenant, whatever tenant the row is of.".into()),
                "CALL cordon.encrypt_column(...) seals each row for its own tenant, while the table is in use. In one \
                 statement: USING cordon.encrypt(a_column, tenant_column::text).",
            ),
            Self::RetypedRows { column, is_sealed: false } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("column \"{column}\" would be opened for one tenant in every row"),
                Some("The statement opens each value for the current tenant, whatever tenant the row is of.".into()),
                "CALL cordon.decrypt_column(...) opens each row for its own tenant, while the table is in use. In one \
                 statement: USING cordon.decrypt(a_column, tenant_column::text).",
            ),
            Self::DefaultForOldRows => (
                Code::ERRCODE_INVALID_OBJECT_DEFINITION,
                "a new encrypted column has a default, and the table has rows".into(),
                Some("All of them would get one value, sealed for this session's tenant.".into()),
                "Add the column without a default and NOT NULL, fill it for each tenant, then set both.",
            ),
            Self::LiteralInFunction => (
                Code::ERRCODE_INVALID_OBJECT_DEFINITION,
                "a literal of an encrypted type in the body of an SQL function that is used in a definition".into(),
                Some("It would stay as it is sealed now, for this session's tenant.".into()),
                "Write a cast that runs with the function: 'x'::text::encrypted_text.",
            ),
            Self::Retired => (
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "the extension in this database is of an earlier version than the library".into(),
                None,
                "Run ALTER EXTENSION pg_cordon UPDATE.",
            ),
            Self::NotAStatement => (
                Code::ERRCODE_SYNTAX_ERROR,
                "not a statement that can be run here".into(),
                None,
                "Give one statement that does not begin or end a transaction.",
            ),
            Self::SuperuserRole => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "the application's role is a superuser".into(),
                Some("Neither row security nor any privilege applies to it, so there is nothing to prove.".into()),
                "Let the application log in as a role that is neither superuser nor BYPASSRLS.",
            ),
            Self::Label(fault) => {
                let (line, what) = fault.describe();
                return ErrorReport::new(
                    Code::ERRCODE_INVALID_PARAMETER_VALUE,
                    format!("line {line} of the security label {what}"),
                    FUNCTION,
                )
                .set_hint(
                    "Write \"shared: the same for all tenants\", or another key, one a line: docs/AUDIT.md lists them.",
                );
            }
            Self::LabelOnOther(kind) => (
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                format!("that security label is for {kind}"),
                None,
                "shared is for tables, plain and secret for columns, codes of the audit for what it names.",
            ),
            Self::MayNotAcknowledge => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "permission denied to acknowledge what the audit finds".into(),
                Some("An owner could silence the audit about itself.".into()),
                "As a superuser, set the label, or GRANT EXECUTE ON FUNCTION cordon.acknowledge(text). To restore a dump without \
                 its labels: pg_restore --no-security-labels.",
            ),
            Self::Standby => (
                Code::ERRCODE_READ_ONLY_SQL_TRANSACTION,
                "a standby does not change the keyring".into(),
                None,
                "Change it on the primary server, and copy the file here.",
            ),
            Self::UnknownPurpose => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "unknown key purpose".into(),
                None,
                "The purposes are encryption, search and token.",
            ),
            Self::NotAKeyId => (
                Code::ERRCODE_UNDEFINED_OBJECT,
                "no key has such an id".into(),
                None,
                "SELECT * FROM cordon.keyring shows the keys.",
            ),
            Self::Null(argument) => (
                Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                format!("{argument} must not be null"),
                None,
                "Check the row or the parameter that it comes from.",
            ),
            Self::NotText => (
                Code::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
                "invalid byte sequence in a text to be sealed".into(),
                None,
                "Text is in the client's encoding (UTF-8 in a SQL_ASCII database) and holds no zero byte.",
            ),
            Self::OutOfMemory => (
                Code::ERRCODE_OUT_OF_MEMORY,
                "out of memory for a sealed value or its plaintext".into(),
                None,
                "Give the server more memory, or store long texts in several rows.",
            ),
            Self::NotRepresentable => (
                Code::ERRCODE_UNTRANSLATABLE_CHARACTER,
                "a sealed text has a character that this database's encoding lacks".into(),
                None,
                "Read it in a database with encoding UTF8.",
            ),
            Self::TenantOfOther(table) => (
                Code::ERRCODE_CHECK_VIOLATION,
                format!("a row of table \"{table}\" has another tenant than the row that it refers to"),
                None,
                "Leave the tenant out, so that it is filled in, or refer to a row of the same tenant.",
            ),
            Self::NoForeignKey(columns) => (
                Code::ERRCODE_UNDEFINED_OBJECT,
                format!("there is no foreign key of the columns {columns}"),
                None,
                "Add the key, or drop the trigger zzz_cordon_fill_tenant that fills in the tenant by it.",
            ),
            Self::NoUniqueKey(table) => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("table \"{table}\" has no unique index of the columns that rows are looked up by"),
                Some("It must be a btree index of all rows, valid and not deferrable.".into()),
                "Make one: CREATE UNIQUE INDEX CONCURRENTLY ON ...",
            ),
            Self::NotResolvable { table, column } => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("tenants are not looked up by column \"{column}\" of table \"{table}\""),
                None,
                "As the owner of the table, SELECT cordon.resolver('a_table', 'a_column').",
            ),
            Self::NotTrigger => (
                Code::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "the function belongs to triggers that the extension makes".into(),
                Some("They fire before a row is inserted or updated.".into()),
                "CALL cordon.encrypt_column(...) or cordon.add_tenant_column(...) makes the trigger.",
            ),
            Self::NoColumn(name) => (
                Code::ERRCODE_UNDEFINED_COLUMN,
                format!("there is no column \"{name}\""),
                None,
                "If it was being converted, give it its name back, or drop the trigger zzz_cordon_... of the table and begin again.",
            ),
            Self::NotConversion => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the column is not being converted".into(),
                None,
                "SELECT * FROM cordon.conversions shows the columns that are; CALL cordon.encrypt_column(...) begins.",
            ),
            Self::NoImportKey(purpose) => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("the keyring has no {purpose} key"),
                None,
                "Add the keys that the values were made with to the keyring file, as docs/KEYRING.md says, and reload.",
            ),
            Self::ImplicitPlaintext => (
                Code::ERRCODE_DATATYPE_MISMATCH,
                "an encrypted value is assigned to a column of another type".into(),
                None,
                "Write it with an explicit cast if the plaintext is to be stored: (...)::text.",
            ),
        };
        let report = ErrorReport::new(code, message, FUNCTION).set_hint(hint);
        match detail {
            Some(detail) => report.set_detail(detail),
            None => report,
        }
    }
}

/// Where the keyring is, is for the server log, and for roles that may read the setting.
fn about_file(with_path: String, without: String) -> String {
    // SAFETY: lookups in the system catalogs, where there is a transaction.
    let may_know = unsafe {
        pg_sys::IsTransactionState()
            && pg_sys::has_privs_of_role(pg_sys::GetUserId(), Oid::from(pg_sys::ROLE_PG_READ_ALL_SETTINGS))
    };
    if may_know {
        return with_path;
    }
    log::say_to_the_log(&with_path);
    without
}

/// Has backtraces left out of errors, whatever RUST_BACKTRACE says: they name what is inside, to clients. The standard library
/// remembers what it is told at first.
pub fn hide_backtraces() {
    const NAME: &str = "RUST_LIB_BACKTRACE";
    let before = std::env::var_os(NAME);
    // SAFETY: no other thread runs. The environment is as before afterwards.
    unsafe {
        std::env::set_var(NAME, "0");
        let _ = std::backtrace::Backtrace::capture();
        match before {
            Some(value) => std::env::set_var(NAME, value),
            None => std::env::remove_var(NAME),
        }
    }
}

/// COPY adds to each error the value at fault, as its context: what was to be sealed or hashed. Its line goes with it.
fn forget_copied_value() {
    // SAFETY: variables of this process. The context is on the stack of COPY, which is running while it is linked. An
    // error takes the list back to what it was where the error is caught.
    unsafe {
        let context = pg_sys::error_context_stack;
        let of_copy: unsafe extern "C-unwind" fn(*mut c_void) = CopyFromErrorCallback;
        if let Some(context) = context.as_ref()
            && context.callback.is_some_and(|callback| callback as usize == of_copy as usize)
        {
            pg_sys::error_context_stack = context.previous;
        }
    }
}

unsafe extern "C-unwind" {
    /// As in `commands/copy.h`.
    fn CopyFromErrorCallback(state: *mut c_void);
}

fn core_code(error: Error) -> (PgSqlErrorCode, &'static str) {
    use PgSqlErrorCode as Code;
    match error {
        Error::OtherTenant => (
            Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "Set the tenant that the value belongs to, or leave the row out with a condition on the tenant column.",
        ),
        Error::UnknownKey(_) | Error::OtherPurpose(_) => (
            Code::ERRCODE_UNDEFINED_OBJECT,
            "The value was sealed under another keyring. Put its key into the keyring file, and reload the server.",
        ),
        Error::DisabledKey(_) => (
            Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "As a superuser, run SELECT cordon.enable_key(...) to read what was sealed under it.",
        ),
        Error::NoPrimaryKey(_) => (
            Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "As a superuser, run SELECT cordon.rotate_key(...) for that purpose.",
        ),
        Error::UnknownVersion(_) => (
            Code::ERRCODE_FEATURE_NOT_SUPPORTED,
            "If a later version of pg_cordon wrote it, install that version; else the value is damaged.",
        ),
        Error::TooLong => (Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED, "At most 512 MiB are sealed in one value."),
        Error::NotStoredForm => (
            Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
            "This session exchanges sealed values as they are stored (row_security = off or cordon.text_form = stored) \
             and takes nothing else. SET row_security = on to seal plaintext, or call cordon.encrypt.",
        ),
        Error::UnexpectedStoredForm => (
            Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
            "It would be sealed a second time. Restore a dump with pg_restore or psql as pg_dump wrote it: its SET \
             row_security = off makes the session take stored values.",
        ),
        Error::OtherKind => {
            (Code::ERRCODE_DATATYPE_MISMATCH, "Restore the value into a column of the type that it was dumped from.")
        }
        Error::MalformedStoredForm => (
            Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
            "The stored form is cordon1: and base64url; compare the value with the dump that it comes from.",
        ),
        Error::NotTokenHash => (
            Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
            "A column of type token_hash holds hashes only. Hash the token: cordon.hash_token(...).",
        ),
        Error::EmptyToken => (
            Code::ERRCODE_INVALID_PARAMETER_VALUE,
            "Check the parameter that it comes from: an empty token is nobody's.",
        ),
        Error::TokenPrefix => (
            Code::ERRCODE_INVALID_PARAMETER_VALUE,
            "At most 32 letters, digits and underscores of ASCII; the underscore after it is added.",
        ),
        Error::NotGenerated => {
            (Code::ERRCODE_INVALID_PARAMETER_VALUE, "cordon.token_checksum_ok(...) tells such tokens from others.")
        }
        Error::NotSha256 => (
            Code::ERRCODE_INVALID_PARAMETER_VALUE,
            "Give 64 hexadecimal digits, or 32 bytes as bytea: what the table holds as the SHA-256 of a token.",
        ),
        Error::NotFernet | Error::NotPgcrypto | Error::Expired | Error::FromTheFuture => {
            (Code::ERRCODE_DATA_EXCEPTION, "Set the column to a value that can be converted, or to NULL.")
        }
        Error::NoKeyOpens(_) => (
            Code::ERRCODE_DATA_EXCEPTION,
            "Add the key that it was made with to the keyring file, and reload the server.",
        ),
        Error::NoMemory => (Code::ERRCODE_OUT_OF_MEMORY, "Give the server more memory, or the value less length."),
        Error::NoRandomness => (Code::ERRCODE_SYSTEM_ERROR, "Check the operating system: getrandom(2) failed."),
        // Of a value that cannot be trusted, the worst is assumed.
        _ => (
            Code::ERRCODE_DATA_CORRUPTED,
            "Restore the value from a backup. Nothing of it is shown, because nothing of it can be trusted.",
        ),
    }
}

fn change_code(fault: ChangeFault) -> (PgSqlErrorCode, &'static str) {
    use PgSqlErrorCode as Code;
    match fault {
        ChangeFault::UnknownKey(_) => (Code::ERRCODE_UNDEFINED_OBJECT, "SELECT * FROM cordon.keyring shows the keys."),
        ChangeFault::Primary(_) => (
            Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "Run SELECT cordon.rotate_key(...) for its purpose first, so that another key is primary.",
        ),
        ChangeFault::ImportOnly(_) => {
            (Code::ERRCODE_INVALID_PARAMETER_VALUE, "Add the application's own keys to the keyring file.")
        }
        _ => (Code::ERRCODE_SYSTEM_ERROR, "Check the operating system: getrandom(2) failed."),
    }
}

fn file_code(fault: &FileFault) -> PgSqlErrorCode {
    use PgSqlErrorCode as Code;
    match fault {
        FileFault::Missing => Code::ERRCODE_UNDEFINED_FILE,
        FileFault::Exists => Code::ERRCODE_DUPLICATE_FILE,
        FileFault::Busy => Code::ERRCODE_LOCK_NOT_AVAILABLE,
        FileFault::Io(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Code::ERRCODE_DISK_FULL,
        FileFault::Io(_) => Code::ERRCODE_IO_ERROR,
        _ => Code::ERRCODE_CONFIG_FILE_ERROR,
    }
}

fn file_hint(fault: &FileFault) -> &'static str {
    match fault {
        FileFault::Missing => "Check cordon.keyring_file: its directory must exist and the server must reach it.",
        FileFault::Exists => "A keyring is never overwritten: what was sealed under it would be lost.",
        FileFault::NotRegular => "Name the file itself in cordon.keyring_file.",
        FileFault::Owner => "Give the file to the user that the server runs as, with chown.",
        FileFault::Mode(_) => "Run chmod 0600 on the file.",
        FileFault::Busy => "Run the statement again.",
        FileFault::Io(_) => "Check that the server may write to the directory and that the disk is not full.",
        _ => {
            "Correct the file or restore it from its backup, and reload the server. Until then sessions that have read a \
             keyring open values, and seal none."
        }
    }
}
