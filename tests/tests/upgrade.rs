//! Every released version upgrades to this one: what it left in a database is there, opens, holds, and goes on; and its
//! objects are those of a new installation. `releases/` keeps what each left behind; see docs/RELEASING.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cordon_tests::{Cluster, Database, Settings, source, sqlstate};
use postgres::Client;

/// Everything that belongs to the extension, one line for each object and property, without OIDs.
const OBJECTS: &str = "
    WITH member AS (
        SELECT d.classid, d.objid, (pg_identify_object(d.classid, d.objid, 0)).identity AS name
        FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
        WHERE d.deptype = 'e' AND e.extname = 'pg_cordon'
    ),
    relation AS (SELECT m.name, c.* FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid)
    SELECT concat_ws(' | ', pg_describe_object(classid, objid, 0), obj_description(objid, classid::regclass::name)) FROM member
    UNION ALL SELECT concat_ws(' | ', m.name, i.objsubid, i.initprivs)
        FROM member m JOIN pg_init_privs i ON i.classoid = m.classid AND i.objoid = m.objid
    UNION ALL SELECT concat_ws(' | ', m.name, p.prokind, p.proacl, pg_get_functiondef(p.oid))
        FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
    UNION ALL SELECT concat_ws(' | ', m.name, t.typtype, t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory,
            t.typispreferred, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typanalyze, t.typacl)
        FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
    UNION ALL SELECT concat_ws(' | ', m.name, o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin,
            o.oprcanmerge, o.oprcanhash)
        FROM member m JOIN pg_operator o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
    UNION ALL SELECT concat_ws(' | ', m.name, c.castfunc::regprocedure, c.castcontext, c.castmethod)
        FROM member m JOIN pg_cast c ON m.classid = 'pg_cast'::regclass AND c.oid = m.objid
    UNION ALL SELECT concat_ws(' | ', m.name, o.opcintype::regtype, o.opcdefault, o.opckeytype::regtype)
        FROM member m JOIN pg_opclass o ON m.classid = 'pg_opclass'::regclass AND o.oid = m.objid
    UNION ALL SELECT concat_ws(' | ', m.name, a.amopopr::regoperator, a.amopstrategy, a.amoppurpose)
        FROM member m JOIN pg_amop a ON m.classid = 'pg_opfamily'::regclass AND a.amopfamily = m.objid
    UNION ALL SELECT concat_ws(' | ', m.name, a.amproc, a.amprocnum, a.amproclefttype::regtype, a.amprocrighttype::regtype)
        FROM member m JOIN pg_amproc a ON m.classid = 'pg_opfamily'::regclass AND a.amprocfamily = m.objid
    UNION ALL SELECT concat_ws(' | ', r.name, r.relkind, r.relacl, r.reloptions, r.relrowsecurity, r.relforcerowsecurity,
            r.relpersistence, CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) END)
        FROM relation r
    UNION ALL SELECT concat_ws(' | ', r.name, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attacl,
            a.attstorage, pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum))
        FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    UNION ALL SELECT concat_ws(' | ', r.name, k.conname, k.convalidated, pg_get_constraintdef(k.oid))
        FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
    UNION ALL SELECT concat_ws(' | ', r.name, pg_get_indexdef(i.indexrelid)) FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    UNION ALL SELECT concat_ws(' | ', r.name, t.tgenabled, pg_get_triggerdef(t.oid))
        FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL SELECT concat_ws(' | ', r.name, p.polname, p.polcmd, p.polpermissive, p.polroles,
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL SELECT concat_ws(' | ', 'version', extversion, extconfig::regclass[], extcondition)
        FROM pg_extension WHERE extname = 'pg_cordon'";

fn objects(database: &Database<'_>) -> BTreeSet<String> {
    let mut dba = database.superuser();
    dba.batch_execute("SET search_path = pg_catalog").unwrap();
    let objects: BTreeSet<_> = dba.query(OBJECTS, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert!(objects.len() > 200, "the query misses most of them");
    objects
}

/// A release's directory, and its version.
fn releases() -> Vec<(PathBuf, String)> {
    let directory = source("../releases");
    let mut releases: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| (path.clone(), path.file_name().unwrap().to_str().unwrap().to_owned()))
        .collect();
    releases.sort();
    assert!(!releases.is_empty(), "no release to upgrade from");
    releases
}

fn pg_config(option: &str) -> PathBuf {
    let program = Path::new(&std::env::var("CORDON_PG_BIN").unwrap()).join("pg_config");
    let output = Command::new(program).arg(option).output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Puts a release's script where CREATE EXTENSION finds it.
fn install_script(release: &Path, version: &str) {
    let (released, installed) =
        (release.join("extension.sql"), pg_config("--sharedir").join(format!("extension/pg_cordon--{version}.sql")));
    if version != std::env::var("CARGO_PKG_VERSION").unwrap() {
        fs::copy(released, installed).unwrap();
        return;
    }
    // pgrx writes where the Rust functions are, and in no order of its own.
    let lines = |path: PathBuf| -> BTreeSet<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().filter(|line| !line.starts_with("-- src/")).map(str::to_owned).collect()
    };
    assert_eq!(lines(installed), lines(released), "a release is never changed: raise the version in Cargo.toml");
}

/// A server with a release's keyring.
fn cluster(release: &Path) -> Cluster {
    let cluster = Cluster::start(&Settings { keyring: false, ..Settings::default() });
    let install = cluster
        .server_command("install")
        .args(["-m", "0600", "/dev/stdin"])
        .arg(cluster.keyring())
        .stdin(fs::File::open(release.join("keyring.json")).unwrap())
        .status();
    assert!(install.unwrap().success());
    cluster.restart();
    cluster
}

/// A new database in which a release's dump is restored, by the version of the extension that `create` makes.
fn restored<'a>(cluster: &'a Cluster, name: &str, create: &str, release: &Path) -> Database<'a> {
    let database = cluster.database(name);
    database.superuser().batch_execute(&format!("DROP EXTENSION pg_cordon; {create}")).unwrap();
    let dump = release.join("data.sql");
    let _ = database.run("postgres", "", "psql", &["-X", "--set=ON_ERROR_STOP=1", "--file", dump.to_str().unwrap()]);
    database
}

