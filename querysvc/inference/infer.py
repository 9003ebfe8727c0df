"""From samples to one schema, and what they disagree about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.inference.containers import container
from querysvc.inference.hive_types import common
from querysvc.inference.model import Draft, Inferred, Sample, Schema, UnreadableError
from querysvc.inference.text import text


def infer(samples: tuple[Sample, ...]) -> Inferred:
    """The schema of a table over objects like these; INVALID_REQUEST when none can be read."""
    notes: list[str] = []
    drafts: list[tuple[Sample, Draft]] = []
    unreadable: list[tuple[str, str]] = []
    for sample in samples:
        try:
            draft = container(sample) or text(sample)
        except UnreadableError as error:
            notes.append(f"{sample.key}: {error}")
            unreadable.append((sample.key, str(error)))
            continue
        notes += [f"{sample.key}: {note}" for note in draft.notes]
        drafts.append((sample, draft))
    if not drafts:
        raise QueryServiceError(
            ErrorCode.INVALID_REQUEST, "No sampled object can be read. " + "; ".join(notes[:3])
        )
    return Inferred(_merged(drafts, notes), tuple(notes), tuple(unreadable))


def _merged(drafts: Sequence[tuple[Sample, Draft]], notes: list[str]) -> Schema:
    """The schema of most samples, widened by the others of its format."""
    forms = Counter(_form(draft.schema) for _, draft in drafts)
    form = forms.most_common(1)[0][0]
    schema: Schema | None = None
    for sample, draft in drafts:
        if _form(draft.schema) != form:
            notes.append(f"{sample.key}: is {draft.schema.storage_format}, most are {form[0]}")
        elif schema is None:
            schema = draft.schema
        else:
            schema = _widened(schema, sample.key, draft.schema, notes)
    assert schema is not None, "the commonest form is some draft's"
    return schema


def _form(schema: Schema) -> tuple[object, ...]:
    return schema.storage_format, schema.serde_parameters, schema.table_parameters


def _widened(schema: Schema, key: str, other: Schema, notes: list[str]) -> Schema:
    columns = dict(schema.columns)
    for name, kind in other.columns:
        known = columns.setdefault(name, kind)
        if known != kind:
            columns[name] = common(known, kind)
            notes.append(f"{key}: column {name} is {kind}, elsewhere {known}: {columns[name]}")
    missing = [name for name, _ in schema.columns if name not in dict(other.columns)]
    if missing:
        notes.append(f"{key}: lacks {', '.join(missing)}")
    return Schema(
        schema.storage_format,
        tuple(columns.items()),
        schema.serde_parameters,
        schema.table_parameters,
    )
