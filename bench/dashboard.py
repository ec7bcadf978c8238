"""Time of the comparison page of a campaign with 1,000,000 ratings, and with 10,000,000.

    python -m bench.dashboard [--ratings 1000000] [--looks 40] [--without-job] [--all-pages]

Fills a campaign by SQL: three candidates, three of thirty reviewers per item, five criteria and two metrics;
the database keeps the counts that pages read, as it always does. The page is then requested through gunicorn,
before and after a job has computed what the counts cannot give. At the end everything is counted again.
Targets: a median of 50 ms for the whole request with 1,000,000 ratings and of 100 ms with 10,000,000, and no
count that differs. With --all-pages it also prints time and memory of the jobs for agreement and metrics, and
the time of the requests for their pages, a copied table and lists of cases; these have no targets.
"""

import argparse
import http.client
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bench.ports import free_port
from bench.review_flow import SENTENCE, installation, web_server
from proofs.figures import MISSED, report_figure

PORT = free_port()
MOST_MILLISECONDS = {1_000_000: 50.0, 10_000_000: 100.0}
CANDIDATES, OVERLAP, PEOPLE, CRITERIA = 3, 3, 30, 5
BATCH = 50_000

_OUTPUTS = """
INSERT INTO evalapp_output (run_id, example_id, candidate_id, sample_index, text, finish_reason)
SELECT o.run_id, e.id, o.candidate_id, 0, o.text, ''
FROM evalapp_output o, evalapp_example e WHERE e.id <> o.example_id AND e.split = 'test'
"""
_EXAMPLES = """
INSERT INTO evalapp_example (version_id, row_number, split, messages, "references", label, context, metadata,
                             group_key, prompt_hash, content_hash, provenance, pairs, rated)
SELECT version_id, n, split, messages, "references", label, context, metadata, group_key,
       md5('p' || n), md5('c' || n), provenance, pairs, rated
FROM (SELECT * FROM evalapp_example ORDER BY id LIMIT 1) e, generate_series(2, %s) n
"""
_MARK_DONE = """
UPDATE evalapp_assignment SET state = 'submitted', open_slots = '{}', reviews_done = outputs_total,
    reviewer_id = (%(people)s::bigint[])[1 + (item_id * 7 + number * 3) %% cardinality(%(people)s::bigint[])]
WHERE campaign_id = %(campaign)s
"""
_REVIEWS = """
INSERT INTO evalapp_review (campaign_id, assignment_id, item_output_id, reviewer_id, client_id, body_hash,
    revision,
                            comment, seconds_active, is_simulated, submitted_at, created_at)
SELECT p.campaign_id, p.id, output, p.reviewer_id, gen_random_uuid(), '', 1, '', 20, false, now(), now()
FROM evalapp_assignment p, unnest(p.outputs_order) AS output
WHERE p.campaign_id = %(campaign)s AND p.item_id > %(after)s AND p.item_id <= %(until)s
"""
# Vary by item, reviewer and candidate, plus noise for every answer.
_SCORES = """
INSERT INTO evalapp_score (review_id, criterion_id, value, is_not_applicable, minimum, maximum)
SELECT r.id, c.id,
    CASE WHEN c.kind <> 'scale' THEN (random() < 0.1)::int
         ELSE greatest(1, least(5, round(3.3 + 0.25 * (candidate.position) + 0.3 * sin(r.reviewer_id)
              + 0.5 * sin(o.item_id) + (random() + random() + random() - 1.5)))) END,
    false, c.minimum, c.maximum
FROM evalapp_review r
JOIN evalapp_itemoutput o ON o.id = r.item_output_id
JOIN evalapp_campaigncandidate candidate ON candidate.id = o.candidate_id
JOIN evalapp_campaign campaign ON campaign.id = r.campaign_id
JOIN evalapp_criterion c ON c.version_id = campaign.rubric_version_id AND c.kind NOT IN ('text', 'spans')
WHERE r.campaign_id = %(campaign)s AND o.item_id > %(after)s AND o.item_id <= %(until)s
"""
_METRICS = """
INSERT INTO evalapp_metricresult (output_id, metric, signature, value, reason, detail)
SELECT o.id, metric, metric, CASE metric WHEN 'words' THEN 80 + o.id % 70 ELSE random() END, '', '{}'
FROM evalapp_output o, unnest(ARRAY['rougeL', 'words']) AS metric
"""
_COUNT_PER_REVIEWER = """
UPDATE evalapp_campaignreviewer r SET reviews_done = done.n
FROM (SELECT reviewer_id, count(*) AS n FROM evalapp_review WHERE campaign_id = %(campaign)s GROUP BY 1) done
WHERE r.campaign_id = %(campaign)s AND r.user_id = done.reviewer_id
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", type=int, default=1_000_000)
    parser.add_argument("--looks", type=int, default=40)
    parser.add_argument(
        "--without-job", action="store_true", help="measure the counts alone, before any job has run"
    )
    parser.add_argument(
        "--all-pages", action="store_true", help="also measure the other pages of the analysis"
    )
    options = parser.parse_args()
    with installation(PORT) as home:
        sys.exit(0 if measure(options, home) else MISSED)


def measure(options: argparse.Namespace, home: Path) -> bool:
    from django.core.management import call_command

    from evalapp.core.static_build import build_browser_bundle

    build_browser_bundle(home / "build")
    call_command("collectstatic", interactive=False, verbosity=0)
    began = time.monotonic()
    campaign, cookie = fill(options.ratings)
    from evalapp.reviews.counts import fix_counts, scores_given

    ratings = scores_given(campaign)
    print(f"{ratings:,} ratings in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    fixed = fix_counts(campaign=campaign)
    said = "same as the stored counts" if fixed.is_sound else f"different from the stored counts: {fixed}"
    print(f"recounted in {time.monotonic() - began:.1f} s, {said}", flush=True)
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    times = {}
    with web_server(home, PORT):
        times["counts alone"] = time_requests(address, cookie, options.looks, "are not computed yet")
        if not options.without_job:
            computed(campaign, "comparison")
            times["with what the job stored"] = time_requests(
                address, cookie, options.looks, "no reviews since"
            )
        if options.all_pages:
            look_at_other_pages(campaign, address, cookie)
    most = max(limit for size, limit in MOST_MILLISECONDS.items() if size <= max(options.ratings, 1_000_000))
    for name, milliseconds in times.items():
        print(f"page, {name}: p95 {milliseconds[int(0.95 * len(milliseconds))]:.1f} ms")
    if not fixed.is_sound:
        raise SystemExit("The stored counts were wrong.")
    reached = [
        report_figure(f"page of {ratings:,} ratings, {name}", statistics.median(each), "ms", at_most=most)
        for name, each in times.items()
    ]
    return all(reached)


def computed(campaign: Any, kind: str) -> None:
    """Run an analysis job in this process and print its time and memory."""
    from evalapp.analysis.models import AnalysisKind
    from evalapp.analysis.stored.stored_results import AnalysisRequest, start_analysis
    from evalapp.analysis.tasks import compute

    began, worked = time.monotonic(), time.process_time()
    job = start_analysis(campaign=campaign, request=AnalysisRequest(AnalysisKind(kind)), by=None)
    compute(job.pk)
    job.refresh_from_db()
    seconds, worked = time.monotonic() - began, time.process_time() - worked
    print(f"the job of {kind}: {job.get_state_display()} {job.error}; {worked:.0f} s at work", flush=True)
    report_figure(f"job of {kind}", seconds, "s")
    report_figure("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")


def look_at_other_pages(campaign: Any, address: str, cookie: str) -> None:
    computed(campaign, "agreement")
    computed(campaign, "metrics")
    first, *_ = campaign.items.order_by("pk").values_list("pk", flat=True)[:1]
    pages = {
        "agreement": ("agreement/", "no reviews since"),
        "metrics and reviewer scores": ("metrics/", "no reviews since"),
        "a table": ("tables/people.csv", "Candidate"),
        "all cases": ("cases/", "outputs"),
        "cases rated low": ("cases/?criterion=tone&low=1", "from at least one reviewer"),
        "cases that differ": ("cases/?criterion=tone&differ=1", "most first"),
        "a case and its neighbours": (f"cases/{first}/?criterion=tone&low=1", "Candidate"),
        "the finder": ("finder/?find=rougeL&criterion=tone&score=2", "in its highest 10%"),
    }
    for name, (page, expected) in pages.items():
        milliseconds = time_requests(address + page, cookie, 5, expected, warm_up=1)
        print(f"page, {name}: median {statistics.median(milliseconds):.0f} ms", flush=True)


def time_requests(address: str, cookie: str, looks: int, expected: str, *, warm_up: int = 10) -> list[float]:
    """Milliseconds of each request, sorted; the first ones are a warm-up and not counted."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    times = []
    for number in range(looks + warm_up):
        began = time.perf_counter()
        connection.request("GET", address, headers={"Cookie": f"sessionid={cookie}"})
        response = connection.getresponse()
        text = response.read().decode()
        if number >= warm_up:
            times.append(1000 * (time.perf_counter() - began))
        if response.status != 200 or expected not in text:
            raise SystemExit(f"{address} answered {response.status} without “{expected}”: {text[:300]}")
    return sorted(times)


