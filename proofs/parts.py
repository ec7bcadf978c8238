"""The parts of `make verify`, `make chaos` and `make bench`: what each proves, and the code it rests on."""

from dataclasses import dataclass
from enum import StrEnum

WEB = ("evalapp", "templates", "static")
WITHOUT_ENGINES = "verification and not vllm and not gpu"
PROGRAMS = ("run_directory", "training", "inference")
STATISTICS = ("evalapp/stats",)


class Kind(StrEnum):
    VERIFY = "verify"
    CHAOS = "chaos"
    BENCH = "bench"


@dataclass(frozen=True)
class Part:
    """``tests``: files and folders of tests whose long ones this part runs; or ``benchmark``: a module of
    `bench` with its ``arguments``.

    ``marks``: the pytest expression that chooses the long ones.
    ``rests_on``: paths whose changes make a record older than the code, beside the tests or the benchmark.
    ``processes``: test processes side by side; 0: the part has the machine to itself.
    """

    kind: Kind
    name: str
    proves: str
    rests_on: tuple[str, ...]
    tests: tuple[str, ...] = ()
    marks: str = WITHOUT_ENGINES
    benchmark: str = ""
    arguments: tuple[str, ...] = ()
    processes: int = 2

    @property
    def paths(self) -> tuple[str, ...]:
        """All code that a record of this part speaks of."""
        return (*self.rests_on, *(self.tests or (f"bench/{self.benchmark}.py",)))


def verify(  # noqa: PLR0917 - one line of the table below
    name: str,
    proves: str,
    tests: str,
    rests_on: tuple[str, ...],
    marks: str = WITHOUT_ENGINES,
    processes: int = 2,
) -> Part:
    paths = tuple(f"tests/{each}" for each in tests.split())
    return Part(Kind.VERIFY, name, proves, rests_on, paths, marks, processes=processes)


def chaos(name: str, proves: str, tests: str) -> Part:
    return Part(
        Kind.CHAOS, name, proves, (*WEB, *PROGRAMS), tuple(f"tests/faults/{each}" for each in tests.split()),
        processes=0,
    )  # fmt: skip


def bench(name: str, proves: str, rests_on: tuple[str, ...], *arguments: str, module: str = "") -> Part:
    return Part(
        Kind.BENCH, name, proves, rests_on, benchmark=module or name, arguments=arguments, processes=0
    )


