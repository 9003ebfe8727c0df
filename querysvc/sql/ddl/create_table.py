"""CREATE EXTERNAL TABLE: sqlglot reads Hive's grammar, its tree becomes catalog values.

Every part of the tree is either understood here or refused by name: nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from querysvc.errors import ErrorCode, StatementError
from querysvc.sql.ddl.statements import CreateTable, ObjectName
from querysvc_catalog.errors import CatalogError
from querysvc_catalog.model import Column, SerDeInfo, StorageDescriptor
from querysvc_catalog.serdes import CLASSES, FormatClasses, StorageFormat, stored_as
from querysvc_catalog.types import format_type, parse_type

_DIALECT: Final = "athena"

# ROW FORMAT DELIMITED's clauses, and the SerDe properties that Hive stores for them. The second
# name's misspelling is Hive's own (serdeConstants.COLLECTION_DELIM).
_DELIMITERS: Final = {
    "fields": "field.delim",
    "escaped": "escape.delim",
    "collection_items": "colelction.delim",
    "map_keys": "mapkey.delim",
    "lines": "line.delim",
    "null": "serialization.null.format",
}


class _Parts:
    """What the properties of a CREATE TABLE add up to."""

    def __init__(self) -> None:
        self.location: str | None = None
        self.comment: str | None = None
        self.partitioned_by: tuple[exp.Expression, ...] = ()
        self.parameters: dict[str, str] = {}
        self.serde_parameters: dict[str, str] = {}
        self.library: str | None = None
        self.classes: FormatClasses = CLASSES[StorageFormat.TEXTFILE]
        self.is_external = False
        self.bucket_columns: tuple[str, ...] = ()
        self.buckets: int | None = None

    def storage_descriptor(self, columns: tuple[Column, ...]) -> StorageDescriptor:
        """The table's StorageDescriptor."""
        library = self.library or self.classes.serialization_library
        return StorageDescriptor(
            columns=columns,
            location=self.location,
            input_format=self.classes.input_format,
            output_format=self.classes.output_format,
            # Hive gives every SerDe this format, which means «by its defaults».
            serde_info=SerDeInfo(
                serialization_library=library,
                parameters={"serialization.format": "1", **self.serde_parameters},
            ),
            bucket_columns=self.bucket_columns,
            number_of_buckets=self.buckets,
        )


def parse_create_table(sql: str) -> CreateTable:
    """Read the statement, or tell what of it is wrong or not supported."""
    create = _parse(sql)
    if create.expression is not None:
        raise _refused("CREATE TABLE AS SELECT")
    schema = create.this
    properties = create.args.get("properties")
    items = properties.expressions if properties else ()
    if any(isinstance(item, exp.LikeProperty) for item in items):
        raise _refused("CREATE TABLE LIKE")
    if not isinstance(schema, exp.Schema):
        raise StatementError(ErrorCode.SYNTAX_ERROR, "CREATE TABLE needs a list of columns")
    parts = _Parts()
    for item in items:
        reader = _PROPERTIES.get(type(item))
        if reader is None:
            raise _refused(f"CREATE TABLE with {_NAMES.get(type(item)) or item.sql(_DIALECT)}")
        reader(parts, item)
    columns = _columns(schema.expressions)
    is_iceberg = parts.parameters.get("table_type", "").lower() == "iceberg"
    _check(parts, is_iceberg=is_iceberg)
    keys = () if is_iceberg else _columns(parts.partitioned_by)
    _check_names(columns + keys)
    return CreateTable(
        name=_table_name(schema.this),
        storage_descriptor=parts.storage_descriptor(columns),
        partition_keys=keys,
        parameters={**({} if is_iceberg else {"EXTERNAL": "TRUE"}), **parts.parameters},
        comment=parts.comment,
        if_not_exists=bool(create.args.get("exists")),
        iceberg_partitioning=tuple(map(_partition_field, parts.partitioned_by))
        if is_iceberg
        else None,
    )


