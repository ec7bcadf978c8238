"""Time to get and to submit work in a campaign of 1,000 items and in one of 1,000,000, both 90% done.

    python -m bench.claim_scale [--items 1000000] [--small 1000] [--rounds 9] [--each 18] [--looks 200]

Each campaign has a server of its own and is filled by SQL. The two are measured alternately, with two numbers
each: the database time of one "next" (all its statements, one client), and the time of the whole request
through gunicorn, with 8 clients that work as the page's script does. A round is 144 reviews (18 per client),
because the small campaign has 200 assignments left; its reviews are deleted after each round. Target: the
numbers of the large campaign are at most 1.5 times those of the small one.
"""

import argparse
import json
import statistics
import threading
import time
from typing import Any

from bench.ports import free_port
from bench.review_flow import JSON, Reviewer, Values, installation, prepare, web_server
from bench.sides import Medians, Side, in_turn, serve_measurements
from proofs.figures import MISSED, report_figure

MOST_RATIO = 1.5
DONE = 0.9
OVERLAP = 2
CLIENTS = 8
SIDES = ("small", "large")

# Copies of the one row that `prepare` made, so that the campaign's own launch does the rest.
_EXAMPLES = """
INSERT INTO evalapp_example (version_id, row_number, split, messages, "references", label, context, metadata,
                             group_key, prompt_hash, content_hash, provenance, pairs, rated)
SELECT version_id, n, split, messages, "references", label, context, metadata, group_key,
       md5('p' || n), md5('c' || n), provenance, pairs, rated
FROM (SELECT * FROM evalapp_example ORDER BY id LIMIT 1) e, generate_series(2, %s) n
"""
_ANSWERS = """
INSERT INTO evalapp_output (run_id, example_id, candidate_id, sample_index, text, finish_reason)
SELECT o.run_id, e.id, o.candidate_id, 0, o.text, ''
FROM (SELECT * FROM evalapp_output ORDER BY id LIMIT 1) o, evalapp_example e
WHERE e.id <> o.example_id AND e.split = 'test'
"""
# Assignments were done in their order; an item's assignments belong to different reviewers.
_MARK_DONE = """
UPDATE evalapp_assignment p SET state = 'submitted', open_slots = '{}', reviews_done = outputs_total,
    reviewer_id = (%(people)s::bigint[])[1 + (p.item_id + p.number) %% cardinality(%(people)s::bigint[])]
WHERE p.campaign_id = %(campaign)s AND p.rank <= %(until)s
"""
_RELEASE_ASSIGNMENTS = """
UPDATE evalapp_assignment SET state = 'available', reviewer_id = NULL, lease_expires_at = NULL, open_slots =
    '{0}',
    reviews_done = 0
WHERE campaign_id = %(campaign)s AND rank > %(until)s AND state <> 'available'
"""
_REVIEWS = """
INSERT INTO evalapp_review (campaign_id, assignment_id, item_output_id, reviewer_id, client_id, body_hash,
    revision,
                            comment, seconds_active, is_simulated, submitted_at, created_at)
SELECT p.campaign_id, p.id, p.outputs_order[1], p.reviewer_id, gen_random_uuid(), '', 1, '', 20, false,
       now() - interval '1 day', now() - interval '1 day'
FROM evalapp_assignment p WHERE p.campaign_id = %(campaign)s AND p.state = 'submitted' ORDER BY p.rank
"""
_COUNT_PER_REVIEWER = """
UPDATE evalapp_campaignreviewer r SET cursor = %(until)s, recent_items = '{}', seconds_active = 20 * done.n,
    reviews_done = done.n
FROM (SELECT reviewer_id, count(*) AS n FROM evalapp_assignment
      WHERE campaign_id = %(campaign)s AND state = 'submitted' GROUP BY reviewer_id) done
WHERE r.campaign_id = %(campaign)s AND r.user_id = done.reviewer_id
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--each", type=int, default=18, help="reviews per client in a round")
    parser.add_argument("--looks", type=int, default=200, help='"next" requests to the database per round')
    parser.add_argument("--side", choices=SIDES, help="used internally by the benchmark")
    options = parser.parse_args()
    if options.side:
        serve(options, free_port())
        return
    pace = ["--each", str(options.each), "--looks", str(options.looks)]
    sides = [
        Side(name, ["bench.claim_scale", "--side", name, "--items", str(items), *pace])
        for name, items in zip(SIDES, (options.small, options.items), strict=True)
    ]
    with sides[0] as small, sides[1] as large:
        for side in (small, large):
            about = side.wait_until_ready()
            print(f"{side.name}: {about['items']:,} items, {about['left']:,} assignments left")
        # The first round warms up both.
        in_turn(sides, rounds=1, seconds=1)
        for side in sides:
            side.rounds = []
        in_turn(sides, rounds=options.rounds, seconds=1)
        medians = {side.name: Medians(side.rounds) for side in sides}
        for side in sides:
            side.rounds = []
        # With 0 seconds, a side measures the database's time with one client.
        in_turn(sides, rounds=options.rounds, seconds=0)
        database = {side.name: Medians(side.rounds) for side in sides}
    ratios = {
        **{
            f"next in the database, {what}": (
                database["large"](f"next_{what}") / database["small"](f"next_{what}")
            )
            for what in ("median", "p95")
        },
        **{
            f"{kind}, whole request, {what}": (
                medians["large"](f"{kind}_{what}") / medians["small"](f"{kind}_{what}")
            )
            for kind in ("next", "submit")
            for what in ("median", "p95")
        },
    }
    reached = [report_figure(name, ratio, "times", at_most=MOST_RATIO) for name, ratio in ratios.items()]
    raise SystemExit(0 if all(reached) else MISSED)


def serve(options: argparse.Namespace, port: int) -> None:
    with installation(port) as home:
        campaign, cookies, left = fill(options.items)
        with web_server(home, port):

            def measure_requests_or_database(whole_requests: float) -> Values:
                if whole_requests:
                    return work(campaign, cookies, port, options.each)
                return database_times(campaign, options.looks)

            serve_measurements(measure_requests_or_database, {"items": options.items, "left": left})


def fill(items: int) -> tuple[Any, list[str], int]:
    """Create an open campaign, 90% done by its eight reviewers; returns it, their cookies and the number of
    assignments left.
    """
    from django.db import connection

    from evalapp.campaigns import services
    from evalapp.campaigns.models import Assignment, Campaign

    # The other rows are inserted before the launch, which then creates items and assignments as usual.
    original = services.make_assignments
    services.make_assignments = lambda *, campaign: (_more_rows(items), original(campaign=campaign))[1]
    try:
        key, cookies = prepare(1, CLIENTS, overlap=OVERLAP)
    finally:
        services.make_assignments = original
    campaign = Campaign.objects.get(key=key)
    keys = _keys(campaign)
    with connection.cursor() as cursor:
        for statement in (_MARK_DONE, _REVIEWS, _COUNT_PER_REVIEWER):
            cursor.execute(statement, keys)
        cursor.execute("VACUUM ANALYZE")
    return campaign, cookies, Assignment.objects.filter(campaign=campaign, state="available").count()


def _more_rows(items: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        # A ready version accepts no more rows; this one exists only for the benchmark.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE evalapp_example DISABLE TRIGGER USER")
        cursor.execute(_EXAMPLES, [items])
        cursor.execute("ALTER TABLE evalapp_example ENABLE TRIGGER USER")
        cursor.execute(_ANSWERS)
        cursor.execute("ANALYZE evalapp_example")
        cursor.execute("ANALYZE evalapp_output")


def _keys(campaign: Any) -> dict[str, Any]:
    people = list(campaign.reviewers.order_by("id").values_list("user", flat=True))
    until = int(campaign.items_total * OVERLAP * DONE)
    return {"campaign": campaign.pk, "until": until, "people": people}


class CountingReviewer(Reviewer):
    """Submits a fixed number of reviews."""

    def by_count(self, count: int) -> None:
        self.ask("next", "GET", self.next_address)
        task = json.loads(self.ask("next", "GET", self.next_address, **JSON))
        self.forget()
        for _ in range(count):
            self.ask("submit", "POST", task["url"], self.submission(task["client_id"]), **JSON)
            task = json.loads(self.ask("next", "GET", self.next_address, **JSON))
            self.reviews += 1


def work(campaign: Any, cookies: list[str], port: int, each: int) -> Values:
    """Work as the page's script does, all clients at once; afterwards restore the campaign."""
    from evalapp.reviews.models import Review

    latest = Review.objects.latest("id").pk
    people = [CountingReviewer(str(campaign.key), cookie, port) for cookie in cookies]
    threads = [threading.Thread(target=person.by_count, args=(each,)) for person in people]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    reviews = sum(person.reviews for person in people)
    if reviews != each * len(people):
        raise SystemExit(f"Only {reviews} reviews were submitted. See the server's log.")
    _delete_reviews_after(campaign, latest)
    times = {kind: sorted(t for person in people for t in person.times[kind]) for kind in ("next", "submit")}
    return Values(len(people), reviews, seconds, times)


