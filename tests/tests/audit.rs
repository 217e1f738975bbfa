//! Each finding of cordon.audit has SQL that makes it go away: each hole is made, found, mended by that SQL, and gone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use cordon_tests::{Cluster, Settings, assert_refused, shared_cluster, source, sqlstate, whole_error};
use postgres::Client;

/// Settings that give no findings, on a server of its own: roles and settings are the server's.
const QUIET: &str = "log_min_error_statement = panic\nlog_parameter_max_length_on_error = 0\nwal_level = logical\n";

struct Finding {
    severity: String,
    code: String,
    object: String,
    fix: Option<String>,
}

fn audit(client: &mut Client) -> Vec<Finding> {
    client
        // What this server's minor version lacks: no SQL mends that.
        .query("SELECT severity, code, object, fix_sql FROM cordon.audit() WHERE code <> 'server_version'", &[])
        .unwrap()
        .iter()
        .map(|row| Finding {
            severity: row.get(0),
            code: row.get(1),
            object: row.get::<_, String>(2).replace("public.", ""),
            fix: row.get(3),
        })
        .collect()
}

fn codes(client: &mut Client) -> Vec<String> {
    audit(client).into_iter().map(|finding| format!("{} {}", finding.code, finding.object)).collect()
}

fn cluster() -> Cluster {
    let cluster = Cluster::start(&Settings { keyring: false, configuration: QUIET, ..Settings::default() });
    let path = cluster.directory().join("keys.json");
    cluster.configure(&format!("cordon.keyring_file = '{}'\n", path.display()));
    cluster.restart();
    cluster
        .connect("postgres", "postgres")
        .batch_execute("CREATE EXTENSION pg_cordon; SELECT cordon.create_keyring()")
        .unwrap();
    cluster
}

/// The schema of a whole application, of which the audit says nothing that has not been looked at.
fn load(dba: &mut Client, fixture: &str) {
    let path = source(&format!("fixtures/{fixture}_like.sql"));
    dba.batch_execute(&std::fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}", whole_error(&error)));
    let query = "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text IN ('crm', 'shop') AND relkind IN ('r', 'p')";
    let tables: i64 = dba.query_one(query, &[]).unwrap().get(0);
    assert!(tables >= 25, "{tables} tables");
}

#[test]
fn every_hole_is_found_in_an_application_of_djangos_and_its_own_sql_closes_it() {
    every_hole_is_found_and_its_own_sql_closes_it("django");
}

#[test]
fn every_hole_is_found_in_an_application_of_railss_and_its_own_sql_closes_it() {
    every_hole_is_found_and_its_own_sql_closes_it("rails");
}

