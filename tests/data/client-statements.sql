# Statements that trino-python-client sends in turn, a connection each (calls.py); CATALOG is the catalog's name.
# The session's statements.
SET SESSION query_max_run_time = '1h'
SET SESSION nope = 1
SET SESSION query_max_run_time = 5
SET SESSION query_max_run_time = 'x'
SET SESSION join_distribution_type = 'BROADCAST'
SET SESSION query_priority = 5
SET SESSION a.b = 1
RESET SESSION query_max_run_time
RESET SESSION nope
USE tiny
USE nope
USE CATALOG.tiny
USE CATALOG.nope
USE nope.x
SET ROLE ALL
SET ROLE NONE
SET ROLE admin
SET ROLE x IN CATALOG
SET ROLE ALL IN CATALOG
SET PATH a.b
SET PATH a
SET TIME ZONE LOCAL
SET TIME ZONE 'America/New_York'
SET TIME ZONE INTERVAL '10' HOUR
SET TIME ZONE INTERVAL -'08:00' HOUR TO MINUTE
SET TIME ZONE 'nope'
SET SESSION AUTHORIZATION bob
SET SESSION AUTHORIZATION eve
RESET SESSION AUTHORIZATION
START TRANSACTION
COMMIT
ROLLBACK
COMMIT WORK
START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY
# Prepared statements.
DEALLOCATE PREPARE nope
EXECUTE nope
EXECUTE IMMEDIATE 'SELECT 1'
EXECUTE IMMEDIATE 'SELECT ?' USING 1
EXECUTE IMMEDIATE 'SELECT ?'
EXECUTE IMMEDIATE 'SELECT nope' 
PREPARE x FROM SELECT
PREPARE x FROM SELECT nope
PREPARE "Xy" FROM SELECT 1
PREPARE p FROM EXECUTE q
DESCRIBE INPUT nope
DESCRIBE OUTPUT nope
# SHOW and DESCRIBE.
SHOW SCHEMAS LIKE 'ti%'
SHOW SCHEMAS FROM nope
SHOW SCHEMAS FROM system
SHOW TABLES
SHOW TABLES FROM nope
SHOW TABLES FROM CATALOG.tiny LIKE 'n%'
SHOW TABLES FROM information_schema
SHOW TABLES FROM system.runtime
SHOW TABLES FROM system.metadata
SHOW TABLES FROM system.jdbc
SHOW TABLES FROM system.information_schema
SHOW COLUMNS FROM nation
SHOW COLUMNS FROM nation LIKE 'n%'
SHOW COLUMNS FROM nope
DESCRIBE nation
DESC nation
DESCRIBE every_type
DESCRIBE nope
SHOW CREATE TABLE nope
SHOW CREATE VIEW nation
SHOW CREATE VIEW nope
SHOW CREATE SCHEMA nope
SHOW CREATE MATERIALIZED VIEW nope
SHOW CREATE FUNCTION nope
SHOW SESSION LIKE 'query_max_run_time'
SHOW ROLES
SHOW ROLES FROM CATALOG
SHOW CURRENT ROLES
SHOW ROLE GRANTS
SHOW ROLE GRANTS FROM CATALOG
SHOW GRANTS
SHOW GRANTS ON TABLE nation
SHOW GRANTS ON TABLE nope
SHOW FUNCTIONS LIKE 'abs'
SHOW FUNCTIONS FROM CATALOG.tiny
SHOW STATS FOR nope
SHOW STATS FOR (SELECT nope FROM nation)
SHOW STATS FOR nation
SHOW STATS FOR (SELECT name x, nationkey + 1 FROM nation WHERE regionkey = 1)
SHOW STATS nation
SHOW ROLES FROM nope
SHOW CURRENT ROLES FROM CATALOG
SHOW FUNCTIONS FROM nope.x
SELECT * FROM information_schema.schemata WHERE schema_name = 'tiny'
SELECT count(*), max(totalprice), min(orderdate), max(comment) FROM orders
SHOW BRANCHES FROM nation
SHOW NOPE
DESCRIBE system.jdbc.attributes
DESCRIBE system.jdbc.catalogs
DESCRIBE system.jdbc.columns
DESCRIBE system.jdbc.procedure_columns
DESCRIBE system.jdbc.procedures
DESCRIBE system.jdbc.pseudo_columns
DESCRIBE system.jdbc.schemas
DESCRIBE system.jdbc.super_tables
DESCRIBE system.jdbc.super_types
DESCRIBE system.jdbc.table_types
DESCRIBE system.jdbc.tables
DESCRIBE system.jdbc.types
DESCRIBE system.jdbc.udts
DESCRIBE system.metadata.analyze_properties
DESCRIBE system.metadata.catalogs
DESCRIBE system.metadata.column_properties
DESCRIBE system.metadata.materialized_view_properties
DESCRIBE system.metadata.materialized_views
DESCRIBE system.metadata.schema_properties
DESCRIBE system.metadata.table_comments
DESCRIBE system.metadata.table_properties
DESCRIBE system.runtime.nodes
DESCRIBE system.runtime.optimizer_rule_stats
DESCRIBE system.runtime.queries
DESCRIBE system.runtime.tasks
DESCRIBE system.runtime.transactions
DESCRIBE system.information_schema.columns
DESCRIBE information_schema.applicable_roles
DESCRIBE information_schema.columns
DESCRIBE information_schema.enabled_roles
DESCRIBE information_schema.role_authorization_descriptors
DESCRIBE information_schema.roles
DESCRIBE information_schema.schemata
DESCRIBE information_schema.table_privileges
DESCRIBE information_schema.tables
DESCRIBE information_schema.views
# Catalog tables' rows.
SELECT * FROM system.jdbc.table_types
SELECT * FROM system.jdbc.types ORDER BY type_name, data_type
SELECT * FROM system.jdbc.schemas WHERE table_catalog = 'CATALOG' AND table_schem = 'tiny'
SELECT * FROM system.jdbc.tables WHERE table_cat = 'CATALOG' AND table_schem = 'tiny' ORDER BY table_name
SELECT * FROM system.jdbc.columns WHERE table_cat = 'CATALOG' AND table_schem = 'tiny' AND table_name IN ('nation', 'every_type') ORDER BY table_name, ordinal_position
SELECT * FROM system.jdbc.procedures WHERE procedure_cat = 'CATALOG'
SELECT * FROM system.jdbc.udts
SELECT * FROM system.metadata.table_comments WHERE catalog_name = 'CATALOG' AND schema_name = 'tiny' AND table_name = 'nation'
SELECT * FROM system.metadata.catalogs WHERE catalog_name = 'system'
SELECT * FROM system.metadata.materialized_views
SELECT count(*) >= 0 FROM system.metadata.table_properties
SELECT count(*) >= 0 FROM system.metadata.schema_properties
SELECT count(*) >= 0 FROM system.metadata.column_properties
SELECT count(*) >= 0 FROM system.metadata.analyze_properties
SELECT count(*) FROM system.metadata.materialized_view_properties WHERE false
SELECT count(*) FROM system.runtime.nodes
SELECT node_version, coordinator, state FROM system.runtime.nodes
SELECT state, user, source, error_type, error_code, resource_group_id IS NULL FROM system.runtime.queries WHERE query LIKE '%zz' || 'qq%' OR query LIKE '%zzqq%'
SELECT count(*) FROM system.runtime.transactions WHERE false
SELECT count(*) FROM system.runtime.tasks WHERE false
SELECT * FROM system.runtime.optimizer_rule_stats WHERE false
SELECT * FROM system.nope.x
SELECT * FROM system.jdbc.nope
SELECT * FROM information_schema.tables WHERE table_schema = 'tiny' ORDER BY table_name
SELECT * FROM information_schema.tables WHERE table_schema = 'information_schema' ORDER BY table_name
SELECT * FROM information_schema.columns WHERE table_schema = 'tiny' AND table_name IN ('region', 'every_type') ORDER BY table_name, ordinal_position
SELECT * FROM information_schema.views
SELECT * FROM information_schema.roles
SELECT * FROM information_schema.applicable_roles
SELECT * FROM information_schema.enabled_roles
SELECT * FROM information_schema.table_privileges
SELECT * FROM information_schema.role_authorization_descriptors
SELECT * FROM information_schema.nope
SELECT table_name FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'tiny' AND table_name LIKE 'n%'
# Statements of every sort, right and wrong.
SELECT 1;
SELECT
SELECT 1 AS a, 2 AS a
SELECT 1 AS "A b", 2 AS Cd
SELECT * FROM nation WHERE 1 = 0
SELECT 1 / 0
SELECT CAST('x' AS bigint)
SELECT * FROM (VALUES (1, 2)) t(a, b) LIMIT 1
VALUES 1, 2, 3
TABLE region
SELECT current_user, current_catalog, current_schema
SELECT current_path
SELECT current_timezone()
SELECT version()
SELECT current_groups()
SELECT current_date = date(now())
SELECT nope FROM nation
SELECT * FROM nope
SELECT * FROM nope.tiny.nation
SELECT * FROM nope.nation
SELECT * FROM a.b.c.d
SELECT nope(1)
SELECT 1 +
SELECT 'x
SELECT 1 FROM nation GROUP BY 2
SELECT name FROM nation GROUP BY regionkey
SELECT 1 WHERE 'x'
SELECT 1 + 'x'
SELECT regionkey FROM nation, region
SELECT ?
CALL system.runtime.kill_query('x', 'y')
CALL nope.x()
CALL system.runtime.nope()
NOPE x
# Values of every type: plain, null, least, greatest, nested.
SELECT ARRAY[1, NULL], MAP(ARRAY['a'], ARRAY[1]), ROW(1, 'x'), CAST(ROW(1, 2) AS row(a integer, b bigint)), MAP(ARRAY[1], ARRAY[2]), ARRAY[ARRAY[1]], ARRAY[ROW(1, TIMESTAMP '2020-01-01 00:00:00.1')]
SELECT TINYINT '1', SMALLINT '1', BIGINT '1', REAL '1.5', 1.5e0, DECIMAL '1.10', true, 'x', CHAR 'ab ', X'0aff', DATE '2020-02-03', TIME '01:02:03.456', TIME '01:02:03.456 +02:00'
SELECT TIMESTAMP '2020-02-03 01:02:03', TIMESTAMP '2020-02-03 01:02:03.123456 Europe/Paris', INTERVAL '2' DAY, INTERVAL '3' MONTH, JSON '{"a": 1}', UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59', IPADDRESS '10.0.0.1', NULL
SELECT nan(), infinity(), -infinity(), CAST(nan() AS real), CAST(infinity() AS real), CAST(-infinity() AS real), -0e0, REAL '-0', 5e-324, 1.7976931348623157e308, REAL '1.4E-45', REAL '3.4028235E38'
SELECT ARRAY[nan(), infinity()], MAP(ARRAY[infinity()], ARRAY[nan()]), ROW(-infinity(), nan())
SELECT TINYINT '-128', TINYINT '127', SMALLINT '-32768', SMALLINT '32767', -2147483648, 2147483647, BIGINT '-9223372036854775808', 9223372036854775807
SELECT DECIMAL '99999999999999999999999999999999999999', DECIMAL '-99999999999999999999999999999999999999', DECIMAL '0.00000000000000000000000000000000000001', CAST(0 AS decimal(38,38)), DECIMAL '000.10', CAST(1 AS decimal(18,3))
SELECT DATE '0001-01-01', DATE '9999-12-31', DATE '1582-10-04', DATE '1969-12-31'
SELECT TIME '00:00:00', TIME '23:59:59.999999', TIME '23:59:59', TIME '01:02:03.1234'
SELECT TIME '00:00:00 +14:00', TIME '00:00:00.123456 -14:00', TIME '12:00:00 +00:00'
SELECT TIMESTAMP '0001-01-01 00:00:00', TIMESTAMP '9999-12-31 23:59:59.999999', TIMESTAMP '1969-12-31 23:59:59.999', TIMESTAMP '1582-10-10 00:00:00'
SELECT TIMESTAMP '2001-08-22 03:04:05.321 +00:00', TIMESTAMP '1970-01-01 00:00:00.123456789', TIMESTAMP '2020-01-01 00:00:00.123456789012 UTC'
SELECT TIME '23:59:59.999999999999'
SELECT TIMESTAMP '2020-10-25 02:30:00 Europe/Berlin', TIMESTAMP '2020-06-01 00:00:00 -08:30', TIMESTAMP '2020-06-01 00:00:00 Asia/Kathmandu'
SELECT INTERVAL '-2-1' YEAR TO MONTH, INTERVAL '-1 02:03:04.005' DAY TO SECOND, INTERVAL '0' SECOND, INTERVAL '0' MONTH, INTERVAL '100000' HOUR, INTERVAL '-13' MONTH
SELECT '', 'é😀', CHAR 'é', CAST('x' AS char(5)), CAST('' AS char(2)), CAST('x' AS varchar), X'', U&'\0041', 'a''b"c\d', CAST('x' AS varchar(1))
SELECT JSON 'null', JSON '[1, "x", {"b": 1, "a": null}]', JSON '1.50', JSON '"x"'
SELECT UUID '00000000-0000-0000-0000-000000000000', IPADDRESS '::1', IPADDRESS '2001:db8::1'
SELECT CAST(NULL AS boolean), CAST(NULL AS tinyint), CAST(NULL AS bigint), CAST(NULL AS real), CAST(NULL AS double), CAST(NULL AS decimal(10,2)), CAST(NULL AS varchar(3)), CAST(NULL AS char(3)), CAST(NULL AS varbinary), CAST(NULL AS date), CAST(NULL AS time(3))
SELECT CAST(NULL AS time(3) with time zone), CAST(NULL AS timestamp(6)), CAST(NULL AS timestamp(3) with time zone), CAST(NULL AS interval day to second), CAST(NULL AS interval year to month), CAST(NULL AS json), CAST(NULL AS uuid), CAST(NULL AS ipaddress)
SELECT CAST(NULL AS array(integer)), CAST(NULL AS map(varchar, integer)), CAST(NULL AS row(a integer)), CAST(ROW(NULL) AS row(a integer)), ARRAY[], MAP(), MAP(ARRAY['k'], ARRAY[NULL]), ARRAY[NULL], CAST(ARRAY[] AS array(row(a date)))
SELECT ARRAY[DATE '2020-01-01', NULL], ARRAY[X'00', NULL], ARRAY[DECIMAL '1.5', NULL], ARRAY[TIME '01:02:03'], ARRAY[INTERVAL '1' DAY], ARRAY[UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'], ARRAY[JSON '{}'], ARRAY[TIMESTAMP '2020-01-01 00:00:00 UTC']
SELECT MAP(ARRAY[DATE '2020-01-01'], ARRAY[TIMESTAMP '2020-01-01 00:00:00']), MAP(ARRAY[DECIMAL '1.5'], ARRAY[true]), MAP(ARRAY[true], ARRAY['x']), MAP(ARRAY[1e0], ARRAY[MAP(ARRAY['a'], ARRAY[ARRAY[1, NULL]])]), MAP(ARRAY[X'00'], ARRAY[1])
SELECT CAST(ROW(1, ROW('x', ARRAY[ROW(true, DATE '2020-01-01')])) AS row(a bigint, b row(c varchar(3), d array(row(e boolean, f date)))))
SELECT CAST(ROW(1, 2) AS row("A b" integer, "select" bigint)), ROW(1, CAST(ROW(2) AS row(x integer)))
SELECT approx_set(1) IS NOT NULL, cast(NULL AS hyperloglog), cast(NULL AS qdigest(bigint))
SELECT * FROM nation ORDER BY nationkey LIMIT 3
