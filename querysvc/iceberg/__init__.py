"""Iceberg tables: metadata, planning, commits; by pyiceberg over our own access to S3 (ADR-0024).

These modules import pyiceberg, which takes half a second and some 30 MB: whoever calls them imports
them where they are called.
"""