fn every_hole_is_found_and_its_own_sql_closes_it(fixture: &str) {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(
        "ALTER DATABASE d OWNER TO postgres; CREATE ROLE owner NOLOGIN; GRANT CREATE ON SCHEMA public TO owner; SET ROLE owner;
         CREATE TABLE account (team_id bigint NOT NULL, id bigserial PRIMARY KEY, name text, body jsonb, key encrypted_text);
         CREATE INDEX ON account (team_id);
         CREATE TABLE event (team_id bigint NOT NULL, id int, PRIMARY KEY (team_id, id)) PARTITION BY HASH (team_id);
         CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         SELECT cordon.protect('account'), cordon.protect('event'); RESET ROLE;
         SELECT cordon.enable_guard(); SET cordon.guard = off",
    )
    .unwrap();
    load(&mut dba, fixture);
    assert_eq!(codes(&mut dba), [""; 0], "a database without holes");
    dba.batch_execute("SELECT cordon.assert_isolated('app')").unwrap();

    // Severity, code, object, and what makes the hole.
    let holes = [
        ("error", "unprotected_table", "open", "CREATE TABLE open (team_id bigint NOT NULL, id int); CREATE INDEX ON open (team_id)"),
        ("error", "unprotected_table", "nullable", "CREATE TABLE nullable (team_id bigint); CREATE INDEX ON nullable (team_id)"),
        ("error", "unprotected_table", "numbers", "CREATE TABLE numbers (team_id numeric NOT NULL); CREATE INDEX ON numbers (team_id)"),
        ("error", "unprotected_child", "event_1", "CREATE TABLE event_1 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 1)"),
        ("error", "row_security_off", "account", "ALTER TABLE account DISABLE ROW LEVEL SECURITY"),
        ("error", "row_security_not_forced", "account", "ALTER TABLE account NO FORCE ROW LEVEL SECURITY"),
        ("error", "policy_altered", "account", "DROP POLICY cordon_floor ON account"),
        ("error", "policy_altered", "account", "ALTER POLICY cordon_floor ON account USING (true)"),
        ("error", "policy_altered", "account", "ALTER POLICY cordon_floor ON account WITH CHECK (team_id = cordon.tenant_int8() OR true)"),
        ("error", "policy_altered", "account", "ALTER POLICY cordon_tenant ON account TO app"),
        (
            "error",
            "role_policy_without_floor",
            "special",
            "CREATE TABLE special (team_id bigint NOT NULL); CREATE INDEX ON special (team_id); CREATE POLICY everything ON special TO app USING (true);
             ALTER TABLE special ENABLE ROW LEVEL SECURITY",
        ),
        ("error", "nullable_tenant", "account", "ALTER TABLE account ALTER team_id DROP NOT NULL"),
        ("warning", "no_tenant_index", "account", "DROP INDEX account_team_id_idx"),
        ("info", "unique_without_tenant", "account_name_key", "ALTER TABLE account ADD UNIQUE (name)"),
        ("info", "unique_without_tenant", "account_lower_idx", "CREATE UNIQUE INDEX ON account (lower(name))"),
        (
            "info",
            "unique_without_tenant",
            "account_int8range_excl",
            "CREATE EXTENSION IF NOT EXISTS btree_gist; ALTER TABLE account ADD EXCLUDE USING gist (int8range(id, id + 1) WITH &&)",
        ),
        ("info", "index_not_leakproof", "account_upper_idx", "CREATE INDEX ON account (upper(name))"),
        ("info", "index_not_leakproof", "account_body_idx", "CREATE INDEX ON account (body)"),
        ("error", "token_store_open", "cordon.token", "DROP POLICY cordon_floor ON cordon.token"),
        ("error", "token_store_open", "cordon.token", "ALTER TABLE cordon.token NO FORCE ROW LEVEL SECURITY"),
        ("warning", "token_store_writable", "cordon.token", "GRANT SELECT, UPDATE ON cordon.token TO app"),
        ("warning", "superuser", "rogue", "CREATE ROLE rogue LOGIN SUPERUSER"),
        ("warning", "bypasses_row_security", "batch", "CREATE ROLE batch LOGIN BYPASSRLS"),
        (
            "warning",
            "may_become_bypassing_role",
            "clerk",
            "CREATE ROLE clerk LOGIN; CREATE ROLE manager; CREATE ROLE admin NOLOGIN BYPASSRLS; GRANT admin TO manager; GRANT manager TO clerk",
        ),
        ("info", "owns_protected_table", "app", "ALTER TABLE event OWNER TO app"),
        (
            "info",
            "old_key_in_use",
            "account.key",
            "INSERT INTO account (team_id, key) VALUES (7, cordon.encrypt('seven', '7')), (8, cordon.encrypt('eight', '8'));
             SELECT cordon.rotate_key('encryption')",
        ),
        (
            "info",
            "old_key_in_use",
            "account.note",
            "ALTER TABLE account ADD note shared_encrypted_text; INSERT INTO account (team_id, note) VALUES (7, cordon.encrypt('note'));
             SELECT cordon.rotate_key('encryption')",
        ),
        (
            "info",
            "old_key_in_use",
            "account.mail",
            "ALTER TABLE account ADD mail encrypted_text_eq;
             INSERT INTO account (team_id, mail) VALUES (7, cordon.encrypt_eq('seven', '7'));
             SELECT cordon.rotate_key('search')",
        ),
        ("info", "guard_not_enabled", "d", "SELECT cordon.disable_guard()"),
        (
            "warning",
            "foreign_key_crosses_tenants",
            "item_account_id_fkey on item",
            "CREATE TABLE item (team_id bigint NOT NULL, id int, account_id bigint REFERENCES account (id) ON DELETE SET NULL,
                                PRIMARY KEY (team_id, id)); SELECT cordon.protect('item')",
        ),
        ("error", "truncate_granted", "account", "GRANT TRUNCATE ON account TO app"),
        ("warning", "references_granted", "account", "GRANT REFERENCES ON account TO PUBLIC"),
        ("warning", "trigger_granted", "account", "GRANT TRIGGER ON account TO app"),
        ("error", "view_without_security_invoker", "everything", "CREATE VIEW everything AS SELECT * FROM account"),
        (
            "error",
            "view_without_security_invoker",
            "outer_view",
            "CREATE VIEW inner_view WITH (security_invoker) AS SELECT * FROM account; CREATE VIEW outer_view AS SELECT * FROM inner_view",
        ),
        (
            "warning",
            "view_without_security_invoker",
            "owned",
            "CREATE VIEW owned AS SELECT * FROM account; ALTER VIEW owned OWNER TO owner",
        ),
        (
            "error",
            "materialized_view",
            "copies",
            "CREATE MATERIALIZED VIEW copies AS SELECT name FROM account; GRANT SELECT ON copies TO app",
        ),
        (
            "error",
            "definer_bypasses",
            "sees_all()",
            "CREATE FUNCTION sees_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1::bigint'",
        ),
        (
            "warning",
            "definer_bypasses",
            "sees_all_for_few()",
            "CREATE FUNCTION sees_all_for_few() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                 AS 'SELECT 1::bigint'; REVOKE EXECUTE ON FUNCTION sees_all_for_few() FROM PUBLIC",
        ),
        (
            "warning",
            "definer_search_path",
            "careless(integer)",
            "CREATE PROCEDURE careless(int) LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER PROCEDURE careless OWNER TO app",
        ),
        (
            "error",
            "definer_search_path",
            "reckless()",
            "CREATE FUNCTION reckless() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        ),
        (
            "warning",
            "definer_search_path",
            "half()",
            "CREATE FUNCTION half() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT 1'; ALTER FUNCTION half OWNER TO owner",
        ),
        (
            "error",
            "plaintext_secret",
            "account.remark",
            "ALTER TABLE account ADD remark text; SECURITY LABEL FOR pg_cordon ON COLUMN account.remark IS 'secret'",
        ),
        ("warning", "predefined_role", "reader", "CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader"),
        ("warning", "predefined_role", "filer", "CREATE ROLE filer LOGIN; CREATE ROLE files; GRANT pg_read_server_files TO files; GRANT files TO filer"),
        ("warning", "replication", "backup", "CREATE ROLE backup LOGIN REPLICATION"),
        ("warning", "creates_roles", "hr", "CREATE ROLE hr LOGIN CREATEROLE"),
        ("info", "owns_database", "app", "ALTER DATABASE d OWNER TO app"),
        (
            "info",
            "owns_schema",
            "app",
            "CREATE SCHEMA apps AUTHORIZATION app; CREATE TABLE apps.t (team_id bigint NOT NULL); CREATE INDEX ON apps.t (team_id);
             SELECT cordon.protect('apps.t')",
        ),
        ("warning", "parameter_granted", "clerk", "GRANT SET ON PARAMETER session_replication_role TO clerk"),
        ("error", "parameter_granted", "PUBLIC", "GRANT SET, ALTER SYSTEM ON PARAMETER cordon.freeze_tenant TO PUBLIC"),
        ("warning", "default_privileges", "owner", "ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public GRANT ALL ON TABLES TO app"),
        ("warning", "default_privileges", "owner", "ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT TRUNCATE ON TABLES TO PUBLIC"),
        ("warning", "create_on_schema", "public", "GRANT CREATE ON SCHEMA public TO PUBLIC"),
        ("error", "function_granted", "pg_read_file(text)", "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC"),
        ("warning", "function_granted", "cordon.convert_on_write()", "GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO app"),
        (
            "warning",
            "user_mapping",
            "other",
            "CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw; CREATE USER MAPPING FOR app SERVER other",
        ),
        ("warning", "rule_on_protected", "rule also on account", "CREATE RULE also AS ON UPDATE TO account DO ALSO NOTIFY account_changed"),
        (
            "warning",
            "leakproof_function",
            "quiet(integer)",
            "CREATE FUNCTION quiet(int) RETURNS boolean LANGUAGE sql LEAKPROOF IMMUTABLE AS 'SELECT $1 > 0'",
        ),
        (
            "error",
            "function_sets_tenant",
            "as_seven()",
            "CREATE FUNCTION as_seven() RETURNS bigint LANGUAGE sql SET app.team_id = '7' AS 'SELECT 1::bigint'",
        ),
        (
            "error",
            "column_granted",
            "column_copies.name",
            "CREATE MATERIALIZED VIEW column_copies AS SELECT name FROM account; GRANT SELECT (name) ON column_copies TO app",
        ),
        ("warning", "replication_slot", "forgotten", "SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')"),
        ("error", "persisted_tenant", "postgresql.conf", "ALTER SYSTEM SET app.team_id = '7'"),
        ("warning", "guard_switched_off", "d", "ALTER DATABASE d SET cordon.guard = off"),
        ("warning", "guard_switched_off", "postgresql.conf", "ALTER SYSTEM SET cordon.guard = off"),
        ("error", "persisted_tenant", "app", "ALTER ROLE app SET app.team_id = '7'"),
        ("error", "persisted_tenant", "d", "ALTER DATABASE d SET app.team_id = '7'"),
        ("error", "persisted_tenant", "app in d", "ALTER ROLE app IN DATABASE d SET app.team_id = '7'"),
        ("warning", "statements_logged", "log_statement", "ALTER SYSTEM SET log_statement = 'all'"),
        ("warning", "log_not_redacted", "cordon.redact_log", "ALTER SYSTEM SET cordon.redact_log = 'off'"),
        ("warning", "statements_logged", "log_min_error_statement", "ALTER SYSTEM SET log_min_error_statement = 'error'"),
        (
            "error",
            "constant_default",
            "account.key",
            // As a dump of before brings it: now a literal becomes a cast at run time.
            "SET row_security = off; DO $$ BEGIN EXECUTE format('ALTER TABLE account ALTER key SET DEFAULT %L', \
             cordon.encrypt('constant', '7')::text); END $$; RESET row_security",
        ),
        (
            "warning",
            "plaintext_secret",
            "account.\"ApiKey\"",
            "ALTER TABLE account ADD \"ApiKey\" text; INSERT INTO account (team_id, \"ApiKey\") VALUES (7, 'ghp_x'), (8, 'ghp_y'), (8, NULL)",
        ),
        ("error", "unprotected_parent", "base", "CREATE TABLE base (team_id bigint NOT NULL); CREATE INDEX ON base (team_id); ALTER TABLE base OWNER TO owner; ALTER TABLE account INHERIT base"),
        ("warning", "keyring_in_data_directory", "keys.json", "ALTER SYSTEM SET cordon.keyring_file = 'keys.json'"),
    ];
    let version: i32 = dba.query_one("SELECT current_setting('server_version_num')::int", &[]).unwrap().get(0);
    let newer =
        (version >= 170_000).then_some(("warning", "maintain_granted", "account", "GRANT MAINTAIN ON account TO app"));
    for (severity, code, object, hole) in newer.into_iter().chain(holes) {
        dba.batch_execute(hole).unwrap_or_else(|error| panic!("{hole}: {error}"));
        if hole.contains("SYSTEM") {
            cluster.reload(&mut dba);
        }
        let found = audit(&mut dba);
        let finding = found
            .iter()
            .find(|finding| finding.code == code && finding.object == object)
            .unwrap_or_else(|| panic!("not found: {code} {object}, but {:?}", codes(&mut dba)));
        assert_eq!(finding.severity, severity, "{code}");
        let isolated = dba.batch_execute("SELECT cordon.assert_isolated('app')");
        if severity == "error" {
            let error = isolated.unwrap_err();
            assert_eq!(sqlstate(&error), "42501", "{code}");
            let fix = finding.fix.as_ref().expect("SQL that mends it");
            assert!(whole_error(&error).contains(fix), "{code}: the error holds the SQL that mends it");
        }
        // Each one in turn, as a DBA would run them: one may need what an earlier one did.
        for _ in 0..5 {
            for Finding { code, fix, .. } in audit(&mut dba) {
                let fix = fix.unwrap_or_else(|| panic!("{code} has no SQL that mends it")).replace(
                    "/etc/pg_cordon/keyring.json",
                    &cluster.directory().join("keys.json").display().to_string(),
                );
                dba.batch_execute(&fix).unwrap_or_else(|error| panic!("{code}: {fix}: {error}"));
                if fix.contains("SYSTEM") {
                    cluster.reload(&mut dba);
                }
            }
        }
        assert_eq!(codes(&mut dba), [""; 0], "after mending {code} {object}");
    }
    dba.batch_execute("SELECT cordon.assert_isolated('app')").unwrap();
    // Nothing was lost on the way.
    let mut eight = database.tenant("8");
    dba.batch_execute("GRANT SELECT ON account TO app").unwrap();
    let row = eight.query_one("SELECT \"ApiKey\"::text FROM account WHERE \"ApiKey\" IS NOT NULL", &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "ghp_y");
    let row = eight.query_one("SELECT key::text FROM account WHERE key IS NOT NULL", &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "eight");
}

