"""docs/settings.md from the settings: python -m tests.support.settings_page > docs/settings.md"""

from __future__ import annotations

from querysvc.settings import BucketSettings, Settings, describe_settings

INTRODUCTION = """# Settings

Made from `querysvc/settings.py` by `python -m tests.support.settings_page > docs/settings.md`; a
test fails when it is not current. `querysvc settings` prints the same list.

A setting `some_name` is given, and the first of these wins, as

1. a flag of `querysvc serve` (and `doctor`): `--some-name value`;
2. an environment variable: `QUERYSVC_SOME_NAME=value`;
3. a line of the file that `--config` (or `QUERYSVC_CONFIG`) names: `some_name = value`, in TOML;
4. the default below.

The last word of a name is its unit. A wrong or unknown setting ends the start with exit code 1 and
a message that names the setting, never its value. «This machine's» defaults depend on the cores
that the process may use.

| setting | type | default | what it does |
|---|---|---|---|
"""

OF_MACHINE = {
    "state_dir": "`$XDG_STATE_HOME/querysvc`, else `~/.local/state/querysvc`",
    "running_queries_max": "this machine's: 2 a core, at least 4",
    "query_threads": "this machine's: 1 a core, at most 8",
    "idle_workers": "this machine's: 1 a core, at least 2",
    "analysis_processes": "this machine's: 1 a core, at least 2",
}
"""The defaults that differ from machine to machine, in words."""

BUCKETS = """
## Single buckets

What differs for one bucket is a table of the file, here for bucket `partner-data`:

```toml
[s3_buckets.partner-data]
endpoint = "https://s3.partner.example"
region = "eu-central-1"
```

| key | what it does |
|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = [
        f"| `{one.name}` | {_cell(one.type)} | {_default(one.name, one.default)}"
        f" | {_cell(one.help)} |\n"
        for one in describe_settings()
    ]
    buckets = [
        f"| `{name}` | {_cell(field.description or '')} |\n"
        for name, field in BucketSettings.model_fields.items()
    ]
    return INTRODUCTION + "".join(rows) + BUCKETS + "".join(buckets)


def _default(name: str, told: str) -> str:
    computed = Settings.model_fields[name].default_factory is not None and told
    if computed or name in OF_MACHINE:
        return OF_MACHINE[name]
    return f"`{told}`" if told else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
