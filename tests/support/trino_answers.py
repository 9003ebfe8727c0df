"""A fake gate and engine that answer given statements with given rows of any type."""

from __future__ import annotations

import types
from pathlib import Path

import pyarrow as pa

from querysvc import tree
from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import Principal, Progress, ResultColumn, Session, Statistics
from querysvc.plan import AnalysedStatement, ExecutionControl, ExecutionOutcome, ExecutionPlan
from querysvc.types.parse import parse_type
from tests.support.fakes import FakeEngine, FakeGate


class Answers:
    """What statements answer: columns by name and type text, rows as Arrow batches."""

    def __init__(self, gate: FakeGate) -> None:
        self._gate = gate
        self.batches: dict[tuple[ResultColumn, ...], list[pa.RecordBatch]] = {}
        self.parameters: list[tuple[str, ...]] = []
        self._analyse = gate.analyse
        gate.analyse = self._recorded  # type: ignore[method-assign]  # the fake is ours to watch

    def _recorded(
        self, sql: str, session: Session, parameters: tuple[str, ...], principal: Principal
    ) -> object:
        self.parameters.append(parameters)
        return self._analyse(sql, session, parameters, principal)

    def add(self, sql: str, columns: dict[str, str], *batches: pa.RecordBatch) -> None:
        """The statement answers these batches (columns by position)."""
        own = tuple(ResultColumn(name, parse_type(text)) for name, text in columns.items())
        fields = tuple(tree.Field(column.name, column.type) for column in own)
        query = tree.Query(output=fields, body=tree.ValuesBody(()))
        self._gate.statements[sql] = AnalysedStatement(query, (), own)
        self.batches[own] = list(batches)


class AnsweringEngine:
    """Makes a FakeEngine write the batches of `Answers`."""

    @staticmethod
    def install(engine: FakeEngine, answers: Answers) -> None:
        """Replace the engine's execution."""
        plain = engine.execute

        def execute(
            self: FakeEngine, plan: ExecutionPlan, spool: Path, control: ExecutionControl
        ) -> ExecutionOutcome:
            batches = answers.batches.get(plan.columns)
            if batches is None:
                return plain(plan, spool, control)
            return _write(spool, control, batches)

        engine.execute = types.MethodType(execute, engine)  # type: ignore[method-assign]


def _write(
    spool: Path, control: ExecutionControl, batches: list[pa.RecordBatch]
) -> ExecutionOutcome:
    names = [str(index) for index in range(batches[0].num_columns)]
    schema = pa.schema(zip(names, batches[0].schema.types, strict=True))
    rows = 0
    with spool.open("wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            if control.is_cancelled():
                raise QueryServiceError(ErrorCode.USER_CANCELED, "Query was canceled")
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            sink.flush()
            control.on_batch(sink.tell(), batch.num_rows)
            rows += batch.num_rows
            control.on_progress(Progress(None, 0, None, rows))
    return ExecutionOutcome(rows, Statistics(result_rows=rows))