/// What an index or a constraint is besides its columns, it is still when the tenant leads it.
#[test]
fn what_is_made_anew_keeps_every_property() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    let place = cluster.directory().join("space");
    assert!(cluster.server_command("mkdir").arg(&place).status().unwrap().success());
    dba.batch_execute(&format!("CREATE TABLESPACE \"fast one\" LOCATION '{}'", place.display())).unwrap();
    dba.batch_execute(
        "CREATE TABLE \"odd USING btree (\" (team_id bigint NOT NULL, id int PRIMARY KEY, mail text, body jsonb, gone timestamptz);
         ALTER TABLE \"odd USING btree (\" RENAME TO t; CREATE INDEX ON t (team_id); SELECT cordon.protect('t'); SET cordon.guard = off;
         CREATE UNIQUE INDEX \"a ON b\" ON t (lower(mail) text_pattern_ops DESC NULLS LAST, mail COLLATE \"C\") INCLUDE (id) NULLS NOT DISTINCT
             WITH (fillfactor = 70) TABLESPACE \"fast one\" WHERE gone IS NULL AND mail <> ' WHERE ';
         ALTER TABLE t ADD CONSTRAINT once UNIQUE NULLS NOT DISTINCT (mail) INCLUDE (id) DEFERRABLE INITIALLY DEFERRED;
         CREATE INDEX of_body ON t ((body ->> 'a') text_pattern_ops) WHERE gone IS NULL",
    )
    .unwrap();
    let definitions = |dba: &mut Client| -> Vec<String> {
        let query = "SELECT pg_get_indexdef(i.indexrelid) || coalesce(' IN ' || s.spcname, '') || coalesce(pg_get_constraintdef(k.oid), '')
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
             LEFT JOIN pg_constraint k ON k.conindid = c.oid WHERE i.indrelid = 't'::regclass AND NOT i.indisprimary";
        let mut found: Vec<String> = dba.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        found.iter_mut().for_each(|text| {
            *text = text.split_once(" ON ").map(|(_, rest)| rest.rsplit("b\" ON ").next().unwrap().to_owned()).unwrap()
        });
        found.sort();
        found
    };
    let before = definitions(&mut dba);
    dba.batch_execute("ALTER TABLE t RENAME TO \"odd USING btree (\"").unwrap();
    let fixes: Vec<String> = dba
        .query("SELECT fix_sql FROM cordon.audit() WHERE code IN ('unique_without_tenant', 'index_not_leakproof')", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(fixes.len(), 3, "{fixes:#?}");
    for fix in fixes {
        dba.batch_execute(&fix).unwrap_or_else(|error| panic!("{fix}: {error:?}"));
    }
    dba.batch_execute("ALTER TABLE \"odd USING btree (\" RENAME TO t").unwrap();
    // But for the tenant in front.
    let without =
        |text: String| text.replace("btree (team_id, ", "btree (").replace("DISTINCT (team_id, ", "DISTINCT (");
    let mut after: Vec<String> = definitions(&mut dba).into_iter().map(without).collect();
    after.sort();
    assert_eq!(after, before);
    assert!(!codes(&mut dba).iter().any(|code| code.starts_with("unique_") || code.starts_with("index_")));
}