fn text(client: &mut Client, query: &str) -> String {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
}

/// What releases/fill.sql put there can be read, is kept apart, and can be written.
fn assert_works(database: &Database<'_>) {
    let mut seven = database.tenant("7");
    for (query, expected) in [
        ("SELECT count(*)::text FROM account", "20"),
        ("SELECT token::text FROM account WHERE email = 'mail3'", "token 3 of 7"),
        ("SELECT note::text FROM account WHERE id = 4 AND country = 'CH'", "note 4"),
        ("SELECT tags[1]::text FROM account WHERE id = 1", "tag"),
        ("SELECT string_agg(plain, ', ' ORDER BY id) FROM own_view", "own, of the second key"),
        ("SELECT string_agg(DISTINCT shared::text, ', ') FROM own", "by default"),
        ("SELECT name FROM api_key WHERE hash = cordon.hash_token('tok_of_the_release')", "released"),
    ] {
        assert_eq!(text(&mut seven, query), expected, "{query}");
    }
    seven.execute("UPDATE account SET token = token::text, email = email::text WHERE id = 5", &[]).unwrap();
    let another = seven.execute("INSERT INTO account (team_id, id) VALUES (8, 100)", &[]).unwrap_err();
    assert_eq!(sqlstate(&another), "42501");
    assert_eq!(sqlstate(&database.app().query("SELECT * FROM document", &[]).unwrap_err()), "42501");
    let mut organisation = database.tenant("00000000-0000-4000-8000-000000000007");
    assert_eq!(text(&mut organisation, "SELECT body::text FROM document"), "body");
    // The conversion goes on: both columns are written.
    seven.execute("UPDATE integration SET secret = 'changed' WHERE id = 2", &[]).unwrap();
    assert_eq!(text(&mut seven, "SELECT secret_sealed::text FROM integration WHERE id = 2"), "changed");

    let mut dba = database.superuser();
    let subject = "SELECT cordon.check_token('api', cordon.decrypt(token, '7')) FROM issued";
    dba.batch_execute("SET app.team_id = ''").unwrap();
    assert_eq!(text(&mut dba, subject), "user 42");
    assert_eq!(text(&mut dba, "SELECT count(*)::text FROM cordon.protected_table"), "4");
    let altered = "SELECT count(*)::text FROM cordon.audit() WHERE code IN ('policy_altered', 'guard_not_enabled')";
    assert_eq!(text(&mut dba, altered), "0");
    // The guard refuses it.
    let unprotected = dba.batch_execute("SET cordon.guard = error; ALTER TABLE account NO FORCE ROW LEVEL SECURITY");
    assert_eq!(sqlstate(&unprotected.unwrap_err()), "42501");
}

