"""Reading results of queries that may be read: pages, batches, streams, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from querysvc.errors import ErrorCode, QueryServiceError
from querysvc.model import QueryExecution, QueryState, ResultColumn
from querysvc.results.encoders import ENCODERS, file_chunks
from querysvc.results.files import TextFiles, text_suffix
from querysvc.results.pages import ResultFormat, ResultPage, decode_page_token, encode_page_token
from querysvc.results.spool import SpoolDirectory, SpoolReader
from querysvc.service.running import RunningQueries, RunningQuery, stored_error
from querysvc.state.repository import QueryRepository

_ROWS_MAX = 100_000


class ResultAccess:
    """Reads spools; a query's failure is raised as its own error."""

    def __init__(
        self,
        queries: QueryRepository,
        spools: SpoolDirectory,
        texts: TextFiles,
        running: RunningQueries,
    ) -> None:
        self._queries = queries
        self._spools = spools
        self._texts = texts
        self._running = running

    def page(
        self, query: QueryExecution, *, page_token: str | None, rows_max: int, allow_partial: bool
    ) -> ResultPage:
        """Rows from the token's row on."""
        if not 1 <= rows_max <= _ROWS_MAX:
            raise QueryServiceError(
                ErrorCode.INVALID_REQUEST, f"A page has from 1 to {_ROWS_MAX} rows."
            )
        first_row = 0 if page_token is None else decode_page_token(page_token)
        if allow_partial and query.state in (QueryState.QUEUED, QueryState.RUNNING):
            return self._partial_page(query, first_row, rows_max)
        columns, reader = self._finished(query)
        batches = reader.slice(first_row, rows_max)
        end = first_row + sum(batch.num_rows for batch in batches)
        token = encode_page_token(end) if end < reader.rows else None
        return ResultPage(columns, batches, first_row, token)

    def follow(self, query: QueryExecution, *, first_row: int) -> Iterator[pa.RecordBatch]:
        """The batches from a row on, waiting for those to come."""
        running = self._running.get(query.id)
        if query.state is QueryState.RUNNING and running is not None:
            return self._follow(running, first_row)
        _, reader = self._finished(query)
        return reader.batches(first_row)

    def stream(self, query: QueryExecution, result_format: ResultFormat) -> Iterator[bytes]:
        """The whole result, encoded."""
        if result_format is ResultFormat.CSV:
            return file_chunks(self.text_file(query, suffix=".csv"))
        columns, reader = self._finished(query)
        return ENCODERS[result_format](columns, reader.batches())

    def text_file(self, query: QueryExecution, suffix: str | None = None) -> Path:
        """The result's text file, made if need be."""
        columns, _ = self._finished(query)
        natural = text_suffix(query.statement_type, query.substatement_type)
        return self._texts.ensure(query.id, columns, suffix or natural)

    def _finished(self, query: QueryExecution) -> tuple[tuple[ResultColumn, ...], SpoolReader]:
        if query.state is QueryState.SUCCEEDED:
            if not query.columns:
                return (), SpoolReader(self._spools.stream_path(query.id), ())
            return query.columns, self._spools.open(query.id)
        if query.error is not None:
            raise stored_error(query.error)
        raise QueryServiceError(
            ErrorCode.QUERY_NOT_FINISHED,
            f"Query has not yet finished. Current state: {query.state.value}",
        )

    def _partial_page(self, query: QueryExecution, first_row: int, rows_max: int) -> ResultPage:
        running = self._running.get(query.id)
        batches: tuple[pa.RecordBatch, ...] = ()
        if running is not None and query.columns is not None:
            batches = running.live.reader().slice(first_row, rows_max)
            if batches:
                self._expose(running)
        end = first_row + sum(batch.num_rows for batch in batches)
        return ResultPage(
            query.columns or (), batches, first_row, encode_page_token(end), is_complete=False
        )

    def _follow(self, running: RunningQuery, first_row: int) -> Iterator[pa.RecordBatch]:
        row = first_row
        try:
            for batch in running.live.follow(first_row):
                self._expose(running)
                row += batch.num_rows
                yield batch
        except QueryServiceError as error:
            # The files of a query that failed go while we read: its own error is told below.
            if error.code is not ErrorCode.RESULT_EXPIRED:
                raise
        # The writer has ended: only the stored state tells whether these were all the rows.
        final = self._queries.get(running.id)
        assert final is not None, "queries are not deleted"
        _, reader = self._finished(final)
        yield from reader.batches(row)

    def _expose(self, running: RunningQuery) -> None:
        if running.expose_results():
            self._queries.expose_results(running.id, running.claimed.fencing_token)