PARTS = (
    verify(
        "intervals",
        "95% intervals of means, differences, ranks, metrics and weighted samples hold the true value",
        "stats/test_agreement.py stats/test_ceiling.py stats/test_correlation.py stats/test_differences.py"
        " stats/test_population_coverage.py stats/test_prediction_powered.py stats/test_rank_intervals.py"
        " stats/test_scores.py stats/test_weighted.py stats/test_weighted_prediction.py",
        STATISTICS,
    ),
    verify(
        "bounds",
        "bounds near the ends of a scale keep their level for few and many reviewers",
        "stats/test_bound_levels.py",
        STATISTICS,
    ),
    verify(
        "power",
        "planned power is reached by simulated campaigns",
        "stats/test_planned_power.py stats/test_planning.py",
        STATISTICS,
    ),
    verify(
        "reviewer_severity",
        "the severity model finds known severities with honest intervals",
        "stats/test_severity.py",
        STATISTICS,
    ),
    verify(
        "causes",
        "the cause of moved scores is told, and changes that did not happen are not",
        "stats/test_drift_cause.py stats/test_input_mix.py stats/test_control_chart.py"
        " verification/test_weeks_in_production.py",
        ("evalapp/stats", "evalapp/monitoring"),
    ),
    verify(
        "gates",
        "release gates release a worse candidate no more often than their level, and a good one often enough",
        "gates stats/test_sequential.py",
        ("evalapp/stats", "evalapp/gates"),
    ),
    verify(
        "metrics",
        "verdicts on a metric and answers without reviews are right as often as they say",
        "analysis",
        ("evalapp/stats", "evalapp/analysis"),
    ),
    verify(
        "access",
        "every role on every URL; nothing sent to a reviewer reveals a model or other people's answers",
        "test_access.py blindness",
        WEB,
    ),
    verify("values", "every page answers every invalid number, date and text", "attacks", WEB),
    verify("api", "every API operation answers twenty random valid and invalid inputs", "api", WEB),
    verify(
        "pages",
        "every page in light and dark, wide and phone, without a finding of axe; charts, large campaigns,"
        " a campaign of a thousand items with fifty clients",
        "e2e/test_accessibility.py e2e/test_charts_seen.py e2e/test_large_campaign.py reviews",
        WEB,
    ),
    verify(
        "loop",
        "three people go round the whole loop in a browser; an engineer does so by the API",
        "e2e/test_whole_loop.py verification/test_engineer_journey.py verification/test_worked_examples.py",
        (*WEB, *PROGRAMS, "client", "docs/examples"),
    ),
    verify(
        "methods",
        "losses of every training method and objective, of several processes, and of continued trainings",
        "training",
        ("run_directory", "training"),
    ),
    verify(
        "programs",
        "programs that are killed, frozen or out of memory keep their work; runs by page, program and model",
        "inference run_directory runs",
        ("evalapp/runs", *PROGRAMS),
    ),
    verify(
        "survival",
        "runs go on after a kill; the product after a kill, a full disk and an interrupted restore",
        "embedded verification/test_survival.py",
        ("evalapp/embedded", "evalapp/runs", "evalapp/jobs", *PROGRAMS),
    ),
    verify(
        "first_run",
        "`make run` and `make test` work in a fresh clone with an empty HOME",
        "verification/test_first_run.py",
        ("installer", "pyproject.toml", "Makefile", "manage.py"),
    ),
    verify(
        "machines",
        "runs on two machines and on a Ray cluster, and what happens when one of them dies",
        "verification/test_two_machines.py verification/test_ray.py",
        ("evalapp/runs", "evalapp/artifacts", "evalapp/jobs", *PROGRAMS),
    ),
    verify(
        "demonstration",
        "the live demonstration trains, generates and ends with figures that the story tells",
        "verification/test_live_demonstration.py",
        ("evalapp/demo", "evalapp/runs", *PROGRAMS),
    ),
    verify(
        "engines",
        "vLLM answers as transformers do, continues after a kill, as fast as a bare engine",
        "bench inference",
        ("run_directory", "inference", "bench/generation.py"),
        "vllm",
        processes=0,
    ),
    verify(
        "gpu",
        "what only a GPU shows: quantised trainings, several GPUs, memory",
        "training inference",
        PROGRAMS,
        "gpu",
        processes=0,
    ),
    verify(
        "estimates",
        "estimated times of trainings are between 0.75 and 1.25 of what they take",
        "verification/test_estimates.py",
        ("evalapp/runs", "run_directory", "training"),
        processes=0,
    ),
    chaos(
        "processes",
        "reviewers at work while every kind of process is killed at least five times: nothing acknowledged is"
        " lost or doubled",
        "test_kills.py",
    ),
    chaos("browser", "the review page keeps what is typed while servers are down", "test_browser.py"),
    chaos(
        "jobs",
        "health checks, recipes, samples and counts that are killed end as if they had not been",
        "test_curation_kills.py test_monitor_kills.py",
    ),
    bench("rouge", "ROUGE against rouge-score", ("evalapp/metrics",)),
    bench("statistics_bootstrap", "100,000 ratings with 2,000 bootstrap replicates", STATISTICS),
    bench("severity", "the severity model on 20,000 scores", STATISTICS),
    bench("import_rows", "100,000 rows imported, against COPY", ("evalapp/datasets", "evalapp/imports")),
    bench(
        "import_ratings", "200,000 ratings imported, against COPY, and analysed",
        ("evalapp/ratings", "evalapp/imports", "evalapp/analysis", "evalapp/stats"),
    ),
    bench(
        "data_health", "health of 100,000 rows, search, Parquet, diff, recipe",
        ("evalapp/curation", "evalapp/datasets", "evalapp/exports"),
    ),
    bench(
        "data_health_1m", "search, Parquet, diff and recipe at 1,000,000 rows",
        ("evalapp/curation", "evalapp/datasets", "evalapp/exports"),
        "--rows", "1000000", "--without-health", module="data_health",
    ),
    bench("events", "production events stored, counted and shown", ("evalapp/monitoring",)),
    bench(
        "events_10m", "Monitor's pages with 1,000,000 and 10,000,000 events", ("evalapp/monitoring",),
        "--year", "1000000", "10000000", module="events",
    ),
    bench("review_flow", "eight reviewers at once", ("evalapp/reviews", "evalapp/campaigns", "evalapp/core")),
    bench(
        "label_studio", "the same reviewing in Label Studio (installed by --set-up), in turn",
        ("evalapp/reviews", "evalapp/campaigns", "evalapp/core"),
    ),
    bench("review_paint", "the next answer in Chromium", ("evalapp/reviews", "static", "templates/reviews")),
    bench("claim_scale", "a campaign of 1,000,000 items against one of 1,000", ("evalapp/reviews",)),
    bench("dashboard", "the results page of 1,000,000 ratings", ("evalapp/analysis", "templates/analysis")),
    bench(
        "dashboard_10m", "the results page of 10,000,000 ratings", ("evalapp/analysis", "templates/analysis"),
        "--ratings", "10000000", module="dashboard",
    ),
    bench("start", "`manage.py up`, from nothing and again", ("evalapp/embedded", "evalapp/management")),
    bench("slow_clients", "`/healthz` beside 200 slow clients", ("evalapp/embedded", "evalapp/core")),
    bench("training", "LoRA against a bare TRL loop", ("run_directory", "training")),
    bench("generation", "our inference program against bare vLLM", ("run_directory", "inference")),
)  # fmt: skip