def _parse(sql: str) -> exp.Create:
    try:
        parsed = sqlglot.parse_one(sql, read=_DIALECT)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        raise StatementError(
            ErrorCode.SYNTAX_ERROR,
            str(first.get("description") or error),
            line=first.get("line"),
            column=first.get("col"),
        ) from error
    except TokenError as error:
        raise StatementError(ErrorCode.SYNTAX_ERROR, str(error)) from error
    if not isinstance(parsed, exp.Create):
        # sqlglot makes an opaque Command of what it cannot read: that is never executed.
        raise StatementError(ErrorCode.SYNTAX_ERROR, "this CREATE TABLE statement cannot be read")
    for flag in ("replace", "refresh", "unique", "concurrently", "clone", "indexes", "begin"):
        if parsed.args.get(flag):
            raise _refused(f"CREATE TABLE with {flag.upper()}")
    return parsed


def _check(parts: _Parts, *, is_iceberg: bool) -> None:
    if is_iceberg and parts.is_external:
        raise _refused("CREATE EXTERNAL TABLE of an Iceberg table (write CREATE TABLE)")
    if is_iceberg and (parts.buckets or parts.library or parts.serde_parameters):
        raise _refused("CREATE TABLE of an Iceberg table with CLUSTERED BY or ROW FORMAT")
    if not parts.is_external and not is_iceberg:
        raise StatementError(
            ErrorCode.NOT_SUPPORTED,
            "CREATE TABLE without EXTERNAL is not supported: data stays where it lies, so write"
            " CREATE EXTERNAL TABLE … LOCATION 's3://…'",
        )
    if not parts.location:
        raise StatementError(
            ErrorCode.INVALID_TABLE_PROPERTY,
            f"CREATE {'' if is_iceberg else 'EXTERNAL '}TABLE needs LOCATION 's3://…'",
        )
    if not parts.location.lower().startswith(("s3://", "s3a://", "s3n://")):
        raise StatementError(
            ErrorCode.INVALID_TABLE_PROPERTY,
            f"LOCATION '{parts.location}' is not in S3: it must begin with s3://",
        )