/// What no SQL of the audit's mends: the DBA decides, or says that it is as it should be, by a label.
#[test]
fn holes_that_need_a_decision_are_found_and_can_be_acknowledged() {
    let (cluster, database) = holes_that_need_a_decision(None);
    let mut dba = cluster.connect("postgres", &database);
    // Nothing protected, and a setting that names another column.
    dba.batch_execute("GRANT SELECT ON account TO app; SELECT cordon.unprotect('account')").unwrap();
    assert!(codes(&mut dba).contains(&"unprotected_table account".into()));
    dba.batch_execute("ALTER TABLE account RENAME team_id TO org").unwrap();
    assert_eq!(codes(&mut dba), ["nothing_protected d"]);
    dba.batch_execute("SELECT cordon.protect('account', 'org')").unwrap();
    assert_eq!(codes(&mut dba), ["tenant_setting app.team_id"]);
}

#[test]
fn holes_that_need_a_decision_are_found_in_applications() {
    for fixture in ["django", "rails"] {
        holes_that_need_a_decision(Some(fixture));
    }
}

fn holes_that_need_a_decision(fixture: Option<&str>) -> (Cluster, String) {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(
        "ALTER DATABASE d OWNER TO postgres; CREATE ROLE owner NOLOGIN; GRANT CREATE ON SCHEMA public TO owner; SET ROLE owner;
         CREATE TABLE account (team_id bigint NOT NULL, id int PRIMARY KEY); CREATE INDEX ON account (team_id);
         SELECT cordon.protect('account'); RESET ROLE; SELECT cordon.enable_guard(); SET cordon.guard = off;
         CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw",
    )
    .unwrap();
    if let Some(fixture) = fixture {
        load(&mut dba, fixture);
    }
    assert_eq!(codes(&mut dba), [""; 0], "a database without holes");
    // Severity, code, object, what makes the hole, what closes it, and the label that acknowledges it.
    let holes = [
        (
            "error",
            "child_without_tenant",
            "ping",
            "CREATE TABLE ping (id int PRIMARY KEY, account_id int REFERENCES account); GRANT SELECT ON ping TO PUBLIC",
            "DROP TABLE ping",
            "TABLE ping IS 'shared: made up'",
        ),
        (
            "warning",
            "child_without_tenant",
            "notification",
            "CREATE TABLE ping (id int PRIMARY KEY, account_id int REFERENCES account);
             CREATE TABLE notification (ping_id int REFERENCES ping); GRANT INSERT ON notification TO app",
            "DROP TABLE ping, notification",
            "TABLE notification IS 'child_without_tenant: write only'",
        ),
        (
            "warning",
            "child_without_tenant",
            "account_tag",
            "CREATE TABLE tag (id int PRIMARY KEY); CREATE TABLE account_tag (account_id int REFERENCES account, tag_id int REFERENCES tag);
             GRANT SELECT (tag_id) ON account_tag TO app; GRANT SELECT ON account_tag TO app",
            "DROP TABLE account_tag, tag",
            "TABLE account_tag IS 'reviewed: made up'",
        ),
        (
            "warning",
            "no_tenant",
            "country",
            "CREATE TABLE country (code text); GRANT SELECT ON country TO app",
            "DROP TABLE country",
            "TABLE country IS 'shared: the same for all tenants'",
        ),
        (
            "warning",
            "foreign_table",
            "elsewhere",
            "CREATE FOREIGN TABLE elsewhere (id int) SERVER far; GRANT SELECT ON elsewhere TO app",
            "DROP FOREIGN TABLE elsewhere",
            "FOREIGN TABLE elsewhere IS 'shared: rates of the day'",
        ),
        (
            "warning",
            "publication",
            "p",
            "CREATE PUBLICATION p FOR TABLE account",
            "DROP PUBLICATION p",
            "PUBLICATION p IS 'publication: to the warehouse'",
        ),
        (
            "info",
            "subscription",
            "s",
            "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)",
            "ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s",
            "SUBSCRIPTION s IS 'reviewed: from the registry'",
        ),
        (
            "info",
            "large_objects",
            "1",
            "SELECT lo_create(4711)",
            "SELECT lo_unlink(4711)",
            "DATABASE d IS 'large_objects: none of tenants'",
        ),
        (
            "warning",
            "large_objects",
            "1",
            "SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC",
            "SELECT lo_unlink(4711)",
            "DATABASE d IS 'large_objects: none of tenants'",
        ),
        (
            "warning",
            "plaintext_secret",
            "member.password",
            "CREATE TABLE member (id int, password text)",
            "DROP TABLE member",
            "COLUMN member.password IS 'plain: a password hash already'",
        ),
        (
            "warning",
            "plaintext_secret",
            "member.\"webhookSecrets\"",
            "CREATE TABLE member (id int, \"webhookSecrets\" jsonb)",
            "DROP TABLE member",
            "COLUMN member.\"webhookSecrets\" IS 'plaintext_secret: being sealed'",
        ),
        (
            "error",
            "registration_stale",
            "account",
            "ALTER TABLE account RENAME team_id TO tenant",
            "ALTER TABLE account RENAME tenant TO team_id",
            "TABLE account IS 'registration_stale: made up'",
        ),
        (
            "warning",
            "trigger_serialises_row",
            "trigger logs on kept",
            "CREATE TABLE kept (token encrypted_text);
             CREATE FUNCTION logs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE LOG '%', to_jsonb(NEW); RETURN NEW; END $$;
             CREATE TRIGGER logs BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION logs()",
            "DROP TABLE kept; DROP FUNCTION logs",
            "TABLE kept IS 'trigger_serialises_row: the log is sealed'",
        ),
    ];
    for (severity, code, object, hole, mend, label) in holes {
        dba.batch_execute(hole).unwrap_or_else(|error| panic!("{hole}: {error}"));
        let found = codes(&mut dba);
        assert!(found.contains(&format!("{code} {object}")), "{code} {object}: {found:?}");
        let finding =
            audit(&mut dba).into_iter().find(|finding| finding.code == code && finding.object == object).unwrap();
        assert_eq!(finding.severity, severity, "{code}");
        let fails = dba.batch_execute("SELECT cordon.assert_isolated('app')").is_err();
        assert!(severity != "error" || fails, "{code}");
        // Acknowledged it is silent, and shown with the reason on request.
        dba.batch_execute(&format!("SECURITY LABEL FOR pg_cordon ON {label}"))
            .unwrap_or_else(|error| panic!("{label}: {error:?}"));
        assert!(!codes(&mut dba).contains(&format!("{code} {object}")), "{label}");
        let shown: Vec<String> = dba
            .query(
                "SELECT acknowledged FROM cordon.audit(include_acknowledged => true) WHERE code = $1 AND replace(object, 'public.', '') = $2 AND acknowledged IS NOT NULL",
                &[&code, &object],
            )
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(shown.len(), 1, "{label}");
        assert!(label.ends_with(&format!("'{}'", shown[0])), "{label}: {}", shown[0]);
        dba.batch_execute(&format!("SECURITY LABEL FOR pg_cordon ON {} IS NULL", label.split(" IS ").next().unwrap()))
            .unwrap();
        dba.batch_execute(mend).unwrap_or_else(|error| panic!("{mend}: {error:?}"));
        assert_eq!(codes(&mut dba), [""; 0], "after mending {code} {object}");
    }
    (cluster, "d".to_owned())
}

