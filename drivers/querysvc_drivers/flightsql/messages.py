"""Flight SQL's commands as protobuf messages (arrow.flight.protocol.sql, FlightSql.proto).

Only the messages that are served stand here; each line of the table is one message of the
specification: its fields in the order of their numbers, from 1.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from querysvc.errors import ErrorCode, QueryServiceError

_PACKAGE: Final = "arrow.flight.protocol.sql"
_URL: Final = "type.googleapis.com/"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_TYPES: Final = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
}
_KEYS: Final = "string? catalog, string? db_schema, string table"
_MESSAGES: Final = {
    "CommandGetSqlInfo": "uint32* info",
    "CommandGetXdbcTypeInfo": "int32? data_type",
    "CommandGetCatalogs": "",
    "CommandGetDbSchemas": "string? catalog, string? db_schema_filter_pattern",
    "CommandGetTables": "string? catalog, string? db_schema_filter_pattern,"
    " string? table_name_filter_pattern, string* table_types, bool include_schema",
    "CommandGetTableTypes": "",
    "CommandGetPrimaryKeys": _KEYS,
    "CommandGetExportedKeys": _KEYS,
    "CommandGetImportedKeys": _KEYS,
    "CommandGetCrossReference": "string? pk_catalog, string? pk_db_schema, string pk_table,"
    " string? fk_catalog, string? fk_db_schema, string fk_table",
    "ActionCreatePreparedStatementRequest": "string query, bytes? transaction_id",
    "ActionCreatePreparedStatementResult": "bytes prepared_statement_handle,"
    " bytes dataset_schema, bytes parameter_schema",
    "ActionClosePreparedStatementRequest": "bytes prepared_statement_handle",
    "ActionCancelQueryRequest": "bytes info",
    "ActionCancelQueryResult": "int32 result",
    "ActionBeginTransactionRequest": "",
    "ActionBeginTransactionResult": "bytes transaction_id",
    "ActionEndTransactionRequest": "bytes transaction_id, int32 action",
    "CommandStatementQuery": "string query, bytes? transaction_id",
    "TicketStatementQuery": "bytes statement_handle",
    "CommandPreparedStatementQuery": "bytes prepared_statement_handle",
    "CommandStatementUpdate": "string query, bytes? transaction_id",
    "CommandPreparedStatementUpdate": "bytes prepared_statement_handle",
    "DoPutUpdateResult": "int64 record_count",
    "DoPutPreparedStatementResult": "bytes? prepared_statement_handle",
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="querysvc/flight_sql.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, text in enumerate(filter(None, fields.split(",")), 1):
            kind, field = text.split()
            message.field.add(
                name=field,
                number=number,
                type=_TYPES[kind.rstrip("?*")],
                label=_FIELD.LABEL_REPEATED if kind.endswith("*") else _FIELD.LABEL_OPTIONAL,
            )
    return file


_POOL: Final = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
_CLASSES: Final = {
    name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
    for name in _MESSAGES
}


def new(kind: str, **fields: Any) -> Message:
    """A message of the specification's name."""
    return _CLASSES[kind](**fields)


def packed(message: Message) -> bytes:
    """The message in an Any, as Flight SQL sends all of them."""
    name = message.DESCRIPTOR.full_name
    return any_pb2.Any(
        type_url=f"{_URL}{name}", value=message.SerializeToString()
    ).SerializeToString()


def expected(data: bytes | None, *names: str) -> tuple[str, Any]:
    """The (name, message) in an Any; INVALID_REQUEST for a message that has no place here."""
    name, message = unpacked(data or b"")
    if name not in names:
        raise QueryServiceError(
            ErrorCode.INVALID_REQUEST, f"Flight SQL's {name} cannot be asked for here"
        )
    return name, message


def unpacked(data: bytes) -> tuple[str, Any]:
    """The (name, message) in an Any; INVALID_REQUEST for what is none, NOT_SUPPORTED by name."""
    try:
        wrapper = any_pb2.Any.FromString(data)
        package, _, name = wrapper.type_url.removeprefix(_URL).rpartition(".")
        if package == _PACKAGE and name in _CLASSES:
            return name, _CLASSES[name].FromString(wrapper.value)
    except DecodeError:
        raise QueryServiceError(
            ErrorCode.INVALID_REQUEST, "The command is no message of Flight SQL."
        ) from None
    raise QueryServiceError(
        ErrorCode.NOT_SUPPORTED, f"Flight SQL's {name or 'command without a type'} is not supported"
    )


def optional(message: Any, field: str) -> str | None:
    """An optional field's value; None when it was not sent."""
    return getattr(message, field) if message.HasField(field) else None
