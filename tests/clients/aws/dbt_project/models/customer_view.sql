{{ config(materialized='view') }}
select id, upper(name) as name, country, joined from {{ ref('customers') }}