/// The table of tenants is protected by its key, which is no tenant column anywhere else; users and look-up tables are no holes.
#[test]
fn the_table_of_tenants_makes_no_other_table_unprotected() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(
        "ALTER DATABASE d OWNER TO postgres; SET cordon.guard = off;
         CREATE TABLE team (id bigint PRIMARY KEY, name text);
         CREATE TABLE member (id bigint PRIMARY KEY, mail text); CREATE TABLE membership (team_id bigint NOT NULL REFERENCES team, member_id bigint REFERENCES member);
         CREATE INDEX ON membership (team_id);
         CREATE TABLE team_profile (team_id bigint PRIMARY KEY REFERENCES team, body text);
         CREATE TABLE migration (id int PRIMARY KEY, applied timestamptz);
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
         SELECT cordon.protect('team', 'id'), cordon.protect('membership'), cordon.protect('team_profile'); SELECT cordon.enable_guard();
         SECURITY LABEL FOR pg_cordon ON TABLE member IS 'shared: a person is in several teams';
         SECURITY LABEL FOR pg_cordon ON TABLE migration IS 'shared: the same for all'",
    )
    .unwrap();
    let loud: Vec<String> = audit(&mut dba)
        .into_iter()
        .filter(|finding| finding.severity != "info")
        .map(|finding| format!("{} {}", finding.code, finding.object))
        .collect();
    assert_eq!(loud, [""; 0]);
    dba.batch_execute("SELECT cordon.assert_isolated('app')").unwrap();
}

