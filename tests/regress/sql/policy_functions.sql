-- The functions that policies compare a tenant column with.
SELECT p.oid::regprocedure, prorettype::regtype, provolatile, proparallel, proleakproof FROM pg_proc p
WHERE proname ~ '^tenant_(int4|int8|uuid|text)$' AND pronamespace = 'cordon'::regnamespace ORDER BY p.oid::regprocedure::text COLLATE "C";
\connect - app
SELECT cordon.tenant_int4();
SELECT cordon.tenant_int8();
SELECT cordon.tenant_uuid();
SELECT cordon.tenant_text();
SET app.team_id = '2147483647';
SELECT cordon.tenant_int4(), cordon.tenant_int8(), cordon.tenant_text();
SELECT cordon.tenant_uuid();
SET app.team_id = '2147483648';
SELECT cordon.tenant_int8();
SELECT cordon.tenant_int4();
SET app.team_id = '-9223372036854775808';
SELECT cordon.tenant_int8();
SET app.team_id = '9223372036854775808';
SELECT cordon.tenant_int8();
SET app.team_id = '0x2a';
SELECT cordon.tenant_int8();
SELECT cordon.tenant_text();
SET app.team_id = 'd3b07384-d113-4ec6-a1b0-7a3f1c9e0b52';
SELECT cordon.tenant_uuid(), cordon.tenant_text();
SELECT cordon.tenant_int8();
SET app.team_id = 'Müller & Söhne';
SELECT cordon.tenant_text();
SET app.team_id = '';
SELECT cordon.tenant_text();
SET cordon.on_unset_tenant = empty;
\connect - postgres
SET cordon.on_unset_tenant = empty;
SELECT cordon.tenant_int4() IS NULL, cordon.tenant_int8() IS NULL, cordon.tenant_uuid() IS NULL, cordon.tenant_text() IS NULL;
