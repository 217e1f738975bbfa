//! A role with a login against everybody else: what it plants in tables, types and functions runs with its own rights, whoever
//! meets it. In each test a superuser does what superusers do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use cordon_tests::{Cluster, Database, Settings, assert_refused, shared_cluster, sqlstate, whole_error};
use postgres::{Client, error::Severity};

/// A database in which an ordinary role has planted what it can. `pwn` does what only a superuser may: it makes the role one
/// that creates roles, and, since much is rolled back, writes a file.
struct Planted {
    database: Database<'static>,
    role: String,
    file: PathBuf,
}

impl Planted {
    fn new(name: &str) -> Self {
        let database = shared_cluster().database(name);
        let role = format!("evil_{name}");
        let file = database.cluster.directory().join(format!("{role}.proof"));
        let mut dba = database.superuser();
        dba.batch_execute(&format!("CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}")).unwrap();
        let planted = Self { database, role, file };
        planted.evil().batch_execute(&planted.functions("public")).unwrap();
        planted
    }

    /// `pwn()`, and `imm(int)`, which the planner evaluates where it reads it.
    fn functions(&self, schema: &str) -> String {
        let (role, file) = (&self.role, self.file.display());
        format!(
            "CREATE FUNCTION {schema}.pwn() RETURNS int LANGUAGE plpgsql AS $$
             BEGIN
                 BEGIN ALTER ROLE {role} CREATEROLE; EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN COPY (SELECT current_user) TO '{file}'; EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN PERFORM set_config('session_replication_role', 'replica', false); EXCEPTION WHEN OTHERS THEN NULL; END;
                 RETURN 1;
             END $$;
             CREATE FUNCTION {schema}.imm(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
                 $$ BEGIN RETURN {schema}.pwn(); END $$;"
        )
    }

    fn evil(&self) -> Client {
        self.database.cluster.connect(&self.role, &self.database.name)
    }

    /// Asserts that nothing of it ran as a superuser.
    fn assert_harmless(&self, what: &str) {
        let query = "SELECT rolcreaterole FROM pg_roles WHERE rolname = $1";
        let is_creator: bool = self.database.superuser().query_one(query, &[&self.role]).unwrap().get(0);
        assert!(!is_creator, "{what}: the role has got CREATEROLE");
        assert!(!self.file.exists(), "{what}: a file was written as {:?}", fs::read_to_string(&self.file));
    }
}

/// What fails must fail for a reason that is told, and not end the session.
fn may_fail(client: &mut Client, statement: &str) -> Option<String> {
    let error = client.batch_execute(statement).err()?;
    assert!(!error.is_closed(), "{statement}: {error:?}");
    let text = whole_error(&error);
    assert_ne!(sqlstate(&error), "XX000", "{statement}: {text}");
    for internal in ["backtrace", "src/", "pgrx", "panicked", "rust_"] {
        assert!(!text.contains(internal), "{statement}: {text}");
    }
    let severity = error.as_db_error().and_then(postgres::error::DbError::parsed_severity);
    assert_eq!(severity, Some(Severity::Error), "{statement}: {text}");
    Some(text)
}

#[test]
fn the_planner_meets_an_index_of_a_temporary_table() {
    let planted = Planted::new("temporary_table");
    let mut evil = planted.evil();
    evil.batch_execute(&planted.functions("pg_temp")).unwrap();
    evil.batch_execute(
        "CREATE TEMP TABLE tp (team_id bigint NOT NULL, id int PRIMARY KEY);
         CREATE TEMP TABLE tf (team_id bigint NOT NULL, id int REFERENCES tp);
         CREATE INDEX ON tf ((pg_temp.imm(1)))",
    )
    .unwrap();
    let register = "INSERT INTO cordon.protected_table SELECT ('pg_temp.' || t)::regclass, 'team_id' FROM unnest('{tp,tf}'::text[]) t";
    assert_refused(evil.batch_execute(register), "42809", &[]);
    // Should a row be there all the same, as of before, no reader believes it.
    let mut dba = planted.database.superuser();
    dba.batch_execute("ALTER TABLE cordon.protected_table DISABLE TRIGGER check_registration").unwrap();
    evil.batch_execute(register).unwrap();
    dba.batch_execute("ALTER TABLE cordon.protected_table ENABLE ALWAYS TRIGGER check_registration").unwrap();
    for statement in [
        "SELECT * FROM cordon.foreign_keys()",
        "SELECT * FROM cordon.audit()",
        &format!("SELECT * FROM cordon.prove('{}', '7', '8')", planted.role),
    ] {
        dba.batch_execute(statement).unwrap();
    }
    planted.assert_harmless("a temporary table");
}

#[test]
fn a_foreign_key_is_counted_by_a_cast_of_the_owners() {
    let planted = Planted::new("foreign_key_cast");
    let mut evil = planted.evil();
    evil.batch_execute(
        "CREATE TABLE parent (team_id bigint NOT NULL, id int PRIMARY KEY);
         CREATE TYPE own AS (i int);
         CREATE FUNCTION to_int(own) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.pwn(); RETURN 1; END $$;
         CREATE CAST (own AS int) WITH FUNCTION to_int(own) AS IMPLICIT;
         CREATE TABLE child (team_id bigint NOT NULL, id own REFERENCES parent);
         INSERT INTO parent VALUES (7, 1);
         INSERT INTO child VALUES (8, ROW(1));
         CREATE INDEX ON child ((public.imm(1)));
         CREATE INDEX ON parent ((public.imm(1)));
         ALTER TABLE parent ADD CHECK (public.imm(1) = 1) NOT VALID;
         SELECT cordon.protect(t) FROM unnest('{parent,child}'::regclass[]) t",
    )
    .unwrap();
    let mut dba = planted.database.superuser();
    let crossing: Option<i64> = dba.query_one("SELECT crossing_rows FROM cordon.foreign_keys()", &[]).unwrap().get(0);
    assert_eq!(crossing, Some(1), "counted all the same");
    dba.batch_execute("SELECT * FROM cordon.audit()").unwrap();
    planted.assert_harmless("a foreign key");
}

#[test]
fn a_view_is_registered_as_a_table() {
    let planted = Planted::new("view_as_table");
    let mut evil = planted.evil();
    evil.batch_execute("CREATE VIEW v AS SELECT 8::bigint team_id, 1::oid tableoid, public.pwn()::text ctid").unwrap();
    let register = "INSERT INTO cordon.protected_table VALUES ('v', 'team_id')";
    assert_refused(evil.batch_execute(register), "42809", &[]);
    let mut dba = planted.database.superuser();
    dba.batch_execute("ALTER TABLE cordon.protected_table DISABLE TRIGGER check_registration").unwrap();
    evil.batch_execute(register).unwrap();
    dba.batch_execute("ALTER TABLE cordon.protected_table ENABLE ALWAYS TRIGGER check_registration").unwrap();
    dba.batch_execute(&format!("SELECT * FROM cordon.prove('{}', '7', '8')", planted.role)).unwrap();
    planted.assert_harmless("a view");
}

#[test]
fn what_attacks_for_the_proof_belongs_to_nobody_who_could_change_it() {
    let planted = Planted::new("attack_function");
    let role = &planted.role;
    // The default runs as whoever inserts; it looks for a function to take over, and for the role to become.
    planted
        .evil()
        .batch_execute(
            "CREATE FUNCTION take_over() RETURNS text LANGUAGE plpgsql AS $$
             BEGIN
                 BEGIN ALTER FUNCTION pg_temp.cordon_attack(text) SECURITY INVOKER; EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN RESET SESSION AUTHORIZATION; EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN CREATE TEMP TABLE left_behind (); EXCEPTION WHEN OTHERS THEN NULL; END;
                 PERFORM public.pwn();
                 RETURN 'x';
             END $$;
             CREATE DOMAIN checked AS text CHECK (public.pwn() = 1);
             CREATE TABLE t (team_id bigint NOT NULL, a text DEFAULT take_over(), b checked, PRIMARY KEY (team_id));
             CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM take_over(); RETURN NEW; END $$;
             CREATE TRIGGER before BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION fires();
             CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION fires();
             ALTER TABLE t ENABLE ALWAYS TRIGGER before;
             INSERT INTO t VALUES (7), (8);",
        )
        .unwrap();
    planted
        .evil()
        .batch_execute(&format!(
            "CREATE POLICY own ON t USING (public.pwn() = 1);
             CREATE VIEW v AS SELECT *, public.pwn() FROM t;
             SELECT cordon.protect('t');
             GRANT ALL ON t, v TO {role}"
        ))
        .unwrap();
    let mut dba = planted.database.superuser();
    dba.batch_execute("CREATE ROLE app_of_attack LOGIN; GRANT USAGE ON SCHEMA public TO app_of_attack").unwrap();
    planted.evil().batch_execute("GRANT ALL ON t, v TO app_of_attack").unwrap();
    for app in [role.as_str(), "app_of_attack"] {
        for _ in 0..2 {
            dba.batch_execute(&format!("SELECT * FROM cordon.prove('{app}', '7', '8')")).unwrap();
            planted.assert_harmless("the proof");
        }
    }
    let left: i64 = dba.query_one("SELECT count(*) FROM pg_class WHERE relname = 'left_behind'", &[]).unwrap().get(0);
    assert_eq!(left, 0);
    let replica: String = dba.query_one("SHOW session_replication_role", &[]).unwrap().get(0);
    assert_eq!(replica, "origin");
    assert_refused(dba.batch_execute("SELECT * FROM cordon.prove('postgres', '7', '8')"), "22023", &[]);
}

/// A table with sealed columns, and everything of the owner's that PostgreSQL runs when somebody reads, changes or redefines
/// it.
fn hostile_table(planted: &Planted, name: &str) {
    let mut evil = planted.evil();
    evil.batch_execute(&format!(
        "SET app.team_id = '7';
         CREATE TABLE {name} (team_id bigint NOT NULL, id int, token encrypted_text, mail encrypted_text_eq,
             note shared_encrypted_text, list encrypted_text[], plain text, n int,
             made int GENERATED ALWAYS AS (public.imm(n)) STORED);
         INSERT INTO {name} SELECT 7, i, 't' || i, 'm' || i, 'n' || i, ARRAY['l']::text[]::encrypted_text[], 'p' || i, 1
             FROM generate_series(1, 50) i;
         ALTER TABLE {name} ADD PRIMARY KEY (team_id, id);
         CREATE INDEX ON {name} ((public.imm(n)));
         CREATE INDEX ON {name} (id) WHERE public.imm(n) = 1;
         CREATE UNIQUE INDEX ON {name} (mail, (public.imm(n)));
         ALTER TABLE {name} ADD CONSTRAINT planted CHECK (public.imm(1) = 1);
         ALTER TABLE {name} ALTER COLUMN n SET DEFAULT public.pwn();
         CREATE STATISTICS {name}_statistics ON (public.imm(n)), id FROM {name};
         CREATE OR REPLACE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.pwn(); RETURN NEW; END $$;
         CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION fires();
         CREATE TRIGGER after AFTER INSERT OR UPDATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION fires();
         ALTER TABLE {name} ENABLE ALWAYS TRIGGER before;
         ALTER TABLE {name} ENABLE REPLICA TRIGGER after;
         CREATE POLICY own ON {name} USING (public.pwn() = 1);
         SELECT cordon.protect('{name}');
         ANALYZE {name}"
    ))
    .unwrap();
}

#[test]
fn maintenance_by_a_superuser_runs_what_an_owner_planted_as_the_owner() {
    let planted = Planted::new("maintenance");
    let cluster = planted.database.cluster;
    hostile_table(&planted, "t");
    let mut dba = planted.database.superuser();
    for statement in [
        "SELECT * FROM cordon.key_usage('t', 'token')",
        "SELECT * FROM cordon.verify_column('t', 'mail')",
        "SELECT * FROM cordon.verify_column('t', 'list')",
        "SELECT cordon.rotate_key('encryption')",
        "SELECT * FROM cordon.audit()",
        "CALL cordon.reencrypt('t', 'token')",
        "CALL cordon.reencrypt('t', 'mail')",
        "CALL cordon.reencrypt('t', 'note')",
        "CALL cordon.reencrypt('t', 'list')",
        "CALL cordon.encrypt_column('t', 'plain')",
        "SELECT * FROM cordon.conversion_problems('t', 'plain', true)",
        "CALL cordon.finish_conversion('t', 'plain')",
        "CALL cordon.decrypt_column('t', 'token')",
        "CALL cordon.cancel_conversion('t', 'token')",
        "SELECT cordon.unprotect('t')",
        "SELECT cordon.protect('t')",
        "SELECT cordon.protect_schema('public')",
        "SELECT * FROM cordon.foreign_keys()",
    ] {
        dba.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {}", whole_error(&error)));
        planted.assert_harmless(statement);
    }
    // All of it was done, all the same.
    let unread: i64 = dba.query_one("SELECT count(*) FROM cordon.verify_column('t', 'plain')", &[]).unwrap().get(0);
    let sealed: String = dba.query_one("SELECT pg_typeof(plain)::text FROM t LIMIT 1", &[]).unwrap().get(0);
    assert_eq!((unread, sealed.as_str()), (0, "encrypted_text"));
    for column in ["token", "mail", "note", "list"] {
        let query = "SELECT count(*) FROM cordon.key_usage('t', $1::text::name) WHERE status <> 'primary'";
        assert_eq!(dba.query_one(query, &[&column]).unwrap().get::<_, i64>(0), 0, "{column}");
    }
    let old = "SELECT cordon.disable_key(id) FROM cordon.keyring WHERE purpose = 'encryption' AND status = 'enabled'";
    may_fail(&mut dba, old);
    planted.assert_harmless("disable_key");
    let _ = cluster;
}

#[test]
fn a_superuser_gives_tables_of_a_hostile_owner_their_tenant() {
    let planted = Planted::new("tenant_column");
    let mut evil = planted.evil();
    evil.batch_execute(
        "CREATE TYPE own AS (i int);
         CREATE FUNCTION to_int(own) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.pwn(); RETURN ($1).i; END $$;
         CREATE CAST (own AS int) WITH FUNCTION to_int(own) AS IMPLICIT;
         CREATE FUNCTION to_json(own) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.pwn(); RETURN '1'; END $$;
         CREATE CAST (own AS json) WITH FUNCTION to_json(own);
         CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.pwn(); RETURN NEW; END $$;
         CREATE DOMAIN checked AS bigint CHECK (VALUE > 0);
         CREATE TABLE site (team_id checked NOT NULL, id int PRIMARY KEY, code uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(), n int);
         INSERT INTO site (team_id, id) VALUES (7, 1), (8, 2);
         CREATE TABLE ping (name own PRIMARY KEY, site_id int REFERENCES site, n int,
             made int GENERATED ALWAYS AS (public.imm(n)) STORED, CHECK (public.imm(1) = 1));
         INSERT INTO ping VALUES (ROW(1), 1, 1), (ROW(2), 2, 1);
         CREATE TABLE by_cast (site_id own REFERENCES site);
         CREATE INDEX ON ping ((public.imm(n))); CREATE INDEX ON site ((public.imm(n))); CREATE INDEX ON ping (site_id) WHERE public.imm(n) = 1;
         CREATE STATISTICS ping_statistics ON (public.imm(n)), site_id FROM ping;
         CREATE TRIGGER before BEFORE INSERT OR UPDATE ON ping FOR EACH ROW EXECUTE FUNCTION fires();
         ALTER TABLE ping ENABLE ALWAYS TRIGGER before;
         CREATE POLICY own ON site USING (public.pwn() = 1); CREATE POLICY own ON ping USING (public.pwn() = 1);
         SELECT cordon.protect('site');
         ANALYZE ping; ANALYZE site",
    )
    .unwrap();
    let mut dba = planted.database.superuser();
    let mut call = |statements: &[&str]| {
        for statement in statements {
            dba.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {}", whole_error(&error)));
            planted.assert_harmless(statement);
        }
    };
    call(&[
        "CALL cordon.add_tenant_column('ping', 'site_id', dry_run => true)",
        "CALL cordon.add_tenant_column('ping', 'site_id')",
        "SELECT * FROM cordon.tenant_problems('ping', 'team_id')",
        "SELECT cordon.resolver('site', 'code')",
        "SELECT * FROM cordon.validate_foreign_key('ping', 'ping_site_id_fkey')",
    ]);
    evil.batch_execute(
        "CREATE UNIQUE INDEX ON site (team_id, id); CREATE INDEX ON ping (team_id, site_id);
         ALTER TABLE ping DROP CONSTRAINT ping_site_id_fkey; ALTER TABLE ping DISABLE TRIGGER zzz_cordon_fill_tenant;
         INSERT INTO ping (name, site_id, n) VALUES (ROW(3), 99, 1);
         ALTER TABLE ping ENABLE ALWAYS TRIGGER zzz_cordon_fill_tenant;
         ALTER TABLE ping ADD CONSTRAINT again FOREIGN KEY (site_id) REFERENCES site NOT VALID",
    )
    .unwrap_or_else(|error| panic!("{}", whole_error(&error)));
    call(&["SELECT * FROM cordon.validate_foreign_key('ping', 'again')"]);
    evil.batch_execute("DELETE FROM ping WHERE site_id = 99").unwrap();
    call(&[
        "SELECT * FROM cordon.validate_foreign_key('ping', 'again')",
        "CALL cordon.add_tenant_column('ping', 'again', finish => true)",
        "SELECT site_tenant_by_code(gen_random_uuid())",
        "SELECT * FROM cordon.audit()",
        "SELECT * FROM cordon.foreign_keys()",
    ]);
    // A key that PostgreSQL checks by a cast of the owner's is none that a tenant is taken through.
    may_fail(&mut dba, "CALL cordon.add_tenant_column('by_cast', 'site_id')").expect("a refusal");
    planted.assert_harmless("a key by a cast");
}

#[test]
fn no_switch_that_weakens_a_session_is_on_while_foreign_code_runs() {
    let planted = Planted::new("switches");
    let mut evil = planted.evil();
    // What a cast, a check and a generated column of the owner's see, and what they may do then.
    evil.batch_execute(
        "CREATE TABLE seen (role name, replication text, row_security text, is_other boolean);
         CREATE FUNCTION look() RETURNS int LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO public.seen VALUES (current_user, current_setting('session_replication_role'), current_setting('row_security'),
                 (SELECT count(*) > 0 FROM cordon.protected_table WHERE relation::text = 'public.victim'));
             DELETE FROM cordon.protected_table WHERE relation::text = 'public.victim';
             RETURN 1;
         END $$;
         CREATE FUNCTION stable_look(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.look(); END $$;
         SET app.team_id = '7';
         CREATE TABLE t (team_id bigint NOT NULL, token encrypted_text, n int, made int GENERATED ALWAYS AS (n + 1) STORED);
         INSERT INTO t VALUES (7, 'x', 1);
         ALTER TABLE t ADD CHECK (public.stable_look(n) = 1);
         TRUNCATE seen;",
    )
    .unwrap();
    let mut dba = planted.database.superuser();
    dba.batch_execute("CREATE TABLE victim (team_id bigint NOT NULL); SELECT cordon.protect('victim')").unwrap();
    dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    // The registration is another owner's: what the check does is refused, and the rewrite with it.
    let outcome = dba.batch_execute("CALL cordon.reencrypt('t', 'token', tenant_column => 'team_id')");
    assert_refused(outcome, "42501", &[]);
    evil.batch_execute("CREATE OR REPLACE FUNCTION look() RETURNS int LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO public.seen VALUES (current_user, current_setting('session_replication_role'), current_setting('row_security'));
             RETURN 1;
         END $$").unwrap();
    dba.batch_execute("CALL cordon.reencrypt('t', 'token', tenant_column => 'team_id')").unwrap();
    let rows = dba.query("SELECT role::text, replication, row_security FROM seen", &[]).unwrap();
    assert!(!rows.is_empty(), "the check has run");
    for row in rows {
        assert_eq!(row.get::<_, &str>(0), planted.role);
        assert_eq!(row.get::<_, &str>(1), "origin");
        assert_eq!(row.get::<_, &str>(2), "on");
    }
    let left: i64 = dba
        .query_one("SELECT count(*) FROM cordon.protected_table WHERE relation = 'victim'::regclass", &[])
        .unwrap()
        .get(0);
    assert_eq!(left, 1, "the registration of another owner's table");
}

/// The functions and procedures of the extension that SQL may call, with the types of their arguments, and whether PUBLIC may.
fn callable(dba: &mut Client) -> Vec<(String, char, Vec<String>, bool)> {
    let query = "SELECT p.oid::regproc::text, p.prokind, array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t), ','),
                        has_function_privilege('public', p.oid, 'EXECUTE')
                 FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                 JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_cordon'
                 WHERE p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
                     AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[]) AND NOT 'cstring'::regtype = ANY (p.proargtypes::oid[])
                 ORDER BY 1, 3";
    let rows = dba.query(query, &[]).unwrap();
    let callable: Vec<_> = rows
        .iter()
        .map(|row| {
            let kind: i8 = row.get(1);
            let arguments: String = row.get(2);
            let arguments = arguments.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            (row.get(0), char::from(u8::try_from(kind).unwrap()), arguments, row.get(3))
        })
        .collect();
    assert!(callable.len() > 100, "the query misses most of them");
    callable
}

/// Values for an argument of that type: sensible ones first, then nonsense.
fn values(type_name: &str, table: &str) -> Vec<String> {
    let of = |values: &[&str]| values.iter().map(|value| format!("{value}::{type_name}")).collect();
    match type_name {
        "regclass" => vec![
            format!("'{table}'::regclass"),
            "0::regclass".into(),
            "'pg_class'::regclass".into(),
            "4294967295::oid::regclass".into(),
            "'cordon.token'::regclass".into(),
        ],
        "oid" => vec![
            format!("'{table}'::regclass::oid"),
            "0::oid".into(),
            "4294967295::oid".into(),
            "23::oid".into(),
            "'pg_class'::regclass::oid".into(),
        ],
        "name" => of(&["'token'", "'mail'", "'plain'", "'absent'", "''", "'\"'"]),
        "text" => of(&["'token'", "'SELECT public.pwn()'", "''", "'encryption'", "'7'", "E'\\x01'"]),
        "text[]" => of(&["'{token}'", "'{}'", "'{NULL}'", "'{{a,b},{c,d}}'"]),
        "name[]" => of(&["'{token}'", "'{}'", "'{NULL}'"]),
        "oid[]" => vec![format!("ARRAY['{table}'::regclass]::oid[]"), "'{}'::oid[]".into(), "'{0}'::oid[]".into()],
        "boolean" => of(&["true", "false"]),
        "integer" | "bigint" | "smallint" => of(&["1", "0", "-1", "7", "32767"]),
        "integer[]" => of(&["'{1,2,3,4,5,6,7,8}'", "'{}'", "'{NULL}'"]),
        "interval" => of(&["'0'", "'-1 day'", "'1 second'"]),
        "jsonb" => of(&["'{}'", "'[]'", "'null'"]),
        "bytea" => of(&["'\\x00'", "''"]),
        "pg_node_tree" => vec!["(SELECT adbin FROM pg_attrdef LIMIT 1)".into()],
        "token_hash" => vec!["cordon.hash_token('x')".into()],
        "token_hash[]" => vec!["cordon.token_hashes('x')".into()],
        "cordon.sealed_statistic" => Vec::new(),
        name if name.ends_with("[]") => of(&["ARRAY['x']::text[]"]),
        name if name.contains("encrypted_text") => of(&["'x'::text", "''::text"]),
        _ => of(&["''"]),
    }
}

/// Calls of a function: with each of the values at each place, and NULL, the others at their first.
fn calls(name: &str, kind: char, arguments: &[String], table: &str) -> Vec<String> {
    let all: Vec<Vec<String>> = arguments.iter().map(|argument| values(argument, table)).collect();
    let null = |at: usize| format!("NULL::{}", arguments[at]);
    let first: Vec<String> =
        all.iter().enumerate().map(|(at, values)| values.first().cloned().unwrap_or_else(|| null(at))).collect();
    let mut calls = vec![first.clone(), (0..arguments.len()).map(null).collect()];
    for (at, values) in all.iter().enumerate() {
        for value in values.iter().skip(1).cloned().chain([null(at)]) {
            let mut call = first.clone();
            call[at] = value;
            calls.push(call);
        }
    }
    let statement = if kind == 'p' { "CALL " } else { "SELECT * FROM " };
    calls.into_iter().map(|call| format!("{statement}{name}({})", call.join(", "))).collect()
}

#[test]
fn a_superuser_calls_every_function_on_the_table_of_a_hostile_owner() {
    // Keys are made and disabled here, so the server is its own.
    let cluster = Cluster::start(&Settings::default());
    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
    let database = cluster.database("d");
    let role = "evil".to_owned();
    let file = cluster.directory().join("evil.proof");
    let mut dba = database.superuser();
    dba.batch_execute("CREATE ROLE evil LOGIN; GRANT ALL ON SCHEMA public TO evil").unwrap();
    let planted = Planted { database, role, file };
    planted.evil().batch_execute(&planted.functions("public")).unwrap();
    hostile_table(&planted, "t");
    let mut called = 0;
    for (name, kind, arguments, _) in callable(&mut dba) {
        // By these a superuser says what runs as whom.
        if name.ends_with("act_as") {
            continue;
        }
        for call in calls(&name, kind, &arguments, "t") {
            let mut client = planted.database.superuser();
            client.batch_execute("SET app.team_id = '7'; SET statement_timeout = '20s'").unwrap();
            may_fail(&mut client, &call);
            planted.assert_harmless(&call);
            called += 1;
        }
    }
    assert!(called > 500, "{called} calls");
}

#[test]
fn an_ordinary_role_calls_every_function_with_nonsense() {
    let planted = Planted::new("nonsense");
    let mut dba = planted.database.superuser();
    hostile_table(&planted, "t");
    let mut client = planted.evil();
    let mut called = 0;
    for (name, kind, arguments, is_public) in callable(&mut dba) {
        if !is_public {
            continue;
        }
        for tenant in ["", "7"] {
            for call in calls(&name, kind, &arguments, "t") {
                client.batch_execute(&format!("SET app.team_id = '{tenant}'; SET statement_timeout = '20s'")).unwrap();
                if let Some(text) = may_fail(&mut client, &call) {
                    assert!(!text.contains("/keyring") && !text.contains("pg_cordon_keyring"), "{call}: {text}");
                }
                called += 1;
            }
        }
    }
    assert!(called > 500, "{called} calls");
    planted.assert_harmless("calls of an ordinary role");
}

#[test]
fn every_function_that_touches_a_users_relation_is_known() {
    let database = shared_cluster().database("function_bodies");
    let mut dba = database.superuser();
    // Dynamic SQL: where, and why it may run as whoever calls.
    const EXECUTES: &[&str] = &[
        "cordon_internal.run_with_lock", // CREATE TRIGGER, which evaluates nothing, by a role with the right to its function
        "cordon_internal.attack_table",  // a cast of two literals to one of four types of PostgreSQL's
        "cordon.enable_guard",           // event triggers, which are of no relation
        "cordon.disable_guard",
    ];
    let query = "SELECT p.oid::regproc::text, l.lanname::text, p.prosrc, p.prosecdef, p.prokind::text, coalesce(p.proconfig::text, ''),
                        p.prosqlbody IS NOT NULL
                 FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                 JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                 JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_cordon' ORDER BY 1";
    let rows = dba.query(query, &[]).unwrap();
    assert!(rows.len() > 150);
    for row in rows {
        let (name, language, body): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (is_procedure, settings) = (row.get::<_, String>(4) == "p", row.get::<_, String>(5));
        if language == "c" || row.get::<_, bool>(6) {
            continue;
        }
        let executes =
            body.lines().any(|line| line.trim_start().starts_with("EXECUTE ") || line.contains(" EXECUTE format"));
        assert_eq!(
            executes,
            EXECUTES.contains(&name.as_str()),
            "{name}: dynamic SQL goes through cordon_internal.as_owner"
        );
        // The audit looks who may set it, and the proof lets the role try.
        let looks = ["cordon_internal.audit_roles", "cordon_internal.attack_parameters"];
        let weakens = body.contains("session_replication_role") && !looks.contains(&name.as_str());
        assert!(!weakens, "{name} weakens the session");
        assert!(!body.contains("set_config('row_security', 'off'"), "{name} weakens the session");
        // Names mean what they mean to PostgreSQL, whoever calls.
        if settings.contains("search_path=") {
            continue;
        }
        assert!(is_procedure, "{name} has no search_path");
        let (declarations, code) = body.split_once("BEGIN").unwrap();
        assert!(
            !declarations.contains(":=") || !declarations.contains("SELECT") && !declarations.contains('('),
            "{name}: {declarations}"
        );
        let pinned = "set_config('search_path', 'pg_catalog, pg_temp', true)";
        let only_qualified = name == "cordon.cleanup_tokens";
        assert!(
            only_qualified
                || code.trim_start().starts_with("PERFORM pg_catalog.set_config('search_path'")
                || code.contains("LOOP\n        PERFORM pg_catalog.set_config('search_path'"),
            "{name} begins with other names"
        );
        for after in code.split("COMMIT;").skip(1) {
            let next = after.split(';').next().unwrap_or_default();
            assert!(
                only_qualified || next.contains(pinned) || next.contains("EXIT WHEN is_done"),
                "{name}: after COMMIT comes {next}"
            );
        }
    }
}

#[test]
fn what_was_planted_before_the_installation_is_used_by_nothing() {
    let cluster = shared_cluster();
    for statement in ["CREATE DATABASE early TEMPLATE template0", "CREATE ROLE early LOGIN"] {
        cluster.connect("postgres", "postgres").batch_execute(statement).unwrap();
    }
    let mut dba = cluster.connect("postgres", "early");
    dba.batch_execute("GRANT CREATE ON SCHEMA public TO early").unwrap();
    let mut early = cluster.connect("early", "early");
    early
        .batch_execute(
            r#"CREATE TABLE seen (role name);
            DO $plant$
            DECLARE
                types text[] := '{boolean,smallint,integer,bigint,numeric,real,"double precision",text,"character varying",name,oid,regclass,regprocedure,regproc,regtype,timestamptz,interval,"\"char\"",jsonb,text[],smallint[],integer[],oid[],name[],int2vector,oidvector,pg_node_tree,aclitem,tid,bytea}';
                l text; r text; o text; n int := 0;
            BEGIN
                FOREACH l IN ARRAY types LOOP FOREACH r IN ARRAY types LOOP
                    n := n + 1;
                    EXECUTE format('CREATE FUNCTION public.planted_%s(%s, %s) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN true; END $f$', n, l, r);
                    FOREACH o IN ARRAY '{=,<>,<,>,<=,>=,+,-,*,/,||,~,~*,!~,@>,<@,&&,->,->>,?}'::text[] LOOP
                        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.planted_%s)', o, l, r, n);
                    END LOOP;
                END LOOP; END LOOP;
                -- Functions by the names that the extension calls, for arguments that fit better.
                FOREACH o IN ARRAY '{round,now,make_interval,clock_timestamp,format,concat,greatest_of,pg_has_role,set_config,to_text}'::text[] LOOP
                    FOREACH l IN ARRAY types LOOP
                        EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN true; END $f$', o, l);
                    END LOOP;
                END LOOP;
            END $plant$"#,
        )
        .unwrap();
    // Types by our names, which are in the way: the installation fails, and uses none of them.
    early.batch_execute("CREATE TYPE public.encrypted_text AS (x int)").unwrap();
    assert_refused_plainly(dba.batch_execute("CREATE EXTENSION pg_cordon"), "42710");
    early.batch_execute("DROP TYPE public.encrypted_text; CREATE SCHEMA IF NOT EXISTS own; ").unwrap_or_default();
    early.batch_execute("DROP TYPE IF EXISTS public.encrypted_text").unwrap();
    dba.batch_execute("CREATE EXTENSION pg_cordon").unwrap();
    // The question itself must not use them.
    let mut asking = cluster.connect("postgres", "early");
    asking.batch_execute("SET search_path = pg_catalog").unwrap();
    let uses = asking
        .query(
            "SELECT DISTINCT pg_describe_object(m.classid, m.objid, 0), pg_describe_object(d.refclassid, d.refobjid, 0)
             FROM pg_depend m
             JOIN pg_extension e ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid AND e.extname = 'pg_cordon' AND m.deptype = 'e'
             JOIN pg_depend d ON (d.classid, d.objid) = (m.classid, m.objid)
                 OR d.classid = 'pg_rewrite'::regclass AND d.objid IN (SELECT r.oid FROM pg_rewrite r WHERE r.ev_class = m.objid AND m.classid = 'pg_class'::regclass)
                 OR d.classid = 'pg_policy'::regclass AND d.objid IN (SELECT p.oid FROM pg_policy p WHERE p.polrelid = m.objid AND m.classid = 'pg_class'::regclass)
                 OR d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT a.oid FROM pg_attrdef a WHERE a.adrelid = m.objid AND m.classid = 'pg_class'::regclass)
             WHERE d.refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass) AND d.refobjid >= 16384
                 AND NOT EXISTS (SELECT FROM pg_depend o WHERE (o.classid, o.objid) = (d.refclassid, d.refobjid) AND o.deptype = 'e')",
            &[],
        )
        .unwrap();
    let uses: Vec<(String, String)> = uses.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(uses.is_empty(), "{uses:#?}");
    // Nor when they run.
    dba.batch_execute(
        "CREATE TABLE t (team_id bigint NOT NULL, id int PRIMARY KEY, token encrypted_text, plain text);
         SELECT cordon.protect('t');
         SELECT * FROM cordon.keyring; SELECT * FROM cordon.reencrypt_progress; SELECT * FROM cordon.conversions;
         SELECT * FROM cordon.audit(); SELECT * FROM cordon.foreign_keys(); SELECT cordon.enable_guard();
         SELECT * FROM cordon.prove('early', '7', '8'); SELECT cordon.issue_token('p', 's', NULL);",
    )
    .unwrap();
    dba.batch_execute("CALL cordon.encrypt_column('t', 'plain', finish => true)").unwrap();
    dba.batch_execute("CALL cordon.reencrypt('t', 'token')").unwrap();
    dba.batch_execute("CALL cordon.cleanup_tokens()").unwrap();
    let seen: i64 = dba.query_one("SELECT count(*) FROM seen", &[]).unwrap().get(0);
    assert_eq!(seen, 0, "something planted has run");
}