/// An owner labels what is his, and that must not silence what the audit says of him.
#[test]
fn only_who_may_acknowledge_silences_the_audit() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    let mut app = database.app();
    app.batch_execute("CREATE TABLE t (team_id bigint, note text, \"To\" text)").unwrap();
    for label in [
        "TABLE t IS 'unprotected_table: mine'",
        "TABLE t IS 'shared: mine'",
        "COLUMN t.note IS 'plain: mine'",
        "COLUMN t.note IS E'secret\\nplain: mine'",
        "TABLE t IS 'reviewed: mine'",
    ] {
        assert_refused(app.batch_execute(&format!("SECURITY LABEL FOR pg_cordon ON {label}")), "42501", &[]);
    }
    // That more is secret an owner may say; not that it is no longer.
    app.batch_execute("SECURITY LABEL FOR pg_cordon ON COLUMN t.note IS 'secret: by contract'").unwrap();
    assert_refused(app.batch_execute("SECURITY LABEL FOR pg_cordon ON COLUMN t.note IS NULL"), "42501", &[]);
    dba.batch_execute("GRANT EXECUTE ON FUNCTION cordon.acknowledge(text) TO app").unwrap();
    app.batch_execute("SECURITY LABEL FOR pg_cordon ON COLUMN t.note IS 'plain: not any more'; SECURITY LABEL FOR pg_cordon ON COLUMN t.note IS NULL").unwrap();
    for (label, code) in [
        ("TABLE t IS 'shared'", "22023"),
        ("TABLE t IS 'shraed: yes'", "22023"),
        ("TABLE t IS ''", "22023"),
        ("TABLE t IS E'shared: yes\\nshared: no'", "22023"),
        ("TABLE t IS 'secret'", "42809"),
        ("COLUMN t.note IS 'shared: yes'", "42809"),
        ("ROLE app IS 'plain: yes'", "42809"),
    ] {
        assert_refused(dba.batch_execute(&format!("SECURITY LABEL FOR pg_cordon ON {label}")), code, &[]);
    }
    // Labels follow a rename, and go with a dump.
    dba.batch_execute("SECURITY LABEL FOR pg_cordon ON TABLE t IS 'shared: lookup'; ALTER TABLE t RENAME TO renamed")
        .unwrap();
    let dump = String::from_utf8(database.run("postgres", "", "pg_dump", &["--schema-only"])).unwrap();
    assert!(dump.contains("SECURITY LABEL FOR pg_cordon ON TABLE public.renamed IS 'shared: lookup';"));
    let reason: String = dba.query_one("SELECT reason FROM cordon.acknowledge('shared: a: b')", &[]).unwrap().get(0);
    assert_eq!(reason, "a: b");
}

/// Who listens on the network, and how.
#[test]
fn connections_from_elsewhere_are_found() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute("ALTER DATABASE d OWNER TO postgres").unwrap();
    let path = cluster.data_directory().join("pg_hba.conf");
    let before = std::fs::read_to_string(&path).unwrap();
    let lines = "host all all 10.0.0.0/8 trust\nhost all all 10.1.0.0/16 scram-sha-256\nhostssl all all 10.2.0.0/16 scram-sha-256\nhost all all 10.3.0.0/16 reject\n";
    std::fs::write(&path, before + lines).unwrap();
    let mut found = codes(&mut dba);
    found.iter_mut().for_each(|code| code.retain(|c| !c.is_ascii_digit()));
    assert_eq!(found, ["hba_trust line  of pg_hba.conf", "hba_without_tls line  of pg_hba.conf"]);
    // Nobody need listen for the setting to say so; the port is nobody's.
    cluster.configure("listen_addresses = '127.0.0.1, 127.0.0.2'\nport = 54999\n");
    cluster.restart();
    let mut config = postgres::Config::new();
    let mut dba = config
        .host_path(cluster.directory())
        .port(54999)
        .user("postgres")
        .dbname("d")
        .connect(postgres::NoTls)
        .unwrap();
    assert!(codes(&mut dba).contains(&"ssl_off ssl".to_owned()));
    // An ordinary role may run the audit, is told what it could not see, and cannot certify anything.
    let mut app = postgres::Config::new()
        .host_path(cluster.directory())
        .port(54999)
        .user("app")
        .dbname("d")
        .connect(postgres::NoTls)
        .unwrap();
    let unchecked: i64 =
        app.query_one("SELECT count(*) FROM cordon.audit() WHERE code = 'not_checked'", &[]).unwrap().get(0);
    assert_eq!(unchecked, 1);
    let error = app.batch_execute("SELECT cordon.assert_isolated('app')").unwrap_err();
    assert!(whole_error(&error).contains("not_checked"), "{}", whole_error(&error));
}

#[test]
fn the_audit_speaks_to_machines() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute("CREATE TABLE t (team_id bigint, id int)").unwrap();
    let read = |dba: &mut Client, what: &str| -> String {
        dba.query_one(&format!("SELECT ({what})::text FROM cordon.audit_json() j"), &[]).unwrap().get(0)
    };
    assert_eq!(read(&mut dba, "j->'errors'"), "1");
    assert_eq!(read(&mut dba, "j->>'database'"), "d");
    assert_eq!(read(&mut dba, "j->>'extension_version'"), env!("CARGO_PKG_VERSION"));
    assert_eq!(
        read(&mut dba, "jsonb_path_query_first(j, '$.findings[*] ? (@.severity == \"error\").code')#>>'{}'"),
        "unprotected_table"
    );
    dba.batch_execute("SECURITY LABEL FOR pg_cordon ON TABLE t IS 'unprotected_table: made up'").unwrap();
    assert_eq!(read(&mut dba, "j->'errors'"), "0");
}

