"""Every benchmark still runs to its last figure, in a size that says nothing about the figure."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from evalapp.env import REPOSITORY
from proofs.figures import MISSED
from proofs.parts import PARTS

PURE = {
    "rouge": (("--pairs", "4", "--words", "20", "--rounds", "1"), "100,000 pairs with BLEU and token F1 too"),
    "statistics_bootstrap": (("--ratings", "300", "--rounds", "1"), "pace of one measure in a loop"),
    "severity": (("--scores", "480"), "fit of 480 scores"),
}
ON_A_DATABASE = {
    "import_rows": (("200",), "memory"),
    "import_ratings": (("--ratings", "400"), "memory of a job"),
    "data_health": (("--rows", "300"), "diff of two versions"),
    "events": (
        ("--events", "60", "--seconds", "0.5", "--clients", "3", "--year", "400"),
        "all daily metrics by the API",
    ),
    "review_flow": (("--items", "600", "--clients", "3", "--seconds", "1"), "script, p95"),
    "review_paint": (("--reviews", "3"), "next answer painted, p95"),
    "claim_scale": (
        ("--items", "800", "--small", "800", "--rounds", "1", "--each", "2", "--looks", "3"),
        "submit, whole request, p95",
    ),
    "slow_clients": (("--clients", "4", "--seconds", "0.3"), "p95 beside idle"),
    # As small as a campaign whose figures a job computes.
    "dashboard": (("--ratings", "20300", "--looks", "3"), "with what the job stored"),
}
OF_THE_PROGRAMS = ("start", "training", "generation", "label_studio")


def comes_to(figure: str, told: str) -> bool:
    """Whether the last figure that was told is this one."""
    return figure in re.findall("^Figure: (.*)", told, re.MULTILINE)[-1]


def said_by(name: str, *arguments: str, **environment: str) -> str:
    """What a benchmark prints. It may miss its figure: the machine is shared, and the size is tiny."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *arguments],
        cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        timeout=900,
    )  # fmt: skip
    assert done.returncode in (0, MISSED), done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_each_that_make_bench_runs_is_run_here() -> None:
    ran = {part.benchmark for part in PARTS if part.benchmark}
    assert ran == {*PURE, *ON_A_DATABASE, *OF_THE_PROGRAMS}


@pytest.mark.parametrize("name", PURE)
def test_one_that_computes_comes_to_its_figure(name: str) -> None:
    arguments, figure = PURE[name]
    assert comes_to(figure, said_by(name, *arguments))


@pytest.mark.parametrize("name", ON_A_DATABASE)
def test_one_with_servers_comes_to_its_figure(name: str, django_db_setup: None) -> None:
    arguments, figure = ON_A_DATABASE[name]
    connection.close()
    if getattr(connection, "pool", None):
        connection.close_pool()
    template = (
        urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    )
    assert comes_to(figure, said_by(name, *arguments, BENCH_DATABASE_TEMPLATE=template))


def test_the_start_comes_to_its_figure() -> None:
    told = said_by("start", "--rounds", "1", "--pages", "8", "--without-models")
    assert comes_to("memory of the web server", told)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("trl")
    from tests.run_directory.tiny import make_base

    return make_base(tmp_path_factory.mktemp("base") / "tiny", context=1024)


def test_the_training_comes_to_its_figure(base: Path) -> None:
    arguments = ("--rounds", "1", "--steps", "3", "--batch", "1", "--words", "4", "--threads", "1")
    assert comes_to("of bare TRL's tokens/s", said_by("training", "--base", str(base), *arguments))


def test_the_generation_answers_with_transformers(base: Path) -> None:
    from argparse import Namespace

    from bench.generation import _ours

    options = Namespace(prompts=2, words=4, most_tokens=4)
    assert _ours(options, base, "transformers") >= 0


@pytest.mark.vllm
def test_the_generation_comes_to_its_figure(base: Path) -> None:
    arguments = ("--rounds", "1", "--prompts", "2", "--words", "4", "--most-tokens", "4")
    told = said_by("generation", "--base", str(base), *arguments)
    assert "nothing to compare: skipped" in told or comes_to("of bare vLLM's tokens/s", told)


def test_without_its_peer_the_comparison_says_so(tmp_path: Path) -> None:
    assert "Skipped: Label Studio is not installed" in said_by("label_studio", str(tmp_path))
