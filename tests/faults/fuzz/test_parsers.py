"""Parsers of what comes from outside refuse by name whatever they are given, and soon."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fuzz.parsers import Parser, changed, parsers

INPUTS = 100
SECONDS_MAX = 2.0
"""Of the processor, for one input."""
PARSERS = parsers()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_samples_are_read(parser: Parser) -> None:
    for sample in parser.samples:
        parser.read(sample)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@settings(max_examples=INPUTS, derandomize=True, deadline=None, database=None)
@given(chance=st.randoms(use_true_random=True))
def test_changed_bytes_are_read_or_refused_by_name(parser: Parser, chance: random.Random) -> None:
    data = changed(chance.choice(parser.samples), chance)
    began = time.process_time()
    try:
        parser.read(data)
    except parser.refusals:
        pass
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}: {data[:300]!r}") from error
    assert time.process_time() - began < SECONDS_MAX, data[:300]