/// Every value opens.
fn assert_opens(database: &Database<'_>) {
    let mut dba = database.superuser();
    for column in ["email", "token", "note", "country", "tags"] {
        let failing = format!("SELECT count(*)::text FROM cordon.verify_column('account', '{column}')");
        assert_eq!(text(&mut dba, &failing), "0");
    }
}

/// What maintains tables in the old SQL, and is not to be used any more, says what to do.
fn assert_maintenance_waits(database: &Database<'_>) {
    let outcome = database.superuser().query("SELECT * FROM cordon.verify_column('account', 'token')", &[]);
    let error = outcome.expect_err("maintenance by the old SQL");
    assert_eq!(sqlstate(&error), "0A000");
    assert!(cordon_tests::whole_error(&error).contains("ALTER EXTENSION pg_cordon UPDATE"));
}

/// What operators do next: keys are rotated, values sealed anew, the conversion ended.
fn assert_goes_on(database: &Database<'_>) {
    let mut dba = database.superuser();
    for statement in [
        "SELECT cordon.rotate_key('encryption')",
        "CALL cordon.reencrypt('account', 'token')",
        "CALL cordon.finish_conversion('integration', 'secret')",
        "SELECT cordon.disable_guard()",
        "SELECT cordon.unprotect('account')",
        "SELECT cordon.protect('account')",
        "SELECT cordon.audit()",
    ] {
        dba.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    assert_eq!(text(&mut dba, "SELECT status FROM cordon.key_usage('account', 'token')"), "primary");
    assert_eq!(text(&mut database.tenant("7"), "SELECT secret::text FROM integration WHERE id = 1"), "plain 1");
}

#[test]
fn every_release_upgrades_to_what_a_new_installation_is() {
    for (release, version) in releases() {
        install_script(&release, &version);
        let cluster = cluster(&release);
        let new = cluster.database("new");
        let create = format!("CREATE EXTENSION pg_cordon VERSION '{version}'");
        let database = restored(&cluster, "upgraded", &create, &release);
        // The package is new and the database is not yet: for as long as nobody runs ALTER EXTENSION.
        assert_works(&database);
        assert_maintenance_waits(&database);
        database.superuser().batch_execute("ALTER EXTENSION pg_cordon UPDATE").unwrap();
        assert_works(&database);
        assert_opens(&database);
        let (old, new) = (objects(&database), objects(&new));
        let differences: Vec<_> = old.symmetric_difference(&new).collect();
        assert!(differences.is_empty(), "upgraded from {version}, these are missing or too many: {differences:#?}");
        assert_goes_on(&database);
    }
}

#[test]
fn a_dump_of_every_release_is_restored_under_this_one() {
    for (release, _) in releases() {
        let cluster = cluster(&release);
        let database = restored(&cluster, "restored", "", &release);
        assert_works(&database);
        assert_opens(&database);
        assert_goes_on(&database);
    }
}

/// What a DBA is told when trying the update: everything that an earlier version accepted, and nothing of what it left in order.
#[test]
fn what_an_earlier_version_accepted_is_named_before_the_update_is_kept() {
    let (release, version) =
        releases().into_iter().find(|(_, version)| version == "0.2.0").expect("the version that accepted them");
    install_script(&release, &version);
    let cluster = cluster(&release);
    let create = format!("CREATE EXTENSION pg_cordon VERSION '{version}'");
    let database = restored(&cluster, "upgraded", &create, &release);
    let mut dba = database.superuser();
    // As they were: what the library refuses now, it takes from dumps.
    dba.batch_execute(
        "CREATE ROLE loader; ALTER ROLE loader SET cordon.text_form = stored;
         CREATE TABLE old (team_id bigint NOT NULL, secret encrypted_text, mail encrypted_text_eq);
         INSERT INTO old VALUES (7, cordon.encrypt('x', '7'), cordon.encrypt_eq('x', '7'))",
    )
    .unwrap();
    dba.batch_execute("SET cordon.text_form = restore").unwrap();
    let constant = text(&mut dba, "SELECT mail::text FROM old");
    dba.batch_execute(&format!(
        "DELETE FROM old;
         ALTER TABLE old ALTER mail SET DEFAULT '{constant}';
         ALTER TABLE old ADD CONSTRAINT not_that CHECK (mail <> '{constant}'), ADD CONSTRAINT nor_this CHECK (mail <> 'x'::text::encrypted_text_eq);
         CREATE DOMAIN odd AS encrypted_text_eq CONSTRAINT odd_check CHECK (VALUE <> '{constant}');
         CREATE POLICY one ON old USING (mail = '{constant}');
         CREATE INDEX odd_index ON old (team_id) WHERE mail = '{constant}';
         CREATE VIEW shouting AS SELECT secret || '!' AS loud FROM old;
         CREATE STATISTICS plain_statistics ON (secret::text), team_id FROM old;
         CREATE FUNCTION reseals(encrypted_text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text' ;
         CREATE FUNCTION removed() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM cordon.count_keys(1, ''secret'', true); END';
         CREATE TABLE by_list (team_id bigint, mail encrypted_text_eq) PARTITION BY LIST (mail);
         CREATE TEMP TABLE of_a_session (team_id bigint);
         ALTER TABLE cordon.protected_table DISABLE TRIGGER ALL;
         INSERT INTO cordon.protected_table VALUES ('of_a_session', 'team_id');
         ALTER TABLE cordon.protected_table ENABLE TRIGGER ALL;
         RESET cordon.text_form"
    ))
    .unwrap();
    dba.batch_execute("BEGIN; ALTER EXTENSION pg_cordon UPDATE").unwrap();
    let findings = |client: &mut Client| -> BTreeSet<(String, String)> {
        let rows = client.query("SELECT code, object FROM cordon.upgrade_check()", &[]).unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let expected: BTreeSet<(String, String)> = [
        ("constant_default", "public.old.mail"),
        ("sealed_constant", "constraint not_that on table public.old"),
        ("sealed_constant", "constraint odd_check"),
        ("sealed_constant", "policy one on table public.old"),
        ("sealed_constant", "index public.odd_index"),
        ("comparison_in_definition", "constraint nor_this on table public.old"),
        ("comparison_in_definition", "statistics object public.plain_statistics"),
        ("implicit_plaintext", "public.shouting (rule _RETURN on view public.shouting)"),
        ("partitioned_by_sealed", "public.by_list"),
        ("restoring_role", "loader"),
        ("not_registered", "of_a_session"),
        ("calls_removed_function", "function public.removed()"),
    ]
    .into_iter()
    .map(|(code, object)| (code.to_owned(), object.to_owned()))
    .collect();
    let found = findings(&mut dba);
    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:#?} of {found:#?}");
    // Of what the release's own data has, what outlives a statement may be said; nothing else.
    for (code, object) in found.difference(&expected) {
        assert!(
            ["constant_default", "sealed_constant", "comparison_in_definition"].contains(&code.as_str()),
            "{code} {object}"
        );
    }
    // The statements mend what they can, and the rest says what to write.
    let fixes: Vec<String> = dba
        .query("SELECT DISTINCT fix_sql FROM cordon.upgrade_check() WHERE fix_sql IS NOT NULL", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    for fix in fixes {
        dba.batch_execute(&fix).unwrap_or_else(|error| panic!("{fix}: {error:?}"));
    }
    dba.batch_execute("DROP POLICY one ON old; DROP VIEW shouting; DROP FUNCTION removed(); DROP TABLE by_list")
        .unwrap();
    assert!(findings(&mut dba).is_empty(), "{:#?}", findings(&mut dba));
    dba.batch_execute("ROLLBACK").unwrap();
    assert_eq!(text(&mut dba, "SELECT extversion FROM pg_extension WHERE extname = 'pg_cordon'"), version);
    // Only those who may update are told.
    dba.batch_execute("ALTER EXTENSION pg_cordon UPDATE").unwrap();
    assert_eq!(sqlstate(&database.app().query("SELECT cordon.upgrade_check()", &[]).unwrap_err()), "42501");
}
