"""docs/settings.md is what the settings say."""

from __future__ import annotations

from pathlib import Path

from querysvc.settings import Settings
from tests.support.settings_page import OF_MACHINE, page

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_page_of_settings_is_current() -> None:
    message = "run: .venv/bin/python -m tests.support.settings_page > docs/settings.md"
    assert PAGE.read_text() == page(), message


def test_page_names_every_setting_and_no_default_of_this_machine() -> None:
    text = page()
    for name in Settings.model_fields:
        assert f"\n| `{name}` |" in text
    assert set(OF_MACHINE) <= set(Settings.model_fields)
