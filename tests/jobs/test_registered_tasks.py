"""Every task name that a job is created with is a task that a worker knows."""

import ast
import importlib
from pathlib import Path

import evalapp
from evalapp.celery import app

ROOT = Path(evalapp.__file__).parent


def queued_names() -> dict[str, str]:
    """Task name → where it is queued, of every call of ``create_job`` in the product."""
    found: dict[str, str] = {}
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name != "create_job" or (path.name == "services.py" and path.parent.name == "jobs"):
                continue
            task = next(word.value for word in call.keywords if word.arg == "task")
            for value in values_of(task, path):
                found[value] = f"{path}:{call.lineno}"
    return found


def values_of(node: ast.expr, path: Path) -> list[str]:
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    module = importlib.import_module(".".join(["evalapp", *path.relative_to(ROOT).with_suffix("").parts]))
    if isinstance(node, ast.Name) and isinstance(getattr(module, node.id, None), str):
        return [getattr(module, node.id)]
    if isinstance(node, ast.Attribute):
        owner = getattr(module, ast.unparse(node.value))
        return [getattr(owner, node.attr)]
    # A parameter: the module's own constants are what it is called with.
    return [value for name, value in vars(module).items() if name.endswith("_TASK")]


def test_every_queued_task_is_registered() -> None:
    app.loader.import_default_modules()
    unknown = {name: place for name, place in queued_names().items() if name not in app.tasks}
    assert unknown == {}


def test_the_reaper_is_scheduled_under_a_registered_name() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} - set(app.tasks) == set()
