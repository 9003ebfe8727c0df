"""The Glue Data Catalog's API over our catalog: a metastore for Trino, Spark and scripts."""

from querysvc_drivers.glue.operations import GlueServices, glue_service

__all__ = ["GlueServices", "glue_service"]
