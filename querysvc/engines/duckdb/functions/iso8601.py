"""ISO 8601 texts as Joda's ISODateTimeFormat reads them."""

from __future__ import annotations

from querysvc.engines.duckdb.functions.joda_parse import (
    Bucket,
    ParseError,
    take_fraction,
    take_number,
    take_offset,
)


def parse_iso_date(text: str) -> Bucket:
    """A calendar, ordinal or week date, alone."""
    bucket = Bucket()
    _finish(text, _take_date(text, 0, bucket))
    return bucket


def parse_iso_timestamp(text: str) -> Bucket:
    """A date, a time behind T, or both, and then an offset."""
    bucket = Bucket()
    position = 0 if text[:1] in ("T", "t") and text else _take_date(text, 0, bucket)
    if text[position : position + 1] in ("T", "t") and 0 <= position < len(text):
        behind = _take_time(text, position + 1, bucket)
        if behind < 0 and not bucket.fields:
            raise ParseError(f'Invalid format: "{text}"')
        position = behind if behind >= 0 else position + 1
        with_offset = take_offset((), text, position, bucket)
        position = with_offset if with_offset >= 0 else position
    _finish(text, position)
    return bucket


def _finish(text: str, position: int) -> None:
    if position != len(text):
        raise ParseError(f'Invalid format: "{text}"')


def _take_date(text: str, position: int, bucket: Bucket) -> int:
    """The form that takes most of the text; the first of equals."""
    best, best_fields = -1, bucket.fields
    for take in (_take_month_date, _take_week_date, _take_ordinal_date):
        trial = Bucket(list(bucket.fields))
        end = take(text, position, trial)
        if end > best:
            best, best_fields = end, trial.fields
    bucket.fields = best_fields
    return best


def _take_month_date(text: str, position: int, bucket: Bucket) -> int:
    end = take_number(text, position, 9, bucket, "year", is_signed=True)
    for name in ("month", "day"):
        if end < 0 or text[end : end + 1] != "-":
            break
        behind = take_number(text, end + 1, 2, bucket, name, is_signed=False)
        if behind < 0:
            break
        end = behind
    return end


def _take_week_date(text: str, position: int, bucket: Bucket) -> int:
    end = take_number(text, position, 9, bucket, "week year", is_signed=True)
    if end < 0 or text[end : end + 2].upper() != "-W":
        return -1
    end = take_number(text, end + 2, 2, bucket, "week", is_signed=False)
    if end < 0 or text[end : end + 1] != "-":
        return end
    behind = take_number(text, end + 1, 1, bucket, "day of week", is_signed=False)
    return behind if behind >= 0 else end


def _take_ordinal_date(text: str, position: int, bucket: Bucket) -> int:
    end = take_number(text, position, 9, bucket, "year", is_signed=True)
    if end < 0 or text[end : end + 1] != "-":
        return -1
    return take_number(text, end + 1, 3, bucket, "day of year", is_signed=False)


def _take_time(text: str, position: int, bucket: Bucket) -> int:
    """HH[:mm[:ss]], the last with a fraction of its own."""
    end = take_number(text, position, 2, bucket, "hour", is_signed=False)
    if end < 0:
        return -1
    unit = 3_600_000
    for name, smaller in (("minute", 60_000), ("second", 1000)):
        if text[end : end + 1] != ":":
            break
        behind = take_number(text, end + 1, 2, bucket, name, is_signed=False)
        if behind < 0:
            return end
        end, unit = behind, smaller
    if text[end : end + 1] in (".", ",") and end < len(text):
        behind = take_fraction(text, end + 1, 9, bucket, unit)
        return behind if behind >= 0 else end
    return end
