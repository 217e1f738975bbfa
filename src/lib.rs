//! `pg_cordon`: tenant isolation that fails closed, and columns sealed for their tenant.
//!
//! `cordon-core` holds what needs no PostgreSQL. [`pg`] binds it to the server and holds all of the unsafe code.
//! [`surface`] holds the functions that SQL calls. Imports go one way: core ← pg ← surface.

#![allow(clippy::macro_metavars_in_unsafe, reason = "the macros take names of functions and nothing else")]

mod pg;
mod surface;

::pgrx::pg_module_magic!(name, version);

// The order of the installation script.
::pgrx::extension_sql_file!("../sql/schema.sql", name = "schema", bootstrap);
::pgrx::extension_sql_file!("../sql/tenant.sql", name = "tenant", requires = ["schema"]);
::pgrx::extension_sql_file!("../sql/keyring.sql", name = "keyring", requires = ["tenant"]);
::pgrx::extension_sql_file!("../sql/catalog.sql", name = "catalog", requires = ["keyring"]);
::pgrx::extension_sql_file!("../sql/protect.sql", name = "protect", requires = ["catalog"]);
::pgrx::extension_sql_file!("../sql/guard.sql", name = "guard", requires = ["protect"]);
::pgrx::extension_sql_file!("../sql/foreign_keys.sql", name = "foreign_keys", requires = ["guard"]);
::pgrx::extension_sql_file!("../sql/attack.sql", name = "attack", requires = ["foreign_keys"]);
::pgrx::extension_sql_file!("../sql/comparison.sql", name = "comparison", requires = ["attack"]);
::pgrx::extension_sql_file!("../sql/encrypted_types.sql", name = "encrypted_types", requires = ["comparison"]);
::pgrx::extension_sql_file!("../sql/tokens.sql", name = "tokens", requires = ["encrypted_types"]);
::pgrx::extension_sql_file!("../sql/token_store.sql", name = "token_store", requires = ["tokens", "protect"]);
::pgrx::extension_sql_file!("../sql/audit.sql", name = "audit", requires = ["token_store"]);
::pgrx::extension_sql_file!("../sql/audit_tables.sql", name = "audit_tables", requires = ["audit"]);
::pgrx::extension_sql_file!("../sql/audit_roles.sql", name = "audit_roles", requires = ["audit_tables"]);
::pgrx::extension_sql_file!("../sql/audit_code.sql", name = "audit_code", requires = ["audit_roles"]);
::pgrx::extension_sql_file!("../sql/audit_server.sql", name = "audit_server", requires = ["audit_code"]);
::pgrx::extension_sql_file!("../sql/audit_secrets.sql", name = "audit_secrets", requires = ["audit_server"]);
::pgrx::extension_sql_file!("../sql/prove.sql", name = "prove", requires = ["audit_secrets"]);
::pgrx::extension_sql_file!("../sql/constants.sql", name = "constants", requires = ["prove"]);
::pgrx::extension_sql_file!("../sql/upgrade_check.sql", name = "upgrade_check", requires = ["constants"]);
::pgrx::extension_sql_file!("../sql/rotation.sql", name = "rotation", requires = ["upgrade_check"]);
::pgrx::extension_sql_file!(
    "../sql/conversion_dependents.sql",
    name = "conversion_dependents",
    requires = ["rotation"]
);
::pgrx::extension_sql_file!("../sql/conversion.sql", name = "conversion", requires = ["conversion_dependents"]);
::pgrx::extension_sql_file!("../sql/tenant_column.sql", name = "tenant_column", finalize);

/// Runs when a process loads the library: the postmaster at start-up with `shared_preload_libraries`, else each backend
/// at its first use of a function.
#[allow(non_snake_case, reason = "the name that PostgreSQL calls")]
#[::pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::error::hide_backtraces();
    pg::settings::define();
    pg::tenant_setting::define();
    pg::sealed_types::know(surface::encrypted_types::SEALED_TYPES, surface::tokens::token_hash_in);
    pg::convert::CONVERT_ON_WRITE.know(surface::conversion::convert_on_write);
    pg::parent::FILL_TENANT.know(surface::tenant_column::fill_tenant);
    pg::presence::install_callback();
    pg::literals::install_hook();
    pg::plans::install_hooks();
    pg::definitions::install_hooks();
    pg::text_form::install_hook();
    pg::subscriber::install_callback();
    pg::tenant::install_hook();
    pg::transaction::install_callback();
    pg::log::install_hook();
    pg::labels::register();
    pg::keyring::load_at_preload();
}