def fill(ratings: int) -> tuple[Any, str]:
    """Create an open campaign with all its reviews; returns it and its manager's cookie."""
    from django.db import connection

    from evalapp.campaigns.models import Campaign

    items = max(round(ratings / (CANDIDATES * OVERLAP * CRITERIA)), 2)
    campaign, cookie = prepare(items)
    people = list(campaign.reviewers.order_by("id").values_list("user", flat=True))
    keys = {"campaign": campaign.pk, "people": people}
    first, last = (campaign.items.order_by(order).values_list("pk", flat=True)[0] for order in ("pk", "-pk"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute("ANALYZE")
        cursor.execute(_MARK_DONE, keys)
        for after in range(first - 1, last, BATCH):
            part = {**keys, "after": after, "until": min(after + BATCH, last)}
            cursor.execute(_REVIEWS, part)
            cursor.execute("ANALYZE evalapp_review")
            cursor.execute(_SCORES, part)
        cursor.execute(_METRICS)
        cursor.execute(_COUNT_PER_REVIEWER, keys)
        cursor.execute("VACUUM ANALYZE")
    return Campaign.objects.select_related("project").get(pk=campaign.pk), cookie


def _fill(items: int) -> None:
    """Insert examples up to ``items``, each with an output of every candidate."""
    from django.db import connection

    with connection.cursor() as cursor:
        # A ready version accepts no more rows; this one exists only for the benchmark.
        cursor.execute("ALTER TABLE evalapp_example DISABLE TRIGGER USER")
        cursor.execute(_EXAMPLES, [items])
        cursor.execute("ALTER TABLE evalapp_example ENABLE TRIGGER USER")
        cursor.execute(_OUTPUTS)
        cursor.execute("ANALYZE evalapp_example")
        cursor.execute("ANALYZE evalapp_output")


def prepare(items: int) -> tuple[Any, str]:
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from evalapp.accounts.models import Membership, Project, Role, User
    from evalapp.campaigns.design import CampaignDesign
    from evalapp.campaigns.services import create_campaign, open_campaign
    from evalapp.datasets.rows import ExampleRow
    from evalapp.datasets.services import create_dataset, create_version
    from evalapp.jobs.models import Job, JobState
    from evalapp.registry.services import register_imported
    from evalapp.rubrics.services import create_rubric
    from evalapp.runs.models import Output, Run, RunCandidate, RunKind

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    project = Project.objects.create(name="Bench", slug="bench")
    manager = User.objects.create_user("manager@bench.example")
    people = [User.objects.create_user(f"reviewer{n}@bench.example") for n in range(PEOPLE)]
    Membership.objects.create(project=project, user=manager, role=Role.MANAGER)
    Membership.objects.bulk_create(
        Membership(project=project, user=each, role=Role.REVIEWER) for each in people
    )
    row = ExampleRow(split="test", messages=[{"role": "user", "content": SENTENCE}], context=SENTENCE)
    version = create_version(
        dataset=create_dataset(project=project, name="Rows", by=None), rows=iter([row]), by=None
    )
    job = Job.objects.create(
        project=project, task="bench", title="Bench", state=JobState.SUCCEEDED, finished_at=timezone.now()
    )
    run = Run.objects.create(
        project=project, kind=RunKind.IMPORT, name="Bench", job=job, dataset_version=version, splits=["test"]
    )
    candidates = [
        register_imported(project=project, label=f"Candidate {n}", by=None) for n in range(CANDIDATES)
    ]
    for number, candidate in enumerate(candidates):
        RunCandidate.objects.create(run=run, model_version=candidate, key=f"candidate-{number}")
        Output.objects.create(run=run, example=version.examples.get(), candidate=candidate, text=SENTENCE)
    _fill(items)
    rubric = create_rubric(project=project, name="House", template="summaries", by=None)
    design = CampaignDesign(
        name="Bench",
        rubric_version=rubric.versions.get(),
        dataset_version=version,
        split="test",
        candidates=candidates,
        overlap=OVERLAP,
        reviewers=people,
    )
    campaign = open_campaign(campaign=create_campaign(project=project, design=design, by=None), by=None)
    client = Client()
    client.force_login(manager, backend="evalapp.accounts.backends.AccountBackend")
    return campaign, client.cookies[settings.SESSION_COOKIE_NAME].value


if __name__ == "__main__":
    main()
