"""The client is a package of its own, which needs httpx and nothing of the product."""

import ast
import subprocess
import sys
import tomllib

from evalapp.env import REPOSITORY

SOURCE = REPOSITORY / "client" / "evalapp_client"
PROJECT = tomllib.loads((REPOSITORY / "client" / "pyproject.toml").read_text())["project"]


def test_it_imports_httpx_and_the_standard_library_alone() -> None:
    found = set()
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    # pytest is there where its plugin is loaded.
    assert found - sys.stdlib_module_names == {"evalapp_client", "httpx", "pytest"}
    assert [each.partition(">")[0] for each in PROJECT["dependencies"]] == ["httpx"]


def test_it_runs_where_django_and_pytest_are_not_installed() -> None:
    program = (
        "import sys\n"
        "for name in ('django', 'pytest', 'evalapp'):\n"
        "    sys.modules[name] = None\n"
        "import evalapp_client\n"
        "evalapp_client.Client('http://127.0.0.1:1', 'eva_x', 'p').stream(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY / "client",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_it_tells_that_it_is_typed_and_where_its_plugin_is() -> None:
    assert (SOURCE / "py.typed").exists()
    assert PROJECT["entry-points"]["pytest11"] == {"evalapp": "evalapp_client.pytest_plugin"}