def _check_names(columns: tuple[Column, ...]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise StatementError(
                ErrorCode.DUPLICATE_COLUMN_NAME,
                f"Column name '{column.name}' specified more than once",
            )
        seen.add(column.name)


def _table_name(table: exp.Expression) -> ObjectName:
    if not isinstance(table, exp.Table):
        raise _refused(f"the table name {table.sql(_DIALECT)}")
    return ObjectName(table.name.lower(), table.db.lower() or None, table.catalog.lower() or None)


# The transforms of Iceberg's partitions, as sqlglot reads them.
_TRANSFORMS: Final[dict[type[exp.Expression], str]] = {
    exp.PartitionedByBucket: "bucket",
    exp.PartitionByTruncate: "truncate",
    exp.Year: "year",
    exp.Month: "month",
    exp.Day: "day",
    exp.Hour: "hour",
}


def _partition_field(item: exp.Expression) -> str:
    """An Iceberg partition field as text: `region`, `day(ts)`, `bucket(16, id)`."""
    if isinstance(item, exp.Identifier | exp.Column):
        return item.name.lower()
    transform = _TRANSFORMS.get(type(item))
    columns = list(item.find_all(exp.Identifier))
    if transform is None or len(columns) != 1:
        raise _refused(f"PARTITIONED BY ({item.sql(_DIALECT)})")
    number = item.args.get("expression")
    argument = f"{number.name}, " if isinstance(number, exp.Literal) else ""
    return f"{transform}({argument}{columns[0].name.lower()})"


def _columns(items: Sequence[exp.Expression]) -> tuple[Column, ...]:
    return tuple(_column(item) for item in items)


def _column(item: exp.Expression) -> Column:
    if not isinstance(item, exp.ColumnDef) or item.args.get("kind") is None:
        raise StatementError(
            ErrorCode.SYNTAX_ERROR, f"'{item.sql(_DIALECT)}' is no column with a type"
        )
    comment = None
    for constraint in item.args.get("constraints") or ():
        if not isinstance(constraint.kind, exp.CommentColumnConstraint):
            raise _refused(f"a column with {constraint.sql(_DIALECT)}")
        comment = constraint.kind.this.name
    return Column(name=item.name.lower(), type=_type_text(item.args["kind"]), comment=comment)


def _type_text(kind: exp.Expression) -> str:
    try:
        return format_type(parse_type(kind.sql("hive")))
    except CatalogError as error:
        raise StatementError(ErrorCode.TYPE_NOT_FOUND, str(error)) from error


def _text(literal: exp.Expression | None) -> str:
    if not isinstance(literal, exp.Literal):
        raise _refused(f"{literal!s} where a text should be")
    return str(literal.this)


def _location(parts: _Parts, item: exp.Expression) -> None:
    parts.location = _text(item.this)


def _comment(parts: _Parts, item: exp.Expression) -> None:
    parts.comment = _text(item.this)


def _external(parts: _Parts, _: exp.Expression) -> None:
    parts.is_external = True


def _table_property(parts: _Parts, item: exp.Expression) -> None:
    key = _text(item.this)
    if key in parts.parameters:
        raise StatementError(ErrorCode.SYNTAX_ERROR, f"Duplicate property '{key}'")
    parts.parameters[key] = _text(item.args.get("value"))


def _partitioned_by(parts: _Parts, item: exp.Expression) -> None:
    parts.partitioned_by = tuple(item.this.expressions)


def _clustered_by(parts: _Parts, item: exp.Expression) -> None:
    if item.args.get("sorted_by"):
        raise _refused("CLUSTERED BY … SORTED BY")
    parts.bucket_columns = tuple(column.name.lower() for column in item.expressions)
    parts.buckets = int(item.args["buckets"].name)


def _row_format_delimited(parts: _Parts, item: exp.Expression) -> None:
    for clause, value in item.args.items():
        if value is None:
            continue
        if clause not in _DELIMITERS:
            raise _refused(f"ROW FORMAT DELIMITED … {clause.upper()}")
        parts.serde_parameters[_DELIMITERS[clause]] = _text(value)
    if "field.delim" in parts.serde_parameters:
        parts.serde_parameters["serialization.format"] = parts.serde_parameters["field.delim"]


def _row_format_serde(parts: _Parts, item: exp.Expression) -> None:
    parts.library = _text(item.this)
    properties = item.args.get("serde_properties")
    for entry in properties.expressions if properties else ():
        parts.serde_parameters[_text(entry.this)] = _text(entry.args.get("value"))
    known = [c for c in CLASSES.values() if c.serialization_library == parts.library]
    if known and parts.classes is CLASSES[StorageFormat.TEXTFILE]:
        parts.classes = known[0]


def _stored_as(parts: _Parts, item: exp.Expression) -> None:
    form = item.this
    if isinstance(form, exp.InputOutputFormat):
        library = parts.library or parts.classes.serialization_library
        parts.classes = FormatClasses(
            library, _text(form.args["input_format"]), _text(form.args["output_format"])
        )
        return
    try:
        parts.classes = stored_as(form.name)
    except CatalogError as error:
        raise StatementError(ErrorCode.HIVE_UNSUPPORTED_FORMAT, str(error)) from error


_Reader = Callable[[_Parts, exp.Expression], None]
_PROPERTIES: Final[dict[type[exp.Expression], _Reader]] = {
    exp.ClusteredByProperty: _clustered_by,
    exp.ExternalProperty: _external,
    exp.FileFormatProperty: _stored_as,
    exp.LocationProperty: _location,
    exp.PartitionedByProperty: _partitioned_by,
    exp.Property: _table_property,
    exp.RowFormatDelimitedProperty: _row_format_delimited,
    exp.RowFormatSerdeProperty: _row_format_serde,
    exp.SchemaCommentProperty: _comment,
}


_NAMES: Final[dict[type[exp.Expression], str]] = {exp.StorageHandlerProperty: "STORED BY"}
"""Properties that sqlglot cannot print."""


def _refused(construct: str) -> StatementError:
    return StatementError(ErrorCode.NOT_SUPPORTED, f"{construct} is not supported")
