//! Each finding of cordon.audit has SQL that makes it go away: each hole is made, found, mended by that SQL, and gone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use cordon_tests::{Cluster, Settings, shared_cluster, sqlstate, whole_error};
use postgres::Client;

/// Settings that give no findings, on a server of its own: roles and settings are the server's.
const QUIET: &str = "log_min_error_statement = panic\nlog_parameter_max_length_on_error = 0\n";

struct Finding {
    severity: String,
    code: String,
    object: String,
    fix: String,
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

#[test]
fn every_hole_is_found_and_its_own_sql_closes_it() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(
        "CREATE ROLE owner NOLOGIN; GRANT CREATE ON SCHEMA public TO owner; SET ROLE owner;
         CREATE TABLE account (team_id bigint NOT NULL, id bigserial PRIMARY KEY, name text, body jsonb, key encrypted_text);
         CREATE INDEX ON account (team_id);
         CREATE TABLE event (team_id bigint NOT NULL, id int, PRIMARY KEY (team_id, id)) PARTITION BY HASH (team_id);
         CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         SELECT cordon.protect('account'), cordon.protect('event'); RESET ROLE;
         SELECT cordon.enable_guard(); SET cordon.guard = off",
    )
    .unwrap();
    assert_eq!(codes(&mut dba), [""; 0], "a database without holes");
    dba.batch_execute("SELECT cordon.assert_isolated('app')").unwrap();

    // Severity, code, object, and what makes the hole.
    let holes = [
        ("error", "unprotected_table", "open", "CREATE TABLE open (team_id bigint PRIMARY KEY)"),
        ("error", "unprotected_table", "nullable", "CREATE TABLE nullable (team_id bigint); CREATE INDEX ON nullable (team_id)"),
        ("error", "unprotected_table", "numbers", "CREATE TABLE numbers (team_id numeric PRIMARY KEY)"),
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
            "CREATE TABLE special (team_id bigint PRIMARY KEY); CREATE POLICY everything ON special TO app USING (true);
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
            "warning",
            "definer_bypasses",
            "sees_all()",
            "CREATE FUNCTION sees_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1::bigint'",
        ),
        (
            "warning",
            "definer_without_search_path",
            "careless(integer)",
            "CREATE PROCEDURE careless(int) LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER PROCEDURE careless OWNER TO app",
        ),
        (
            "error",
            "definer_without_search_path",
            "reckless()",
            "CREATE FUNCTION reckless() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        ),
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
        ("warning", "keyring_in_data_directory", "keys.json", "ALTER SYSTEM SET cordon.keyring_file = 'keys.json'"),
    ];
    for (severity, code, object, hole) in holes {
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
            assert!(whole_error(&error).contains(&finding.fix), "{code}: the error holds the SQL that mends it");
        }
        // Each one in turn, as a DBA would run them: one may need what an earlier one did.
        for _ in 0..5 {
            for Finding { code, fix, .. } in audit(&mut dba) {
                let fix = fix.replace(
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

#[test]
fn old_keys_are_reported() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    let path = cluster.directory().join("keys.json");
    let ring = std::fs::read_to_string(&path).unwrap();
    let year = ring.find("\"created_at\": \"").unwrap() + 15;
    std::fs::write(&path, ring.replace(&ring[year..year + 4], "2020")).unwrap();
    cluster.reload(&mut dba);
    let old = audit(&mut dba);
    assert_eq!(old.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["key_age"; 3]);
    for finding in old {
        dba.batch_execute(&finding.fix).unwrap();
    }
    assert_eq!(codes(&mut dba), [""; 0]);
    std::fs::remove_file(&path).unwrap();
    cluster.restart();
    assert_eq!(codes(&mut database.superuser()), ["no_keyring cordon.keyring"]);
}

#[test]
fn a_thousand_tables_are_audited_in_two_seconds() {
    let cluster = cluster();
    let database = cluster.database("d");
    let mut client = database.superuser();
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
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
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
