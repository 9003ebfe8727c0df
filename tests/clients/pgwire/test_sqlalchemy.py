"""SQLAlchemy's PostgreSQL dialect: reflection and queries."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.support.pg_stack import PgStack

pytest.importorskip("psycopg")


def test_tables_are_reflected_and_queried(stack: PgStack) -> None:
    url = f"postgresql+psycopg://eve@127.0.0.1:{stack.port}/tpch?options=-csearch_path%3Dtiny"
    engine = sa.create_engine(url)
    inspector = sa.inspect(engine)
    assert inspector.get_schema_names() == ["information_schema", "tiny"]
    assert "nation" in inspector.get_table_names("tiny")
    assert inspector.get_view_names("tiny") == []
    shown = {c["name"]: str(c["type"]) for c in inspector.get_columns("every_type", "tiny")}
    assert shown["dec"] == "NUMERIC(12, 2)"
    assert shown["v5"] == "VARCHAR(5)"
    assert shown["a"] == "ARRAY"
    assert inspector.get_pk_constraint("nation", "tiny")["constrained_columns"] == []
    assert inspector.get_indexes("nation", "tiny") == []
    assert inspector.has_table("nation", schema="tiny")
    assert not inspector.has_table("nowhere")
    metadata = sa.MetaData()
    metadata.reflect(engine, schema="tiny", views=True)
    nation = metadata.tables["tiny.nation"]
    query = (
        sa.select(nation.c.regionkey, sa.func.count())
        .where(nation.c.name != "CANADA")
        .group_by(nation.c.regionkey)
        .order_by(nation.c.regionkey)
        .limit(2)
        .offset(1)
    )
    with engine.connect() as connection:
        assert connection.execute(query).fetchall() == [(1, 4), (2, 5)]
    engine.dispose()