def _delete_reviews_after(campaign: Any, latest: int) -> None:
    from django.db import connection

    from evalapp.reviews.models import Review

    Review.objects.filter(campaign=campaign, pk__gt=latest).delete()
    with connection.cursor() as cursor:
        for statement in (_RELEASE_ASSIGNMENTS, _COUNT_PER_REVIEWER):
            cursor.execute(statement, _keys(campaign))
        cursor.execute("VACUUM evalapp_assignment, evalapp_campaignreviewer, evalapp_review, evalapp_score")


def database_times(campaign: Any, looks: int) -> Values:
    """Database time of one client for a "next" that claims an assignment, and for its return (as
    "submit").
    """
    from django.db import connection, transaction

    from evalapp.campaigns.allocation import NextReview, next_review
    from evalapp.reviews.queries import campaign_reviewer_for, task_for

    user = campaign.reviewers.order_by("id").first().user
    spent: list[float] = []

    def timed(execute: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            spent.append(time.perf_counter() - began)

    times: list[float] = []
    began = time.perf_counter()
    for _ in range(looks):
        with transaction.atomic():
            # Returned each time, so that each "next" is a claim and no reviewer reaches the limit.
            campaign.assignments.filter(reviewer=user, state="in_progress").update(
                state="available", reviewer=None, lease_expires_at=None
            )
            spent.clear()
            with connection.execute_wrapper(timed):
                campaign_reviewer = campaign_reviewer_for(user, campaign.key)
                found = next_review(campaign_reviewer=campaign_reviewer)
                assert isinstance(found, NextReview), found
                task_for(item_output_id=found.subject_id, campaign=campaign_reviewer.campaign, reviewer=user)
            times.append(sum(spent))
            transaction.set_rollback(True)
    values = sorted(times)
    print(f"next in the database: median {1000 * statistics.median(values):.2f} ms")
    return Values(1, looks, time.perf_counter() - began, {"next": values, "submit": values})


if __name__ == "__main__":
    main()
