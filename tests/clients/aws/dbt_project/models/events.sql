{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partitioned_by=['day']) }}
select id, name, cast(joined as date) as day from {{ ref('customers') }}
{% if is_incremental() %} where id >= 3 {% endif %}
