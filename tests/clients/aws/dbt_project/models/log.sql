{{ config(materialized='incremental', incremental_strategy='append') }}
select id, cast(current_timestamp as timestamp(3)) as seen from {{ ref('customers') }}
