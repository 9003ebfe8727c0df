"""Table data as files: what CREATE TABLE AS, INSERT and UNLOAD write.

process.py     one process per write: spooled batches in, local files out (ADR-0021)
partitions.py  rows of one partition after the other, each partition's values as texts
files.py       which file a row goes to, and when the next file begins
parquet, orc, avro, json_lines, delimited     the formats, as the SerDes that read them define
"""