fn assert_refused_plainly<T>(outcome: Result<T, postgres::Error>, expected: &str) {
    let Err(error) = outcome else { panic!("expected {expected}, but it succeeded") };
    assert_eq!(sqlstate(&error), expected, "{}", whole_error(&error));
}

#[test]
fn a_fix_of_the_audit_holds_no_statement_of_a_tables_name() {
    let planted = Planted::new("fix_names");
    let mut evil = planted.evil();
    evil.batch_execute(
        "CREATE TABLE \"p\nSELECT public.pwn(); --\" (id int PRIMARY KEY, team_id int NOT NULL);
         CREATE TABLE \"c\nSELECT public.pwn(); --\" (id int, team_id bigint NOT NULL,
             FOREIGN KEY (id) REFERENCES \"p\nSELECT public.pwn(); --\");
         CREATE TABLE \"d\nSELECT public.pwn(); --\" (\"secret\nSELECT public.pwn(); --\" text, team_id bigint, UNIQUE (\"secret\nSELECT public.pwn(); --\"));
         SELECT cordon.protect('\"p\nSELECT public.pwn(); --\"'); SELECT cordon.protect('\"c\nSELECT public.pwn(); --\"');",
    )
    .unwrap();
    let mut dba = planted.database.superuser();
    let fixes = dba.query("SELECT code, fix_sql FROM cordon.audit() WHERE fix_sql IS NOT NULL", &[]).unwrap();
    assert!(fixes.len() > 3);
    for fix in fixes {
        let (code, sql): (String, String) = (fix.get(0), fix.get(1));
        assert!(!sql.trim_start().starts_with("--"), "{code}: {sql}");
        // As psql's \gexec runs it: what it does is what it says, or it fails.
        let _ = dba.batch_execute(&format!("BEGIN; {sql}"));
        let _ = dba.batch_execute("ROLLBACK");
        planted.assert_harmless(&format!("{code}: {sql}"));
    }
}

