{{ config(materialized='table', partitioned_by=['country']) }}
select count(*) as people, max(joined) as latest, country from {{ ref('customer_view') }} group by country
