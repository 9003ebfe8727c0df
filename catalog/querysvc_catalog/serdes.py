"""Storage formats: Hive's class names, the `STORED AS x` shorthands, and typed SerDe properties.

Class names are from Hive 2/3 and from the SerDes that Athena lists
(https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from querysvc_catalog.errors import UnsupportedFormatError
from querysvc_catalog.model import SerDeInfo, StorageDescriptor


class StorageFormat(StrEnum):
    """How the objects of a table or partition are written."""

    PARQUET = "PARQUET"
    ORC = "ORC"
    AVRO = "AVRO"
    TEXTFILE = "TEXTFILE"  # LazySimpleSerDe
    CSV = "CSV"  # OpenCSVSerde
    OPENX_JSON = "OPENX_JSON"
    JSON = "JSON"  # hcatalog's SerDe
    REGEX = "REGEX"
    GROK = "GROK"
    CLOUDTRAIL = "CLOUDTRAIL"
    ION = "ION"
    SEQUENCEFILE = "SEQUENCEFILE"
    RCTEXT = "RCTEXT"
    RCBINARY = "RCBINARY"


@dataclass(frozen=True, slots=True)
class FormatClasses:
    """The three Hive classes that a table's StorageDescriptor names."""

    serialization_library: str
    input_format: str
    output_format: str


@dataclass(frozen=True, slots=True)
class ResolvedFormat:
    """A format found from class names; a symlink manifest lists the objects instead of rows."""

    storage_format: StorageFormat
    is_symlink_manifest: bool = False


_TEXT_INPUT: Final = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUTPUT: Final = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_SYMLINK_INPUT: Final = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
_CLOUDTRAIL_INPUT: Final = "com.amazon.emr.cloudtrail.CloudTrailInputFormat"
_SEQUENCE_INPUT: Final = "org.apache.hadoop.mapred.SequenceFileInputFormat"
_LAZY_SIMPLE: Final = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
_HCATALOG_JSON: Final = "org.apache.hive.hcatalog.data.JsonSerDe"


def _text(serialization_library: str) -> FormatClasses:
    return FormatClasses(serialization_library, _TEXT_INPUT, _TEXT_OUTPUT)


CLASSES: Final[Mapping[StorageFormat, FormatClasses]] = {
    StorageFormat.PARQUET: FormatClasses(
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    ),
    StorageFormat.ORC: FormatClasses(
        "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
        "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
    ),
    StorageFormat.AVRO: FormatClasses(
        "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
    ),
    StorageFormat.TEXTFILE: _text(_LAZY_SIMPLE),
    StorageFormat.CSV: _text("org.apache.hadoop.hive.serde2.OpenCSVSerde"),
    StorageFormat.OPENX_JSON: _text("org.openx.data.jsonserde.JsonSerDe"),
    StorageFormat.JSON: _text(_HCATALOG_JSON),
    StorageFormat.REGEX: _text("org.apache.hadoop.hive.serde2.RegexSerDe"),
    StorageFormat.GROK: _text("com.amazonaws.glue.serde.GrokSerDe"),
    StorageFormat.CLOUDTRAIL: FormatClasses(
        "com.amazon.emr.hive.serde.CloudTrailSerde", _CLOUDTRAIL_INPUT, _TEXT_OUTPUT
    ),
    StorageFormat.ION: FormatClasses(
        "com.amazon.ionhiveserde.IonHiveSerDe",
        "com.amazon.ionhiveserde.formats.IonInputFormat",
        "com.amazon.ionhiveserde.formats.IonOutputFormat",
    ),
    StorageFormat.SEQUENCEFILE: FormatClasses(
        _LAZY_SIMPLE, _SEQUENCE_INPUT, "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat"
    ),
    StorageFormat.RCTEXT: FormatClasses(
        "org.apache.hadoop.hive.serde2.columnar.ColumnarSerDe",
        "org.apache.hadoop.hive.ql.io.RCFileInputFormat",
        "org.apache.hadoop.hive.ql.io.RCFileOutputFormat",
    ),
    StorageFormat.RCBINARY: FormatClasses(
        "org.apache.hadoop.hive.serde2.columnar.LazyBinaryColumnarSerDe",
        "org.apache.hadoop.hive.ql.io.RCFileInputFormat",
        "org.apache.hadoop.hive.ql.io.RCFileOutputFormat",
    ),
}