/// A table whose rows of tenants 7 and 8 its owner sees only by tenant, and a view over it that others may use.
fn shared_view(planted: &Planted) -> Client {
    let mut dba = planted.database.superuser();
    dba.batch_execute(&format!("CREATE ROLE {0}_owner LOGIN; GRANT ALL ON SCHEMA public TO {0}_owner", planted.role))
        .unwrap();
    let owner = planted.database.cluster.connect(&format!("{}_owner", planted.role), &planted.database.name);
    let mut client = owner;
    client
        .batch_execute(
            "CREATE TABLE account (team_id bigint NOT NULL, id int PRIMARY KEY);
             INSERT INTO account VALUES (7, 101), (8, 101 + 1);
             SELECT cordon.protect('account');
             CREATE VIEW report AS SELECT * FROM account;
             CREATE FUNCTION total() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                 AS 'SELECT count(*) FROM public.account';
             GRANT SELECT, UPDATE ON report TO PUBLIC",
        )
        .unwrap();
    client
}

#[test]
fn row_security_of_others_is_not_lifted_for_the_owner_of_a_table() {
    let planted = Planted::new("lifted");
    let mut owner = shared_view(&planted);
    let mut evil = planted.evil();
    evil.batch_execute(
        "CREATE TABLE mine (team_id bigint NOT NULL, id int PRIMARY KEY, seen text);
         CREATE TABLE spied (seen bigint);
         CREATE FUNCTION spy(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
         BEGIN
             IF (SELECT count(*) FROM public.report) > 1 OR public.total() > 1 THEN RAISE WARNING 'spied'; END IF;
             RETURN 1;
         END $$;
         SET app.team_id = '7';
         CREATE TABLE child (team_id bigint NOT NULL, id int REFERENCES mine);
         CREATE INDEX ON child ((public.spy(1)));
         INSERT INTO mine VALUES (7, 1), (8, 2); INSERT INTO child VALUES (7, 1), (8, 1);
         SELECT cordon.protect(t) FROM unnest('{mine,child}'::regclass[]) t",
    )
    .unwrap();
    // By a statement of the attacker's own.
    for statement in [
        "SELECT cordon_internal.as_owner('mine'::regclass, 'SELECT count(*) FROM public.report')",
        "SELECT cordon_internal.as_owner('mine'::regclass, 'SELECT (SELECT count(*) FROM public.report) FROM public.mine LIMIT 1')",
        "SELECT cordon_internal.as_owner('mine'::regclass, 'WITH r AS (SELECT * FROM public.report) SELECT count(*) FROM r')",
        "SELECT cordon_internal.as_owner('mine'::regclass, 'UPDATE public.report SET id = 999 WHERE team_id = 8')",
        "SELECT cordon_internal.as_owner('mine'::regclass, 'INSERT INTO public.mine SELECT team_id, id FROM public.report')",
    ] {
        assert_refused(evil.batch_execute(statement), "42501", &[]);
    }
    for statement in
        ["SELECT 1; SELECT count(*) FROM public.report", "DECLARE c CURSOR FOR SELECT * FROM public.mine", ""]
    {
        let call = "SELECT cordon_internal.as_owner('mine'::regclass, $1)";
        assert!(evil.query(call, &[&statement]).is_err(), "{statement}");
    }
    // By functions, whose rights are not lent: each counts the tenant's one row.
    let total = "SELECT cordon_internal.as_owner('mine'::regclass, 'SELECT public.total()')";
    assert_eq!(evil.query_one(total, &[]).unwrap().get::<_, String>(0), "1");
    // By what the planner and the parser evaluate.
    let (sent, warnings) = std::sync::mpsc::channel();
    let mut config = postgres::Config::new();
    config
        .host_path(planted.database.cluster.directory())
        .user(&planted.role)
        .dbname(&planted.database.name)
        .notice_callback(move |notice| drop(sent.send(notice.message().to_owned())));
    let mut fresh = config.connect(postgres::NoTls).unwrap();
    fresh
        .batch_execute(
            "SET app.team_id = '7';
             CREATE DOMAIN spying AS text CHECK (public.spy(length(VALUE)) = 1); CREATE TYPE holder AS (a spying);
             SELECT * FROM cordon.foreign_keys();
             SELECT cordon_internal.as_owner('mine'::regclass, $$SELECT count(*) FROM public.mine WHERE '(x)'::public.holder IS NOT NULL$$);
             SELECT * FROM cordon.audit()",
        )
        .unwrap();
    let spied: Vec<_> = warnings.try_iter().filter(|message| message == "spied").collect();
    assert!(spied.is_empty(), "{} times", spied.len());
    // And what it is for: the owner's own tables are counted whole.
    let own = "SELECT cordon_internal.as_owner('mine'::regclass, 'SELECT count(*) FROM public.mine')";
    assert_eq!(fresh.query_one(own, &[]).unwrap().get::<_, String>(0), "2");
    let crossing = "SELECT crossing_rows FROM cordon.foreign_keys() WHERE from_table = 'child'::regclass";
    assert_eq!(fresh.query_one(crossing, &[]).unwrap().get::<_, Option<i64>>(0), Some(1));
    owner.batch_execute("SET app.team_id = '8'").unwrap();
    assert_eq!(owner.query_one("SELECT id FROM account", &[]).unwrap().get::<_, i32>(0), 102);
}

#[test]
fn what_one_owner_planted_does_not_run_with_the_rights_of_another() {
    let planted = Planted::new("mixed_owners");
    let (mut evil, mut dba) = (planted.evil(), planted.database.superuser());
    evil.batch_execute(
        "CREATE TABLE parent (team_id bigint NOT NULL, id int PRIMARY KEY); CREATE INDEX ON parent ((public.imm(1)));
         CREATE TABLE part (team_id bigint NOT NULL, id int NOT NULL, s text NOT NULL); INSERT INTO part VALUES (7, 1, 'a')",
    )
    .unwrap();
    dba.batch_execute(
        "CREATE TABLE dba_child (team_id bigint NOT NULL, pid int REFERENCES parent); SELECT cordon.protect('dba_child');
         CREATE TABLE whole (team_id bigint NOT NULL, id int NOT NULL, s text NOT NULL) PARTITION BY LIST (id);
         ALTER TABLE whole ATTACH PARTITION part DEFAULT",
    )
    .unwrap();
    evil.batch_execute(
        "CREATE INDEX ON part ((public.imm(1))); ALTER TABLE part ADD CONSTRAINT planted CHECK (public.imm(1) = 1)",
    )
    .unwrap();
    // The expressions are remembered by a session that has met them.
    let fresh = || planted.database.superuser();
    let row = fresh()
        .query_one("SELECT crossing_rows FROM cordon.foreign_keys() WHERE from_table = 'dba_child'::regclass", &[]);
    assert_eq!(row.unwrap().get::<_, Option<i64>>(0), None);
    planted.assert_harmless("foreign_keys");
    for statement in [
        &format!("SELECT * FROM cordon.prove('{}', '7', '8')", planted.role),
        "CALL cordon.encrypt_column('whole', 's', tenant_column => 'team_id')",
        "CALL cordon.finish_conversion('whole', 's')",
        "SELECT cordon.protect('whole')",
        "SELECT * FROM cordon.audit()",
        "SELECT cordon.unprotect('whole')",
    ] {
        may_fail(&mut fresh(), statement);
        planted.assert_harmless(statement);
    }
}

#[test]
fn entangled_and_deep_types_neither_crash_a_server_nor_hold_it_up() {
    let planted = Planted::new("deep_types");
    let mut evil = planted.evil();
    let entangled: String = (0..=40).map(|at| format!("CREATE TYPE pg_temp.t{at} AS (a int);")).collect();
    evil.batch_execute(&entangled).unwrap();
    for at in (1..=40).rev() {
        let below = at - 1;
        evil.batch_execute(&format!(
            "ALTER TYPE pg_temp.t{at} ADD ATTRIBUTE b pg_temp.t{below}, ADD ATTRIBUTE c pg_temp.t{below}"
        ))
        .unwrap();
    }
    // Each level doubled the time.
    evil.batch_execute("SET statement_timeout = '30s'; SELECT NULL::pg_temp.t40 IS NULL").unwrap();
    let chain: String = (0..=3000).map(|at| format!("CREATE TYPE c{at} AS (a int);")).collect();
    evil.batch_execute(&chain).unwrap();
    let links: String = (1..=3000).rev().map(|at| format!("ALTER TYPE c{at} ADD ATTRIBUTE b c{}[];", at - 1)).collect();
    evil.batch_execute(&links).unwrap();
    evil.batch_execute("SELECT NULL::c3000 IS NULL; CREATE TABLE of_them (team_id bigint, c c3000)").unwrap();
    evil.batch_execute("ALTER TYPE c0 ADD ATTRIBUTE s encrypted_text").unwrap_or_default();
    let mut dba = planted.database.superuser();
    dba.batch_execute(
        "SET statement_timeout = '60s'; SELECT * FROM cordon.sealed_columns(); SELECT * FROM cordon.audit();
         SELECT cordon.rotate_key('encryption'); SELECT * FROM cordon.audit()",
    )
    .unwrap();
}

#[test]
fn nobody_learns_whether_the_table_of_another_has_rows() {
    let planted = Planted::new("oracle");
    let mut dba = planted.database.superuser();
    dba.batch_execute("CREATE TABLE filled AS SELECT 1 AS a; CREATE TABLE empty (a int)").unwrap();
    let mut evil = planted.evil();
    let answers: Vec<String> = ["filled", "empty", "pg_catalog.pg_authid"]
        .iter()
        .map(|table| {
            let alter = format!("ALTER TABLE {table} ADD COLUMN x encrypted_text DEFAULT 'x'");
            sqlstate(&evil.batch_execute(&alter).unwrap_err())
        })
        .collect();
    assert_eq!(answers, ["42501", "42501", "42501"]);
}

#[test]
fn a_registration_whose_column_is_gone_is_an_error() {
    let planted = Planted::new("stale");
    let mut owner = shared_view(&planted);
    owner
        .batch_execute(
            "ALTER TABLE account RENAME COLUMN team_id TO org; ALTER TABLE account DISABLE ROW LEVEL SECURITY",
        )
        .unwrap();
    let mut dba = planted.database.superuser();
    let assert = format!("SELECT cordon.assert_isolated('{}')", planted.role);
    let error = dba.batch_execute(&assert).expect_err("the table stands open");
    assert!(whole_error(&error).contains("registration_stale"), "{}", whole_error(&error));
    // Progress that somebody made up stops nobody from reading that of others.
    owner
        .batch_execute(
            "INSERT INTO cordon.rewriting VALUES ('account', 'x', 'reencrypt', -1, '-infinity', 'infinity', NULL, -1, 0, 0, 0)",
        )
        .unwrap();
    dba.batch_execute("SELECT * FROM cordon.reencrypt_progress").unwrap();
}

/// Types in the DECLARE of a function are looked up before its first statement, by the caller's search path.
#[test]
fn a_type_of_somebody_elses_is_never_taken() {
    let planted = Planted::new("planted_types");
    let mut evil = planted.evil();
    let types = [
        "text",
        "name",
        "timestamptz",
        "regclass",
        "int8",
        "int4",
        "int2",
        "bool",
        "oid",
        "jsonb",
        "uuid",
        "bytea",
        "float8",
    ];
    let domains = |schema: &str| -> String {
        types
            .iter()
            .map(|name| format!("CREATE DOMAIN {schema}.{name} AS pg_catalog.{name} CHECK (public.pwn() = 1);"))
            .collect()
    };
    evil.batch_execute(&format!(
        "CREATE TABLE e (id pg_catalog.int8 PRIMARY KEY, team_id pg_catalog.int8 NOT NULL, s pg_catalog.text);
         INSERT INTO e VALUES (1, 7, 's'); {}",
        domains("public")
    ))
    .unwrap();
    let mut dba = planted.database.superuser();
    dba.batch_execute(&format!(
        "SET client_min_messages = error; SET search_path = public, pg_catalog; SET ROLE {}; {} RESET ROLE",
        planted.role,
        domains("pg_temp")
    ))
    .unwrap();
    for call in [
        "CALL cordon.encrypt_column('public.e', 's')",
        "CALL cordon.cancel_conversion('public.e', 's')",
        "CALL cordon.encrypt_column('public.e', 's')",
        "CALL cordon.finish_conversion('public.e', 's')",
        "CALL cordon.reencrypt('public.e', 's')",
        "CALL cordon.decrypt_column('public.e', 's', finish => true)",
        "CALL cordon.cleanup_tokens()",
        "CALL cordon_internal.run_with_lock('public.e', ARRAY['ANALYZE public.e'])",
    ] {
        may_fail(&mut dba, call);
        planted.assert_harmless(call);
    }
    // The conversion did take place.
    let kind: String = dba.query_one("SELECT pg_catalog.format_type(atttypid, NULL) FROM pg_catalog.pg_attribute WHERE attrelid = 'public.e'::pg_catalog.regclass AND attname = 's'", &[]).unwrap().get(0);
    assert!(kind.ends_with("text"), "{kind}");
    // What has no search path of its own names each type by its schema.
    let unqualified = "SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text, d[1]
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend x ON x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND x.objid = p.oid AND x.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON e.oid = x.refobjid AND e.extname = 'pg_cordon'
        CROSS JOIN LATERAL pg_catalog.regexp_matches(p.prosrc,
            '(?:^|[\\n;])\\s*((?:[a-z_]+) (?:CONSTANT )?(?!integer|boolean|bigint|interval|record|smallint|CONSTANT)[a-z0-9_]+(?:\\[\\])?)\\s*(?::=|;)', 'g') d
        WHERE p.prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'plpgsql')
            AND NOT coalesce(p.proconfig::pg_catalog.text, '') ~ 'search_path' AND d[1] ~ ' '";
    let found: Vec<String> = dba
        .query(unqualified, &[])
        .unwrap()
        .iter()
        .map(|row| format!("{}: {}", row.get::<_, &str>(0), row.get::<_, &str>(1)))
        .collect();
    assert_eq!(found, [""; 0]);
}

