"""Statements spliced from the escape corpus, attacks in DuckDB's SQL and honest queries.

A statement is cut into tokens; heads and tails are joined, tokens are swapped, doubled, dropped,
replaced by names of what is hidden, and odd characters are put between. Same seed, same statements.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Final

from tests.faults.escape import corpus, native

HONEST: Final = (
    "SELECT a, b FROM open.t WHERE a > 1 ORDER BY b LIMIT 3",
    "SELECT count(*), max(b) FROM open.t GROUP BY a HAVING count(*) > 0",
    "WITH x AS (SELECT * FROM open.t) SELECT x.a FROM x JOIN open.t y ON x.a = y.a",
    "SELECT a FROM open.t UNION ALL SELECT a FROM open.t EXCEPT SELECT 1",
    "SELECT rank() OVER (PARTITION BY a ORDER BY b) FROM open.t",
    "SELECT CASE WHEN a = 1 THEN b ELSE CAST(a AS varchar) END FROM open.t",
    "SELECT transform(ARRAY[1, 2], x -> x + a) FROM open.t",
    "SELECT * FROM UNNEST(MAP(ARRAY['k'], ARRAY[1])) AS u(k, v), open.t",
    "EXPLAIN ANALYZE SELECT * FROM open.t",
    "EXPLAIN (TYPE IO, FORMAT JSON) SELECT * FROM open.t",
    "PREPARE p FROM SELECT * FROM open.t WHERE a = ?",
    "EXECUTE IMMEDIATE 'SELECT * FROM open.t WHERE a = ?' USING 1",
    "SELECT * FROM information_schema.columns WHERE table_name = 't'",
    "SELECT * FROM system.runtime.queries",
    "CREATE TABLE open.made WITH (format = 'JSON') AS SELECT * FROM open.t",
    "INSERT INTO open.t SELECT * FROM open.t",
    "UNLOAD (SELECT * FROM open.t) TO 's3://lake/out/' WITH (format = 'PARQUET')",
    "CREATE VIEW open.v AS SELECT * FROM open.t",
    'SELECT "$path", t.* FROM open.t',
    "SHOW CREATE TABLE open.t",
    "DESCRIBE EXTENDED open.t",
    "SHOW PARTITIONS open.t",
    "MSCK REPAIR TABLE open.t",
    "ALTER TABLE open.t SET TBLPROPERTIES ('a' = 'b')",
)
HIDDEN: Final = (
    *("hidden.canary", '"hidden"."canary"', "canary", "secret", "awsdatacatalog.hidden.canary"),
    *('hidden."canary$partitions"', 'hidden."canary$rejects"', "open.t", "'s3://lake/hidden/'"),
    *("'{file}'", "'{url}'", "read_text('{file}')", "'s3://lake/hidden/a.csv'", "hidden.shown"),
)
ODD: Final = (
    *("'", '"', "--", "/*", "*/", ";", "$$", "\x00", "\u00a0", "\u200b", "\ufeff", "\u2028"),
    *("\\", "(", ")", "[", "{{", "?", ":x", "||", "::", "->", "`", "\ud7ff", "\U0001f600", "\r"),
)
_TOKEN: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\w+|\s+|[^\w\s]")
STATEMENT_LENGTH_MAX: Final = 2000


def splices(seed: int) -> Iterator[str]:
    """Statements without an end, with `{file}` and `{url}` to be filled."""
    chooser = random.Random(seed)
    attacks = [*corpus.refused(), *corpus.HARMLESS, *native.attacks()]
    honest = [_TOKEN.findall(one) for one in HONEST]
    pool = [_TOKEN.findall(one) for one in attacks] + honest
    while True:
        # Half of them are honest statements changed a little: much of the way is open to them.
        is_mild = chooser.random() < 0.5
        tokens = list(chooser.choice(honest if is_mild else pool))
        for _ in range(1 if is_mild else chooser.randint(1, 3)):
            tokens = chooser.choice(_MILD if is_mild else _CHANGES)(chooser, tokens, pool)
        # Braces are placeholders: those that a splice cut open are dropped.
        text = "".join(tokens)[:STATEMENT_LENGTH_MAX]
        yield re.sub(r"\{(?!file\}|url\}|folder\})|(?<!\{file)(?<!\{url)(?<!\{folder)\}", "", text)


def _joined(chooser: random.Random, tokens: list[str], pool: list[list[str]]) -> list[str]:
    other = chooser.choice(pool)
    return tokens[: chooser.randint(0, len(tokens))] + other[chooser.randint(0, len(other)) :]


def _inserted(chooser: random.Random, tokens: list[str], pool: list[list[str]]) -> list[str]:
    other, at = chooser.choice(pool), chooser.randint(0, len(tokens))
    start = chooser.randint(0, len(other))
    return [*tokens[:at], "(", *other[start : start + 12], ")", *tokens[at:]]


def _hidden(chooser: random.Random, tokens: list[str], _: list[list[str]]) -> list[str]:
    names = [at for at, token in enumerate(tokens) if token.isidentifier() or token[:1] in "'\""]
    if names:
        tokens[chooser.choice(names)] = chooser.choice(HIDDEN)
    return tokens


def _oddly(chooser: random.Random, tokens: list[str], _: list[list[str]]) -> list[str]:
    tokens.insert(chooser.randint(0, len(tokens)), chooser.choice(ODD))
    return tokens


def _swapped(chooser: random.Random, tokens: list[str], _: list[list[str]]) -> list[str]:
    if tokens:
        one, other = chooser.randrange(len(tokens)), chooser.randrange(len(tokens))
        tokens[one], tokens[other] = tokens[other], tokens[one]
    return tokens


def _dropped(chooser: random.Random, tokens: list[str], _: list[list[str]]) -> list[str]:
    at = chooser.randint(0, len(tokens))
    return tokens[:at] + tokens[at + chooser.randint(1, 3) :]


def _nested(chooser: random.Random, tokens: list[str], _: list[list[str]]) -> list[str]:
    inner = _TOKEN.findall(chooser.choice(HONEST[:8]))
    names = [at for at, token in enumerate(tokens) if token == "t"]
    if not names:
        return ["SELECT", " ", "*", " ", "FROM", " ", "(", *tokens, ")", " ", "z"]
    at = chooser.choice(names)  # open.t
    return [*tokens[: max(0, at - 2)], "(", *inner, ")", " ", *tokens[at + 1 :]]


def _reordered(chooser: random.Random, tokens: list[str], _: list[list[str]]) -> list[str]:
    return [
        chooser.choice(("a", "b")) if token in ("a", "b", "secret") else token for token in tokens
    ]


_MILD: Final = (_hidden, _nested, _nested, _reordered, _oddly)
_CHANGES: Final = (_joined, _joined, _inserted, _hidden, _hidden, _oddly, _swapped, _dropped)
