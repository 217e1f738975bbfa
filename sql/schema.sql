-- The schema of every function. Types and operators go to the schema that CREATE EXTENSION names.
CREATE SCHEMA cordon;
COMMENT ON SCHEMA cordon IS 'pg_cordon: tenant isolation and sealed values';
GRANT USAGE ON SCHEMA cordon TO PUBLIC;
