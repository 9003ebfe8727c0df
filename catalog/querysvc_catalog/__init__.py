"""The Glue-style catalog: databases, tables with versions, partitions."""
