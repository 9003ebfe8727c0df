"""Arrow Flight SQL: queries, prepared statements and metadata for ADBC and JDBC clients.

An extra: `pip install querysvc[flightsql]` brings protobuf; without it the port cannot be set.
"""