STORED_AS: Final[Mapping[str, StorageFormat]] = {
    "PARQUET": StorageFormat.PARQUET,
    "PARQUETFILE": StorageFormat.PARQUET,
    "ORC": StorageFormat.ORC,
    "ORCFILE": StorageFormat.ORC,
    "AVRO": StorageFormat.AVRO,
    "TEXTFILE": StorageFormat.TEXTFILE,
    "JSONFILE": StorageFormat.JSON,
    "ION": StorageFormat.ION,
    "SEQUENCEFILE": StorageFormat.SEQUENCEFILE,
    "RCFILE": StorageFormat.RCBINARY,
}

MULTI_DELIMIT: Final = frozenset(
    {
        "org.apache.hadoop.hive.contrib.serde2.MultiDelimitSerDe",
        "org.apache.hadoop.hive.serde2.MultiDelimitSerDe",
    }
)
"""TEXTFILE's, with a text of any length between columns."""

_SERDES: Final[Mapping[str, StorageFormat]] = {
    **{
        classes.serialization_library: storage_format
        for storage_format, classes in CLASSES.items()
        if storage_format is not StorageFormat.SEQUENCEFILE  # LazySimpleSerDe means TEXTFILE first
    },
    **dict.fromkeys(MULTI_DELIMIT, StorageFormat.TEXTFILE),
    "parquet.hive.serde.ParquetHiveSerDe": StorageFormat.PARQUET,
    "org.apache.hadoop.hive.serde2.JsonSerDe": StorageFormat.JSON,
    "org.apache.hadoop.hive.contrib.serde2.RegexSerDe": StorageFormat.REGEX,
}
# An input format that changes what its SerDe alone would mean.
_BY_INPUT_FORMAT: Final[Mapping[tuple[StorageFormat, str], StorageFormat]] = {
    (StorageFormat.TEXTFILE, _SEQUENCE_INPUT): StorageFormat.SEQUENCEFILE,
    (StorageFormat.JSON, _CLOUDTRAIL_INPUT): StorageFormat.CLOUDTRAIL,
}
_OTHER_INPUT_FORMATS: Final[Mapping[str, StorageFormat]] = {
    "parquet.hive.DeprecatedParquetInputFormat": StorageFormat.PARQUET,
}
_SYMLINKED: Final = frozenset(CLASSES) - {
    StorageFormat.CLOUDTRAIL,
    StorageFormat.ION,
    StorageFormat.SEQUENCEFILE,
    StorageFormat.RCTEXT,
    StorageFormat.RCBINARY,
}


def stored_as(name: str) -> FormatClasses:
    """Expand the shorthand of `STORED AS name`."""
    try:
        return CLASSES[STORED_AS[name.upper()]]
    except KeyError:
        known = ", ".join(sorted(STORED_AS))
        raise UnsupportedFormatError(
            f"STORED AS {name} is not supported; the known formats are {known}"
        ) from None


def resolve_format(descriptor: StorageDescriptor) -> ResolvedFormat:
    """Find the format that a StorageDescriptor's class names mean, or refuse them by name."""
    library = descriptor.serde_info.serialization_library if descriptor.serde_info else None
    if not library:
        raise UnsupportedFormatError("the StorageDescriptor names no serialization library")
    storage_format = _SERDES.get(library)
    if storage_format is None:
        raise UnsupportedFormatError(f"SerDe {library} is not supported")
    input_format = descriptor.input_format
    if not input_format:
        raise UnsupportedFormatError(f"SerDe {library} is given without an input format")
    if input_format == _SYMLINK_INPUT and storage_format in _SYMLINKED:
        return ResolvedFormat(storage_format, is_symlink_manifest=True)
    storage_format = _BY_INPUT_FORMAT.get((storage_format, input_format), storage_format)
    fits = (
        input_format == CLASSES[storage_format].input_format
        or _OTHER_INPUT_FORMATS.get(input_format) is storage_format
    )
    if not fits:
        raise UnsupportedFormatError(
            f"SerDe {library} with input format {input_format} is not supported"
        )
    return ResolvedFormat(storage_format)


def serde_properties(
    descriptor: StorageDescriptor, table_parameters: Mapping[str, str]
) -> Mapping[str, str]:
    """Merge the properties a SerDe is given: the table's win over the SerDe's, as in Hive."""
    serde = descriptor.serde_info or SerDeInfo()
    return {**serde.parameters, **table_parameters}