/// Each code that the audit reports can be acknowledged, and has a row in docs/AUDIT.md; and no others do.
#[test]
fn codes_are_those_of_the_documents() {
    let sql = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
    let mut reported = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(sql).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("audit") || name == "constants.sql" {
            let text = std::fs::read_to_string(&file).unwrap();
            for code in cordon_core::label::CODES {
                if text.contains(&format!("'{code}'")) {
                    reported.insert((*code).to_owned());
                }
            }
            // What stands behind a severity is a code.
            for severity in ["'error', '", "'warning', '", "'info', '"] {
                for (at, _) in text.match_indices(severity) {
                    let code = text[at + severity.len()..].split('\'').next().unwrap();
                    assert!(
                        cordon_core::label::CODES.contains(&code) || code == "warning" || code == "info",
                        "{code} of {name} cannot be acknowledged"
                    );
                }
            }
        }
    }
    for privilege in ["truncate", "references", "trigger", "maintain"] {
        reported.insert(format!("{privilege}_granted"));
    }
    let known: std::collections::BTreeSet<String> =
        cordon_core::label::CODES.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(reported, known);
    let document =
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/AUDIT.md")).unwrap();
    let documented: std::collections::BTreeSet<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | ").map(|(code, _)| code.to_owned()))
        .filter(|code| !["shared", "plain", "reviewed", "secret"].contains(&code.as_str()))
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn the_applications_role_must_be_one_that_row_security_applies_to() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute("CREATE TABLE t (team_id bigint PRIMARY KEY); SELECT cordon.protect('t')").unwrap();
    for (role, make) in [
        ("postgres", "SELECT 1"),
        ("batch", "CREATE ROLE batch LOGIN BYPASSRLS"),
        ("clerk", "CREATE ROLE clerk LOGIN; GRANT batch TO clerk"),
        ("app", "ALTER TABLE t OWNER TO app"),
    ] {
        dba.batch_execute(make).unwrap();
        let error = dba.query("SELECT cordon.assert_isolated($1::text::name)", &[&role]).unwrap_err();
        assert_eq!(sqlstate(&error), "42501", "{role}");
    }
    dba.batch_execute("SELECT cordon.assert_isolated('analyst')").unwrap();
    assert_eq!(sqlstate(&dba.query("SELECT cordon.assert_isolated('nobody')", &[]).unwrap_err()), "42704");
    // An ordinary role may run the audit; of the keyring it learns nothing.
    database.app().query("SELECT * FROM cordon.audit()", &[]).unwrap();
}

/// Neither a cast nor a type stops what makes text of a whole row.
#[test]
fn code_that_makes_text_of_sealed_rows_is_named() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(
        "CREATE TABLE account (team_id bigint PRIMARY KEY, name text, \"To Ken\" encrypted_text); SELECT cordon.protect('account');
         CREATE TABLE other (id int); CREATE TABLE log (line text)",
    )
    .unwrap();
    let found = |dba: &mut postgres::Client| -> Vec<String> {
        let findings = "SELECT concat_ws(' ', severity, code, object) FROM cordon.audit() WHERE code ~ 'serialises_row' ORDER BY 1";
        dba.query(findings, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    };
    for (body, is_named) in [
        ("INSERT INTO log VALUES (to_jsonb(NEW)::text)", true),
        ("INSERT INTO log VALUES (row_to_json( old.* )::text)", true),
        ("INSERT INTO log SELECT format('%s: %s', TG_OP, NEW)", true),
        ("INSERT INTO log VALUES (concat(new.name, NEW.\"To Ken\"))", true),
        ("INSERT INTO log VALUES (NEW::text)", true),
        ("INSERT INTO log VALUES ((OLD.*)::text)", true),
        ("INSERT INTO log VALUES (format('%s', NEW.name))", false),
        ("INSERT INTO log VALUES (jsonb_build_object('team', NEW.team_id, 'name', NEW.name)::text)", false),
        ("INSERT INTO log VALUES (to_jsonb(now())::text); NEW.name := 'x'", false),
        ("NEW.name := upper(NEW.name)", false),
    ] {
        dba.batch_execute(&format!(
            "CREATE OR REPLACE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;
             CREATE OR REPLACE TRIGGER logs BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION log();
             CREATE OR REPLACE TRIGGER logs BEFORE UPDATE ON other FOR EACH ROW EXECUTE FUNCTION log()"
        ))
        .unwrap();
        let expected: &[&str] =
            if is_named { &["warning trigger_serialises_row trigger logs on public.account"] } else { &[] };
        assert_eq!(found(&mut dba), expected, "{body}");
    }
    dba.batch_execute(
        "SET check_function_bodies = off;
         CREATE FUNCTION exported() RETURNS jsonb LANGUAGE sql AS 'SELECT jsonb_agg(a) FROM account a';
         CREATE FUNCTION atomic() RETURNS SETOF jsonb BEGIN ATOMIC SELECT to_jsonb(a) FROM account a; END;
         CREATE FUNCTION others() RETURNS jsonb LANGUAGE sql AS 'SELECT jsonb_agg(a) FROM accounts a'",
    )
    .unwrap();
    assert_eq!(
        found(&mut dba),
        ["info function_serialises_row public.atomic()", "info function_serialises_row public.exported()"]
    );
}

