{{ config(materialized='table', table_type='iceberg', partitioned_by=['month(day)']) }}
select id, name, cast(joined as date) as day from {{ ref('customers') }}