/// What the proof writes, an owner's triggers see.
#[test]
fn the_proof_shows_no_owner_the_rows_of_another() {
    let planted = Planted::new("proof_values");
    let mut dba = planted.database.superuser();
    let role = &planted.role;
    dba.batch_execute(&format!(
        "CREATE ROLE victim_of_proof LOGIN; GRANT ALL ON SCHEMA public TO victim_of_proof; SET ROLE victim_of_proof;
         CREATE TABLE acct (id bigint PRIMARY KEY, team_id bigint NOT NULL, apikey shared_encrypted_text_eq UNIQUE, tkey encrypted_text_eq UNIQUE);
         SELECT cordon.protect('acct'); SET app.team_id = '8';
         INSERT INTO acct VALUES (424242, 8, 'shared-of-8'::text::shared_encrypted_text_eq, 'secret-of-8'::text::encrypted_text_eq);
         SET app.team_id = '7';
         INSERT INTO acct VALUES (717171, 7, 'shared-of-7'::text::shared_encrypted_text_eq, 'secret-of-7'::text::encrypted_text_eq);
         RESET app.team_id; GRANT REFERENCES ON acct TO {role}; RESET ROLE"
    ))
    .unwrap();
    planted
        .evil()
        .batch_execute(
            "CREATE TABLE child (id bigint PRIMARY KEY DEFAULT 1, team_id bigint NOT NULL, ref bigint REFERENCES acct (id),
                 k shared_encrypted_text_eq NOT NULL REFERENCES acct (apikey), tk encrypted_text_eq NOT NULL REFERENCES acct (tkey));
             CREATE SEQUENCE leak; GRANT UPDATE, USAGE ON SEQUENCE leak TO PUBLIC;
             CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.ref IN (424242, 717171) OR NEW.k::text ~ 'of-' OR NEW.tk::text ~ 'of-' THEN PERFORM setval('public.leak', 4711); END IF;
                 ASSERT NEW.team_id <> 8; RETURN NEW; END $$;
             CREATE TRIGGER spy BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION spy();
             SELECT cordon.protect('child'); GRANT SELECT, INSERT, UPDATE, DELETE ON child TO app",
        )
        .unwrap();
    // An ASSERT that fails is one more error, and ends nothing.
    dba.query("SELECT * FROM cordon.prove('app', '7', '8')", &[]).unwrap();
    let leaked: i64 = dba.query_one("SELECT last_value FROM leak", &[]).unwrap().get(0);
    assert_eq!(leaked, 1);
}