/// What is a warning of somebody's role is an error of the application's.
#[test]
fn what_the_applications_role_reaches_is_an_error() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(
        "ALTER DATABASE d OWNER TO postgres; CREATE ROLE other LOGIN; CREATE ROLE group_of_app; GRANT group_of_app TO app; SET cordon.guard = off;
         CREATE TABLE account (team_id bigint NOT NULL, id int PRIMARY KEY); CREATE INDEX ON account (team_id); SELECT cordon.protect('account');
         CREATE TABLE ping (account_id int REFERENCES account); CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw",
    )
    .unwrap();
    dba.batch_execute("SELECT cordon.assert_isolated('app', 'other')").unwrap();
    for (make, undo, code) in [
        ("ALTER ROLE app REPLICATION", "ALTER ROLE app NOREPLICATION", "replication"),
        ("GRANT pg_read_server_files TO app", "REVOKE pg_read_server_files FROM app", "predefined_role"),
        (
            "GRANT pg_execute_server_program TO group_of_app",
            "REVOKE pg_execute_server_program FROM group_of_app",
            "predefined_role",
        ),
        (
            "GRANT SET ON PARAMETER session_replication_role TO app",
            "REVOKE SET ON PARAMETER session_replication_role FROM app",
            "parameter_granted",
        ),
        (
            "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO app",
            "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM app",
            "function_granted",
        ),
        ("GRANT SELECT ON ping TO group_of_app", "REVOKE SELECT ON ping FROM group_of_app", "child_without_tenant"),
        ("CREATE USER MAPPING FOR app SERVER far", "DROP USER MAPPING FOR app SERVER far", "user_mapping"),
    ] {
        dba.batch_execute(make).unwrap();
        dba.batch_execute("SELECT cordon.assert_isolated('other')")
            .unwrap_or_else(|error| panic!("{make}: {}", whole_error(&error)));
        for roles in ["'app'", "'other', 'app'"] {
            let error = dba.batch_execute(&format!("SELECT cordon.assert_isolated({roles})")).expect_err(make);
            assert!(whole_error(&error).contains(code), "{make}: {}", whole_error(&error));
        }
        assert!(codes(&mut dba).iter().any(|found| found.starts_with(code)), "{make}");
        dba.batch_execute(undo).unwrap();
    }
    dba.batch_execute("SELECT cordon.assert_isolated('app', 'other')").unwrap();
}

#[test]
fn old_keys_are_reported() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute("ALTER DATABASE d OWNER TO postgres").unwrap();
    let path = cluster.directory().join("keys.json");
    let ring = std::fs::read_to_string(&path).unwrap();
    let year = ring.find("\"created_at\": \"").unwrap() + 15;
    std::fs::write(&path, ring.replace(&ring[year..year + 4], "2020")).unwrap();
    cluster.reload(&mut dba);
    let old = audit(&mut dba);
    assert_eq!(old.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["key_age"; 3]);
    for finding in old {
        dba.batch_execute(&finding.fix.expect("SQL that mends it")).unwrap();
    }
    assert_eq!(codes(&mut dba), [""; 0]);
    // A key that somebody has typed.
    let ring = std::fs::read_to_string(&path).unwrap();
    let primary = ring.find("\"status\": \"primary\"").unwrap();
    let material = primary + ring[primary..].find("\"material\": \"").unwrap() + 13;
    let len = ring[material..].find('"').unwrap();
    let typed = Base64::encode_string(b"correct horse battery staple 123");
    assert_eq!(typed.len(), len);
    std::fs::write(&path, [&ring[..material], &typed, &ring[material + len..]].concat()).unwrap();
    cluster.reload(&mut dba);
    let weak = audit(&mut dba);
    assert_eq!(weak.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["key_printable"]);
    let told = "SELECT fix_sql FROM cordon.upgrade_check() WHERE code = 'key_printable'";
    assert_eq!(weak[0].fix, dba.query_one(told, &[]).unwrap().get(0));
    dba.batch_execute(weak[0].fix.as_ref().expect("SQL that mends it")).unwrap();
    assert_eq!(codes(&mut dba), [""; 0]);
    std::fs::remove_file(&path).unwrap();
    cluster.restart();
    let mut dba = database.superuser();
    assert_eq!(codes(&mut dba), ["no_keyring cordon.keyring"]);
    assert_eq!(dba.query("SELECT * FROM cordon.upgrade_check()", &[]).unwrap().len(), 0);
}

#[test]
fn a_thousand_tables_are_audited_at_once() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut client = database.superuser();
    client.batch_execute("ALTER DATABASE d OWNER TO postgres").unwrap();
    client
        .batch_execute(
            "DO $$ BEGIN FOR i IN 1..1000 LOOP
                 EXECUTE format('CREATE TABLE t_%s (team_id bigint, id int, name text, PRIMARY KEY (team_id, id))', i);
             END LOOP; END $$",
        )
        .unwrap();
    client.batch_execute("SELECT count(*) FROM cordon.protect_schema('public') LIMIT 500").unwrap();
    client.batch_execute("SELECT cordon.enable_guard(); SET cordon.guard = off").unwrap();
    client.batch_execute("ALTER TABLE t_500 DISABLE ROW LEVEL SECURITY").unwrap();
    let begin = Instant::now();
    let found = codes(&mut client);
    let elapsed = begin.elapsed();
    assert_eq!(found, ["row_security_off t_500"]);
    // Half a second on an idle machine; minutes, when it went wrong.
    assert!(elapsed < Duration::from_secs(30), "{elapsed:?}");
}

#[test]
fn a_minor_version_with_known_faults_in_row_security_is_named() {
    let database = shared_cluster().database("minor_version");
    let mut dba = database.superuser();
    let number: String = dba.query_one("SHOW server_version_num", &[]).unwrap().get(0);
    let number: u32 = number.parse().unwrap();
    let (major, minor) = (number / 10000, number % 10000);
    let mended = match major {
        15 => 20,
        16 => 16,
        17 => 12,
        18 => 7,
        _ => 0,
    };
    let finding = "SELECT severity, detail FROM cordon.audit() WHERE code = 'server_version'";
    let found: Vec<(String, String)> =
        dba.query(finding, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = (
        "warning".to_owned(),
        format!("This minor version has known faults in row security: install PostgreSQL {major}.{mended} or later."),
    );
    assert_eq!(found, if minor < mended { vec![expected] } else { vec![] }, "{major}.{minor}");
}
