"""ALTER TABLE and ALTER DATABASE, in Hive's spelling and in Trino's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from querysvc.sql.ddl import statements as ddl
from querysvc.sql.ddl.refused import refuse_alteration
from querysvc.sql.ddl.tokens import DdlTokens

Table = ddl.ObjectName
_Reader = Callable[[DdlTokens, Table], ddl.Statement]


def alter_database(tokens: DdlTokens, _: str) -> ddl.Statement:
    """ALTER DATABASE | SCHEMA name SET DBPROPERTIES (…)."""
    tokens.advance()
    tokens.advance()
    name = tokens.name()
    if not tokens.take("SET", "DBPROPERTIES"):
        words = f"{tokens.token.text} {tokens.peek(1).text}"
        raise tokens.unsupported(f"ALTER DATABASE … {words.strip().upper()}")
    return ddl.SetDatabaseProperties(name, tokens.properties())


def alter_table(tokens: DdlTokens, _: str) -> ddl.Statement:
    """ALTER TABLE [IF EXISTS] name …"""
    tokens.expect("ALTER", "TABLE")
    if tokens.at("IF", "EXISTS"):
        raise tokens.unsupported("ALTER TABLE IF EXISTS")
    table = tokens.object_name()
    refuse_alteration(tokens)
    if tokens.at("PARTITION"):
        return _alter_partition(tokens, table)
    for words, read in _ALTERATIONS:
        if tokens.take(*words):
            return read(tokens, table)
    raise tokens.unsupported(f"ALTER TABLE … {tokens.token.text.upper()}")


def _alter_partition(tokens: DdlTokens, table: Table) -> ddl.Statement:
    spec = tokens.partition_spec()
    refuse_alteration(tokens, of_partition=True)
    if tokens.take("RENAME", "TO"):
        return ddl.RenamePartition(table, spec, tokens.partition_spec())
    if tokens.take("SET", "LOCATION"):
        return ddl.SetLocation(table, tokens.string(), spec)
    if tokens.take("ADD", "COLUMNS"):
        return ddl.AddColumns(table, tokens.columns(), partition=spec)
    if tokens.take("REPLACE", "COLUMNS"):
        return ddl.ReplaceColumns(table, tokens.columns(), partition=spec)
    raise tokens.unsupported(f"ALTER TABLE … PARTITION … {tokens.token.text.upper()}")


def _add_partitions(tokens: DdlTokens, table: Table) -> ddl.Statement:
    if_not_exists = tokens.take("IF", "NOT", "EXISTS")
    partitions = [tokens.partition_spec(allow_location=True)]
    while tokens.at("PARTITION"):
        partitions.append(tokens.partition_spec(allow_location=True))
    return ddl.AddPartitions(table, tuple(partitions), if_not_exists)


def _drop_partitions(tokens: DdlTokens, table: Table) -> ddl.Statement:
    if_exists = tokens.take("IF", "EXISTS")
    partitions = [tokens.partition_spec()]
    while tokens.take(","):
        partitions.append(tokens.partition_spec())
    return ddl.DropPartitions(table, tuple(partitions), if_exists)


def _add(tokens: DdlTokens, table: Table) -> ddl.Statement:
    """ADD PARTITION … | ADD COLUMNS (…) | ADD COLUMN [IF NOT EXISTS] name type."""
    if tokens.at("PARTITION") or tokens.at("IF", "NOT", "EXISTS", "PARTITION"):
        return _add_partitions(tokens, table)
    if tokens.take("COLUMNS"):
        return ddl.AddColumns(table, tokens.columns())
    if not tokens.take("COLUMN"):
        tokens.mismatched("'COLUMN'", "'COLUMNS'", "'PARTITION'")
    if_not_exists = tokens.take("IF", "NOT", "EXISTS")
    return ddl.AddColumns(table, (tokens.column(),), if_not_exists)


def _drop(tokens: DdlTokens, table: Table) -> ddl.Statement:
    """DROP PARTITION … | DROP [COLUMN] [IF EXISTS] name."""
    if tokens.at("PARTITION") or tokens.at("IF", "EXISTS", "PARTITION"):
        return _drop_partitions(tokens, table)
    tokens.take("COLUMN")
    if_exists = tokens.take("IF", "EXISTS")
    return ddl.DropColumn(table, tokens.name(), if_exists)


def _replace_columns(tokens: DdlTokens, table: Table) -> ddl.Statement:
    return ddl.ReplaceColumns(table, tokens.columns())


def _change_column(tokens: DdlTokens, table: Table) -> ddl.Statement:
    """CHANGE [COLUMN] old new type [COMMENT 'x'] [FIRST | AFTER column]."""
    if tokens.at("COLUMN") and tokens.at_name(2):
        tokens.advance()
    old, new = tokens.name(), tokens.column()
    if tokens.take("FIRST"):
        return ddl.ChangeColumn(table, old, new, is_first=True)
    return ddl.ChangeColumn(table, old, new, after=tokens.name() if tokens.take("AFTER") else None)


def _rename_column(tokens: DdlTokens, table: Table) -> ddl.Statement:
    if_exists = tokens.take("IF", "EXISTS")
    old = tokens.name()
    tokens.expect("TO")
    return ddl.RenameColumn(table, old, tokens.name(), if_exists)


def _rename_table(tokens: DdlTokens, table: Table) -> ddl.Statement:
    return ddl.RenameTable(table, tokens.object_name())


def _set_location(tokens: DdlTokens, table: Table) -> ddl.Statement:
    return ddl.SetLocation(table, tokens.string())


def _set_properties(tokens: DdlTokens, table: Table) -> ddl.Statement:
    return ddl.SetTableProperties(table, tokens.properties())


def _unset_properties(tokens: DdlTokens, table: Table) -> ddl.Statement:
    if_exists = tokens.take("IF", "EXISTS")
    return ddl.UnsetTableProperties(table, tokens.property_keys(), if_exists)


_ALTERATIONS: Final[tuple[tuple[tuple[str, ...], _Reader], ...]] = (
    (("ADD",), _add),
    (("DROP",), _drop),
    (("REPLACE", "COLUMNS"), _replace_columns),
    (("CHANGE",), _change_column),
    (("RENAME", "COLUMN"), _rename_column),
    (("RENAME", "TO"), _rename_table),
    (("SET", "LOCATION"), _set_location),
    (("SET", "TBLPROPERTIES"), _set_properties),
    (("UNSET", "TBLPROPERTIES"), _unset_properties),
)
"""What may come after ALTER TABLE's name, and what reads the rest."""
