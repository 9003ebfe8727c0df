"""The house keeps its shape: small files, small functions, few parameters, honest exports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("querysvc", "catalog/querysvc_catalog", "drivers/querysvc_drivers")
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
POSITIONAL_PARAMETERS_MAX = 5
GENERATED_MARK = "generated"
CALLED_BY_NAME = (ROOT / "querysvc" / "cli", ROOT / "querysvc" / "rest")
"""Routes and commands: their parameters are a request's fields, passed by name."""

MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def _is_generated(path: Path) -> bool:
    first_line = path.read_text().partition("\n")[0]
    return GENERATED_MARK in first_line.lower()


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    length = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function):
        docstring = function.body[0]
        length -= docstring.end_lineno - docstring.lineno + 1
    return length


def test_the_packages_have_modules() -> None:
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_is_small_and_so_are_its_functions(path: Path) -> None:
    if _is_generated(path):
        return
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES_MAX, f"{path} is over {FILE_LINES_MAX} lines"
    tree = ast.parse(text)
    assert not text.strip() or ast.get_docstring(tree), f"{path} has no docstring"
    for function in _functions(tree):
        where = f"{path}:{function.lineno} {function.name}"
        assert _body_lines(function) <= FUNCTION_LINES_MAX, f"{where} is too long"
        if any(folder in path.parents for folder in CALLED_BY_NAME):
            continue
        arguments = function.args.posonlyargs + function.args.args
        positional = [a for a in arguments if a.arg not in ("self", "cls")]
        assert len(positional) <= POSITIONAL_PARAMETERS_MAX, f"{where} has too many parameters"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_exports_are_real(package: str) -> None:
    for path in (ROOT / package).rglob("__init__.py"):
        tree = ast.parse(path.read_text())
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                names = ast.literal_eval(node.value)
                assert len(names) == len(set(names)), f"{path}: __all__ repeats a name"
                bound = (
                    {
                        alias.asname or alias.name
                        for imported in ast.walk(tree)
                        if isinstance(imported, ast.ImportFrom)
                        for alias in imported.names
                    }
                    | {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
                    | {
                        t.id
                        for a in tree.body
                        if isinstance(a, ast.Assign | ast.AnnAssign)
                        for t in (a.targets if isinstance(a, ast.Assign) else [a.target])
                        if isinstance(t, ast.Name)
                    }
                )
                assert set(names) <= bound, f"{path}: __all__ names what is not there"


def test_only_the_engine_imports_duckdb() -> None:
    """The API process never imports duckdb: workers are started by exec, not by import."""
    allowed = ROOT / "querysvc" / "engines" / "duckdb"
    for path in MODULES:
        if allowed in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not any(n == "duckdb" or n.startswith("duckdb.") for n in names), path


def test_importing_what_the_api_process_runs_does_not_import_duckdb() -> None:
    import subprocess
    import sys

    code = (
        "import sys, querysvc.bootstrap, querysvc.rest, querysvc.cli;"
        "sys.exit(any(m.split('.')[0] in ('duckdb', '_duckdb') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
