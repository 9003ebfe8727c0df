"""What a table over given objects would be: format, SerDe, columns, partitions.

Runs where parsing of foreign bytes may run: in the gate's limited processes.
"""
