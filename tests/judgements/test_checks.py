"""Gold, hidden repeats and calibration where answers are compared: they check people and count nowhere."""

import json
import re
from collections import Counter
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.analysis.pair_lists import judgement_csv, lines_of_item
from evalapp.analysis.pairs import load_judgements, pair_results
from evalapp.analysis.quality import quality_of
from evalapp.campaigns.allocation import Assignment, NoWorkReason
from evalapp.campaigns.calibration import start_round
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.gold import GoldRow, set_gold
from evalapp.campaigns.models import (
    Campaign,
    CampaignReviewer,
    Comparison,
    Item,
    ItemOutput,
    Place,
    Purpose,
)
from evalapp.campaigns.queries import cost_of_draft, items_with_progress, place_counts, seats_with_places
from evalapp.campaigns.services import add_reviewers, close_campaign, open_campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.exports.preferences import preferred_rows
from evalapp.judgements.checks import comparison_checks
from evalapp.judgements.gold import VerdictRow, set_gold_verdicts
from evalapp.judgements.models import Judgement, JudgementDraft
from evalapp.judgements.queries import comparison_id_at, judging_stand, stand_task
from evalapp.judgements.services import amend_judgement, keep_draft, submit_judgement
from evalapp.judgements.verdicts import Verdict
from evalapp.reviews.progress import recent_days
from evalapp.reviews.queries import progress_by_person
from tests.api.conftest import problem_in, program_of
from tests.campaigns.making import make_campaign, make_team
from tests.campaigns.test_allocation import next_for, seat_of
from tests.cast import client_of, make_user

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
ADMITTED = "2026-01-01T00:00Z"


def label(campaign, position):
    return campaign.candidates.get(position=position).model_version.label


def gold_of(campaign, *rows, **options):
    """The first candidate is better than the second, or the best."""
    first, second = label(campaign, 0), label(campaign, 1)
    of_pair = {} if campaign.method == "ranking" else {"against": second, "outcome": "better"}
    return [VerdictRow(f"line {row}", str(row), first, **{**of_pair, **options}) for row in rows]


def make_draft(people=2, *, rows=60, method="pairwise", **options):
    project, team = make_team(people, options.pop("team", "Checked"))
    design = {"overlap": 1, "seed": 11, "candidates": 3 if method == "ranking" else 2} | options
    return make_campaign(project, team, rows=rows, method=method, **design), team


def make_checked(people=2, *, gold=5, **options):
    draft, team = make_draft(people, **({"gold_share": 10, "repeat_share": 20} | options))
    if draft.gold_share:
        set_gold_verdicts(campaign=draft, rows=gold_of(draft, *range(1, gold + 1)), by=None)
    return open_campaign(campaign=draft, by=None), team


def by_position(stand):
    return Verdict("", [1, 2, 3]) if stand.place.campaign.method == "ranking" else Verdict("a")


def by_candidate(stand):
    """Always the same order of candidates, wherever they stand."""
    comparison = Comparison.objects.get(pk=comparison_id_at(stand))
    shown = arranged(comparison.outputs, stand.place.arrangement)
    positions = dict(ItemOutput.objects.filter(pk__in=shown).values_list("pk", "candidate__position"))
    order = [positions[output] for output in shown]
    if len(order) > 2:
        return Verdict("", [sorted(order).index(position) + 1 for position in order])
    return Verdict("a" if order[0] < order[1] else "b")


def judge_on(campaign, person, said=by_candidate, most=1_000):
    """Judge until nothing comes; (purpose, item) of each in order."""
    seen = []
    while len(seen) < most and isinstance(found := next_for(campaign, person), Assignment):
        stand = judging_stand(person, found.place.key, found.slot)
        submit_judgement(stand=stand, client_id=uuid4(), verdict=said(stand), seconds_active=3.0)
        seen.append((stand.place.purpose, stand.place.item_id))
    return seen


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_gold_comes_in_its_share_and_repeats_come_later_in_another_arrangement(method):
    campaign, (person, _) = make_checked(rows=105, gold=15, method=method)
    assert campaign.items_total == campaign.reviews_total == 90
    seen = judge_on(campaign, person)
    kinds = Counter(purpose for purpose, _ in seen)
    assert kinds["review"] == 90 and 7 <= kinds["gold"] <= 10 and 8 <= kinds["repeat"] <= 28
    firsts = {item: position for position, (purpose, item) in enumerate(seen) if purpose == "review"}
    for position, (purpose, item) in enumerate(seen):
        if purpose == "repeat":
            assert position - firsts[item] >= 15
    repeats = Judgement.objects.filter(purpose=Purpose.REPEAT)
    for repeat in repeats:
        first = Judgement.objects.get(comparison=repeat.comparison, purpose=Purpose.REVIEW)
        assert sorted(repeat.outputs) == sorted(first.outputs) and repeat.outputs != first.outputs
        if method == "pairwise":
            assert repeat.outputs == first.outputs[::-1]
    seat = seat_of(campaign, person)
    assert (seat.reviews_done, seat.checks_done) == (90, kinds["gold"] + kinds["repeat"])
    # What somebody left half-way, or somebody else began, is not repeated.
    assert not campaign.places.filter(purpose=Purpose.REPEAT).exclude(assigned_to=person).exists()


def test_several_pairs_of_an_item_come_back_together_and_each_the_other_way_round():
    campaign, (person, _) = make_checked(rows=40, gold_share=0, repeat_share=50, candidates=3)
    judge_on(campaign, person)
    repeats = campaign.places.filter(purpose=Purpose.REPEAT, state="complete")
    assert repeats
    for repeat in repeats:
        first = Place.objects.get(item=repeat.item, purpose=Purpose.REVIEW)
        assert sorted(repeat.outputs_order) == sorted(first.outputs_order)
        assert (repeat.arrangement - first.arrangement) % 2 == 1
        assert repeat.judgements.count() == 3


def test_a_seed_checks_with_the_same_rows_and_sides_again():
    def told(name):
        campaign, (person, _) = make_checked(rows=50, team=name)
        judge_on(campaign, person, by_position)
        judgements = Judgement.objects.filter(campaign=campaign).order_by("pk")
        owner = dict(
            ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", "candidate__position")
        )
        return [
            (
                each.purpose,
                each.comparison.item.example.row_number,
                [owner[output] for output in each.outputs],
            )
            for each in judgements.select_related("comparison__item__example")
        ]

    assert told("one") == told("two")


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_who_keeps_to_the_answer_is_told_from_who_keeps_to_the_position(method):
    campaign, (steady, sided) = make_checked(
        rows=120, gold_share=0, repeat_share=50, method=method, assignment="assigned"
    )
    judge_on(campaign, steady, by_candidate)
    judge_on(campaign, sided, by_position)
    one, other = comparison_checks(campaign)
    assert one.compared >= 10 and other.compared >= 10
    assert (one.equal, one.close, one.sides_kept) == (one.compared, one.compared, 0)
    assert (other.equal, other.sides_kept) == (0, other.compared)
    assert one.sides_compared == one.compared and one.differences == []
    assert (one.consistency.value, other.side_share.value) == (1.0, 1.0)
    assert other.side_share.low is not None and other.side_share.low > 0.5
    if method == "ranking":
        assert one.tau.value == 1.0
        # Three that turn by one or two places keep one pair's order and turn two.
        assert other.tau.value == pytest.approx(-1 / 3)
        assert other.close == 0
    difference = other.differences[0]
    assert difference.first != difference.second
    assert label(campaign, 0) in difference.first + difference.second
    hints = quality_of(campaign, reader=campaign.project.created_by_id).hints
    kinds = {(each.hint.kind, each.hint.reviewer_id) for each in hints}
    assert {("keeps_side", sided.pk), ("at_odds", sided.pk)} <= kinds
    assert not [kind for kind, person in kinds if person == steady.pk and kind in ("keeps_side", "at_odds")]


def test_a_tie_says_nothing_of_the_position():
    campaign, (person, _) = make_checked(rows=60, gold_share=0, repeat_share=50)

    def said(stand):
        return Verdict("tie") if stand.place.purpose == Purpose.REPEAT else by_candidate(stand)

    judge_on(campaign, person, said)
    mine = comparison_checks(campaign)[0]
    assert mine.compared > 0
    assert (mine.equal, mine.sides_compared, mine.side_share.value) == (0, 0, None)


def results(campaign):
    """All that is said of a campaign's results, wherever it is said."""
    campaign = Campaign.objects.get(pk=campaign.pk)
    judgements = load_judgements(campaign)
    items = items_with_progress(campaign)
    return {
        "rows": judgements.rows,
        "results": pair_results(judgements).as_dict(),
        "csv": list(judgement_csv(judgements)),
        "preferences": list(preferred_rows(judgements, admits_simulated=True)),
        "cases": [[line.judgement.pk for line in lines_of_item(campaign, item.pk)] for item in items],
        "counts": place_counts(campaign),
        "items": [(i.pk, i.complete, i.held, i.reviews_done) for i in items],
        "seats": [(s.pk, s.reviews_done, s.complete, s.held, s.waiting) for s in seats_with_places(campaign)],
        "progress": [(p.reviews, p.held, p.mean_seconds, p.last_at) for p in progress_by_person(campaign)],
        "days": recent_days([campaign])[campaign.pk],
        "totals": (campaign.items_total, campaign.places_total, campaign.reviews_total),
    }


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_checks_change_no_result(method):
    campaign, people = make_checked(rows=50, overlap=2, calibration_items=2, method=method, seed=5)
    Campaign.objects.filter(pk=campaign.pk).update(opened_at="2026-01-01T00:00Z")

    def said(stand):
        # Whatever a check is answered, it would show in any share, strength, row or comment.
        if stand.place.purpose == Purpose.REVIEW:
            return by_candidate(stand)
        verdict = by_position(stand)
        return Verdict(verdict.choice, verdict.ranks, "Only a check says this.")

    for _ in range(2):
        for person in people:
            judge_on(campaign, person, said)
        CampaignReviewer.objects.update(admitted_at=ADMITTED)
    kinds = Counter(Judgement.objects.values_list("purpose", flat=True))
    assert set(kinds) == set(Purpose.values) and kinds["review"] == campaign.reviews_total
    gold = campaign.items.filter(purpose=Purpose.GOLD, places__reviewer=people[0]).first()
    assert {line.judgement.comment for line in lines_of_item(campaign, gold.pk)} == {
        "Only a check says this."
    }
    with_checks = results(campaign)
    Judgement.objects.exclude(purpose=Purpose.REVIEW).delete()
    Place.objects.exclude(purpose=Purpose.REVIEW).delete()
    Item.objects.exclude(purpose=Purpose.REVIEW).delete()
    assert with_checks == results(campaign)
    assert "Only a check" not in str(with_checks)


def scrubbed(page):
    """A page without what differs between any two items."""
    page = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "key", page)
    page = re.sub(r'(csrfmiddlewaretoken" value="|X-CSRFToken": ")\w+', "", page)
    page = re.sub(r"Answer\S* [ab] to row", "Answer to row", page)
    return re.sub(r"\d+", "0", page)


def test_nothing_that_a_reviewer_gets_tells_a_check_from_other_work():
    campaign, (person, _) = make_checked(rows=60, repeat_share=50)
    browser, program = client_of(person), program_of(person)
    address = f"/judgements/campaigns/{campaign.key}/"
    pages, shapes, figures, told = {}, {}, [], {}
    for _ in range(45):
        payload = browser.get(address, headers=JSON).json()
        if "url" not in payload:
            break
        place = Place.objects.get(key=UUID(payload["url"].split("/")[2]))
        page = browser.get(payload["url"]).text
        by_api = program.post(f"judgements/campaigns/{campaign.key}/next/").json()
        assert not re.search(
            r'gold|"repeat"|is_repeat|purpose"|calibrat', page + json.dumps([payload, by_api])
        )
        pages.setdefault(place.purpose, set()).add(scrubbed(page))
        told.setdefault(place.purpose, set()).add(scrubbed(json.dumps(by_api)))
        shapes.setdefault(place.purpose, set()).add((*sorted(payload), *sorted(payload["progress"])))
        figures.append((payload["progress"]["mine"], payload["progress"]["done"]))
        totals = payload["progress"]["total"], payload["progress"]["mine_total"]
        assert totals == (campaign.reviews_total + campaign.checks_total, round(55 * 1.6))
        sent = {
            "client_id": payload["client_id"],
            "answers": {"choice": "a", "ranks": None, "comment": ""},
            "revision": 0,
            "seconds_active": 3,
        }
        stored = browser.post(payload["url"], sent, content_type="application/json", headers=JSON)
        assert stored.status_code == 201 and set(stored.json()) == {"saved_at", "revision", "is_replay"}
    assert set(pages) == {"review", "gold", "repeat"}
    # One page, but for the first one's open instructions and the undo.
    assert pages["gold"] | pages["repeat"] <= pages["review"]
    assert told["gold"] | told["repeat"] <= told["review"]
    assert len(set.union(*shapes.values())) == 1
    # Each submission moves every figure by one, whatever it was of.
    assert figures == [(n, n) for n in range(len(figures))]
    assert not re.search(r"gold|calibrat", browser.get("/judgements/submitted/").text)


def test_what_is_chosen_for_a_repeat_outlives_a_change_of_the_first_judgement():
    campaign, (person, _) = make_checked(gold_share=0, repeat_share=50)
    while True:
        found = next_for(campaign, person)
        stand = judging_stand(person, found.place.key, found.slot)
        if stand.place.purpose == Purpose.REPEAT:
            break
        submit_judgement(stand=stand, client_id=uuid4(), verdict=Verdict("a"))
    keep_draft(stand=stand, verdict=Verdict("b", None, "Half a sent"), seconds_active=1.0, revision=0)
    first = Judgement.objects.get(comparison=comparison_id_at(stand))
    amend_judgement(judgement=first, by=person, verdict=Verdict("tie"), revision=1)
    draft = JudgementDraft.objects.get(reviewer=person)
    assert draft.body["comment"] == "Half a sent"
    assert stand_task(stand).draft == Verdict("b", None, "Half a sent")
    # The first, opened again, shows what was submitted.
    slot = first.place.outputs_order.index(first.comparison_id)
    page = client_of(person).get(f"/judgements/{first.place.key}/{slot}/").text
    assert re.search(r'value="tie"[^>]* checked', page)
    submit_judgement(stand=stand, client_id=uuid4(), verdict=Verdict("b"))
    assert not JudgementDraft.objects.exists()
    assert Judgement.objects.filter(comparison=first.comparison_id, reviewer=person).count() == 2


def test_gold_results_lead_to_the_items_and_a_tie_can_be_right_too():
    campaign, (person, _) = make_checked(rows=60, gold=6, gold_share=20, repeat_share=0)
    rows = dict(campaign.items.values_list("pk", "example__row_number"))

    def said(stand):
        is_off = stand.place.purpose == Purpose.GOLD and rows[stand.place.item_id] <= 2
        return Verdict("tie") if is_off else by_candidate(stand)

    judge_on(campaign, person, said)
    mine, theirs = comparison_checks(campaign)
    assert (mine.hits, mine.answered, theirs.answered) == (4, 6, 0)
    assert mine.accuracy.value == pytest.approx(4 / 6) and mine.accuracy.low is not None
    better = f"{label(campaign, 0)} is better than {label(campaign, 1)}"
    assert sorted((miss.row_number, miss.given, miss.known) for miss in mine.misses) == [
        (1, "Equally good", better),
        (2, "Equally good", better),
    ]
    # A tolerance forgives them, also afterwards; the pair may be named the other way round.
    turned = {"candidate": label(campaign, 1), "against": label(campaign, 0), "outcome": "worse"}
    again = [row._replace(**turned, tie_counts="yes") for row in gold_of(campaign, 1, 2)]
    assert set_gold_verdicts(campaign=campaign, rows=again, by=None) == 2
    assert campaign.gold_verdicts.count() == 6
    assert comparison_checks(campaign)[0].hits == 6
    with pytest.raises(InvalidError) as refused:
        set_gold_verdicts(campaign=campaign, rows=gold_of(campaign, 40), by=None)
    assert "an open campaign takes no new ones" in refused.value.fields["rows"][0]
    owner = campaign.project.created_by
    base = f"/projects/{campaign.project.slug}/"
    page = client_of(owner).get(f"{base}campaigns/{campaign.pk}/checks/", follow=True)
    assert page.redirect_chain[-1][0].endswith("/comparison-checks/")
    assert "100%" in page.text and "a tie counts, too" in page.text
    case = f"{base}compare/{campaign.pk}/cases/{mine.misses[0].item_id}/"
    assert client_of(owner).get(case).status_code == 200
    quality = client_of(owner).get(f"{base}campaigns/{campaign.pk}/quality/").text
    assert "How reviewers do on checks" in quality and "Reviewer 1" in quality and person.name not in quality
    close_campaign(campaign=campaign, by=None)
    with pytest.raises(ConflictError):
        set_gold_verdicts(campaign=campaign, rows=gold_of(campaign, 1), by=None)


@pytest.mark.parametrize(
    ("outcome", "tie_counts", "right"),
    [
        ("better", "", {"by candidate"}),
        ("better", "yes", {"by candidate", "tie"}),
        ("worse", "", set()),
        ("tie", "", {"tie"}),
        ("both_bad", "", {"both_bad"}),
    ],
)
def test_each_known_outcome_takes_its_verdict(outcome, tie_counts, right):
    draft, (person, _) = make_draft(rows=8, gold_share=50)
    known = gold_of(draft, 1, outcome=outcome, tie_counts=tie_counts)
    set_gold_verdicts(campaign=draft, rows=known, by=None)
    campaign = open_campaign(campaign=draft, by=None)
    judge_on(campaign, person)
    found = set()
    judgement = Judgement.objects.get(purpose=Purpose.GOLD)
    for said in ("by candidate", "tie", "both_bad"):
        if said != "by candidate":
            Judgement.objects.filter(pk=judgement.pk).update(choice=said)
        if comparison_checks(campaign)[0].golds == [True]:
            found.add(said)
    assert found == right


def test_of_a_ranking_the_best_is_known():
    campaign, (person, other) = make_checked(
        rows=40, gold=8, gold_share=50, repeat_share=0, method="ranking", assignment="assigned"
    )
    worst = {1: 3, 2: 2, 3: 1}

    def reversed_order(stand):
        return Verdict("", [worst[rank] for rank in by_candidate(stand).ranks])

    judge_on(campaign, person)
    judge_on(campaign, other, reversed_order)
    mine, theirs = comparison_checks(campaign)
    assert mine.hits == mine.answered == theirs.answered == 8 and theirs.hits == 0
    assert theirs.misses[0].known == f"{label(campaign, 0)} is the best"
    assert theirs.misses[0].given == " › ".join(label(campaign, each) for each in (2, 1, 0))


def test_gold_that_the_design_does_not_compare_stops_the_launch():
    draft, _ = make_draft(candidates=3, rows=8, gold_share=10)
    with pytest.raises(InvalidError, match="no answer is known yet"):
        open_campaign(campaign=draft, by=None)
    set_gold_verdicts(campaign=draft, rows=gold_of(draft, 1), by=None)
    third = draft.candidates.get(position=2).model_version
    Campaign.objects.filter(pk=draft.pk).update(baseline=third)
    draft.refresh_from_db()
    with pytest.raises(InvalidError, match="does not compare"):
        open_campaign(campaign=draft, by=None)
    with pytest.raises(InvalidError) as refused:
        set_gold_verdicts(campaign=draft, rows=gold_of(draft, 2), by=None)
    assert "are not compared in this design" in refused.value.fields["rows"][0]
    Campaign.objects.filter(pk=draft.pk).update(baseline=None, method="ranking")
    draft.refresh_from_db()
    with pytest.raises(InvalidError, match="does not compare"):
        open_campaign(campaign=draft, by=None)
    with pytest.raises(ConflictError, match="its gold is verdicts"):
        set_gold(campaign=draft, rows=[GoldRow("line 1", "1", "tone", "4")], by=None)


def test_gold_from_a_file_tells_all_that_cannot_stay_at_once(project, manager, reviewer):
    draft = make_campaign(
        project, [reviewer], rows=4, candidates=2, overlap=1, method="pairwise", gold_share=10
    )
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{draft.pk}/comparison-checks/"
    one, two = label(draft, 0), label(draft, 1)

    def upload(text):
        file = SimpleUploadedFile("gold.csv", text if isinstance(text, bytes) else text.encode())
        return browser.post(address, {"add": "file", "file": file}, follow=True)

    bad = upload(
        "row,candidate,against,outcome,tie_counts\n"
        f"99,{one},{two},better,\n1,nobody,{two},better,\n1,{one},nobody,better,\n1,{one},{one},better,\n"
        f"1,{one},{two},great,\n1,{one},{two},better,perhaps\n1,{one},{two},tie,yes\n"
        f"2,{one},{two},better,\n2,{two},{one},worse,\n"
    )
    assert bad.status_code == 400 and not draft.gold_verdicts.exists()
    for words in (
        "8 of 9 rows cannot stay; nothing was stored.",
        "line 2: there is no row “99” in Clients v1, test.",
        "line 3: there is no candidate “nobody”",
        "line 4: there is no candidate “nobody”",
        "are not compared in this design.",
        "line 6: “great” is no outcome; choose one of better, worse, tie, both_bad.",
        "line 7: “perhaps” does not say whether a tie counts, too; write yes or no.",
        "line 8: a tie counts, too, only where one of the two is better.",
        "line 10: speaks of the same pair as line 9.",
    ):
        assert words in bad.text, words
    good = upload(f"\ufeffRow,Candidate,Against,Outcome\n1,{one},{two},Better\n2,{two},{one},both_bad\n")
    assert "2 known verdicts stored." in good.text and draft.gold_verdicts.count() == 2
    for broken in (b"\xff\xfe\x00", "", "row,candidate\n1,x\n", "row,candidate,against,outcome\n"):
        assert upload(broken).status_code == 400
    given = {"row": 3, "candidate": two, "against": one, "outcome": "better", "tie_counts": "on"}
    assert browser.post(address, given).status_code == 302
    assert browser.post(address, {**given, "against": two}).status_code == 400
    known = draft.gold_verdicts.get(example__row_number=3)
    assert known.words == f"{two} is better than {one}; a tie counts, too"
    assert "taken off" in browser.post(f"{address}{known.pk}/remove/", follow=True).text
    opened = open_campaign(campaign=draft, by=manager)
    assert (opened.items_total, opened.items.filter(purpose=Purpose.GOLD).count()) == (2, 2)
    assert browser.get(address).status_code == 200


def test_the_best_of_a_ranking_is_entered_alone(project, manager, reviewer):
    draft = make_campaign(
        project, [reviewer], rows=6, candidates=3, overlap=1, method="ranking", gold_share=10
    )
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{draft.pk}/comparison-checks/"
    page = browser.get(address).text
    assert "The best of all" in page and "Second candidate" not in page
    assert browser.post(address, {"row": 1, "candidate": label(draft, 2)}).status_code == 302
    file = SimpleUploadedFile(
        "gold.csv", f"row,candidate,against\n2,{label(draft, 1)},\n3,{label(draft, 0)},x\n".encode()
    )
    refused = browser.post(address, {"add": "file", "file": file})
    assert refused.status_code == 400 and "line 3: of a ranking the best candidate is known" in refused.text
    assert draft.gold_verdicts.get().candidate.label == label(draft, 2)


def test_calibration_comes_first_then_the_verdicts_then_the_work():
    campaign, (ann, bob) = make_checked(
        rows=12, gold_share=0, repeat_share=0, calibration_items=3, candidates=3
    )
    assert campaign.items_total == 9
    owner = campaign.project.created_by
    page = f"/judgements/campaigns/{campaign.key}/calibration/"
    manager_page = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/comparison-calibration/"
    first, second, managing = client_of(ann), client_of(bob), client_of(owner)
    assert first.get(f"/reviews/campaigns/{campaign.key}/calibration/").url == page
    assert "once you have judged all items" in first.get(page).text
    assert [purpose for purpose, _ in judge_on(campaign, ann)] == ["calibration"] * 9
    assert next_for(campaign, ann).reason == NoWorkReason.NOT_ADMITTED
    assert "The calibration round is done" in first.get(f"/judgements/campaigns/{campaign.key}/").text
    # Bob is not done: he sees nothing, and Ann sees only her own.
    assert "<article" not in second.get(page).text
    judge_on(campaign, bob, by_position, most=5)
    assert "Reviewer " not in first.get(page).text.split("<article", 1)[1]
    assert second.post(page, {"item": 1, "text": "Too early"}).status_code == 200
    judge_on(campaign, bob, by_position)
    shown = first.get(page).text
    assert shown.count("<article") == 3 and ">You<" in shown and ">Reviewer 2<" in shown
    assert bob.name not in shown and "candidate-label" not in shown
    assert first.post(page, {"item": 1, "text": "**Formal** is what they asked for."}).status_code == 302
    assert "<strong>Formal</strong>" in second.get(page).text
    assert first.post(page, {"item": 1, "text": "  "}).status_code == 400
    for wrong in ("0", "99", "x", ""):
        assert first.post(page, {"item": wrong, "text": "Where?"}).status_code == 404
    managed = managing.get(manager_page).text
    assert ann.name in managed and "candidate-label" in managed and "Other than the others" in managed
    seats = {seat.user_id: seat for seat in campaign.reviewers.all()}
    admit = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/reviewers/{seats[ann.pk].pk}/admit/"
    assert f"{ann.name} is admitted." in managing.post(admit, follow=True).text
    assert isinstance(next_for(campaign, ann), Assignment)
    assert next_for(campaign, bob).reason == NoWorkReason.NOT_ADMITTED
    again = managing.post(manager_page, {"items": 1})
    assert again.status_code == 400 and "0 examples are left" in again.text
    assert {purpose for purpose, _ in judge_on(campaign, ann)} == {"review"}


def test_a_letter_in_the_round_is_the_answer_that_stood_there_for_the_reader():
    campaign, (ann, bob) = make_checked(rows=8, gold_share=0, repeat_share=0, calibration_items=4)
    judge_on(campaign, ann, by_position)
    judge_on(campaign, bob, by_candidate)
    rows = re.findall(
        r'<th scope="row">(You|Reviewer \d)</th><td>([^<]+)</td>',
        client_of(ann).get(f"/judgements/campaigns/{campaign.key}/calibration/").text,
    )
    assert [words for name, words in rows if name == "You"] == ["A is better"] * 4
    theirs = [words for name, words in rows if name != "You"]
    for item, words in zip(
        campaign.items.filter(purpose=Purpose.CALIBRATION).order_by("pk"), theirs, strict=True
    ):
        mine = Judgement.objects.get(comparison__item=item, reviewer=ann)
        judged = Judgement.objects.get(comparison__item=item, reviewer=bob)
        preferred = judged.outputs["ab".index(judged.choice)]
        assert words == f"{'AB'[mine.outputs.index(preferred)]} is better"


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_another_round_asks_who_is_not_admitted_yet_and_later_people_get_their_checks(method):
    campaign, (ann, bob) = make_checked(
        rows=16,
        gold=2,
        repeat_share=0,
        calibration_items=2,
        item_choice="random",
        items_wanted=6,
        method=method,
    )
    for person in (ann, bob):
        judge_on(campaign, person)
    CampaignReviewer.objects.filter(user=ann).update(admitted_at=ADMITTED)
    assert start_round(campaign=campaign, wanted=2, by=None) == 1
    assert judge_on(campaign, bob, most=9)[0][0] == "calibration"
    assert {purpose for purpose, _ in judge_on(campaign, ann)} <= {"review", "gold"}
    late = make_user("late one")
    campaign.project.memberships.create(user=late, role="reviewer")
    add_reviewers(campaign=campaign, reviewers=[late], by=None)
    assert [purpose for purpose, _ in judge_on(campaign, late)] == ["calibration"] * 4
    assert campaign.places.filter(assigned_to=late, purpose=Purpose.GOLD).count() == 2


@pytest.mark.parametrize(("method", "candidates"), [("pairwise", 2), ("pairwise", 3), ("ranking", 4)])
def test_checks_stand_on_each_side_equally_often_and_leave_the_balance_of_the_rest(method, candidates):
    width = candidates if method == "ranking" else 2
    campaign, _ = make_checked(
        width * 2, rows=20, gold=6, calibration_items=4, method=method, candidates=candidates, repeat_share=0
    )
    owner = dict(ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", "candidate__position"))
    comparisons = {each.pk: each for each in Comparison.objects.filter(item__campaign=campaign)}
    overall, by_item = Counter(), Counter()
    for place in campaign.places.all():
        assert place.outputs_total == (1 if width > 2 else candidates * (candidates - 1) // 2)
        for pk in place.outputs_order:
            assert comparisons[pk].item_id == place.item_id
            for position, output in enumerate(arranged(comparisons[pk].outputs, place.arrangement)):
                if place.purpose == Purpose.REVIEW:
                    overall[owner[output], position] += 1
                else:
                    by_item[place.item_id, pk, owner[output], position] += 1
    # Twice as many people as positions: each answer of a check stands twice at each.
    assert set(by_item.values()) == {2}
    for candidate in range(candidates):
        counts = [overall[candidate, position] for position in range(width)]
        assert max(counts) - min(counts) <= 1


def test_the_cost_counts_checks_in_pairs():
    draft, _ = make_draft(rows=20, candidates=3, gold_share=10, repeat_share=10, calibration_items=2)
    set_gold_verdicts(campaign=draft, rows=gold_of(draft, 1, 2), by=None)
    cost = cost_of_draft(draft)
    assert (cost.items, cost.reviews, cost.checks) == (16, 48, (2 + 2 + 2 * 2) * 3)
    opened = open_campaign(campaign=draft, by=None)
    assert opened.checks_total == cost.checks


def test_programs_set_gold_and_run_the_calibration(project, manager, reviewer):
    draft = make_campaign(
        project, [reviewer], rows=8, overlap=1, gold_share=10, calibration_items=1, method="pairwise"
    )
    program, address = program_of(manager), f"projects/{project.slug}/campaigns/{draft.pk}/"
    known = {"row": 1, "candidate": label(draft, 0), "against": label(draft, 1), "outcome": "better"}
    refused = program.post(f"{address}gold-verdicts/", {"verdicts": [{**known, "row": 99}]})
    assert "verdicts[0]: there is no row “99”" in problem_in(refused, 400)["fields"]["rows"][0]
    assert program.post(f"{address}gold-verdicts/", {"verdicts": [known]}).json() == {"stored": 1}
    (stored,) = program.get(f"{address}gold-verdicts/").json()["results"]
    assert {name: stored[name] for name in (*known, "tie_counts")} == {**known, "tie_counts": False}
    problem_in(
        program.post(f"{address}gold/", {"answers": [{"row": 1, "criterion": "tone", "value": 4}]}), 409
    )
    opened = program.post(f"{address}open/").json()
    assert (opened["items_total"], opened["gold_share"], opened["calibration_items"]) == (6, 10, 1)
    judge_on(Campaign.objects.get(pk=draft.pk), reviewer)
    waiting = {
        "person": reviewer.pk,
        "is_admitted": False,
        "items_done": 1,
        "items_wanted": 1,
        "distance": None,
    }
    assert program.get(f"{address}calibration/").json() == {"people": [waiting]}
    assert program.post(f"{address}reviewers/{reviewer.pk}/admit/").json() == {
        "people": [{**waiting, "is_admitted": True}]
    }
    judge_on(Campaign.objects.get(pk=draft.pk), reviewer)
    (checked,) = program.get(f"{address}checks/").json()["people"]
    assert checked["gold_right"] == checked["gold_answered"]
    assert (checked["person"], checked["sides_compared"], checked["mean_tau"]) == (reviewer.pk, 0, None)


def test_the_pages_of_checks_take_as_many_queries_for_three_people_as_for_one():
    counts = {}
    for people in (1, 3):
        campaign, team = make_checked(
            people, rows=20, calibration_items=people, repeat_share=50, team=f"{people} at work"
        )
        for _ in range(2):
            for person in team:
                judge_on(campaign, person)
            CampaignReviewer.objects.update(admitted_at=ADMITTED)
        owner = campaign.project.created_by
        address = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/"
        pages = {
            "checks": (owner, f"{address}comparison-checks/"),
            "calibration": (owner, f"{address}comparison-calibration/"),
            "quality": (owner, f"{address}quality/"),
            "mine": (team[0], f"/judgements/campaigns/{campaign.key}/calibration/"),
        }
        for name, (person, page) in pages.items():
            browser = client_of(person)
            browser.get(page)
            with CaptureQueriesContext(connection) as captured:
                assert browser.get(page).status_code == 200
            counts.setdefault(name, []).append(len(captured))
    assert {name: one == three for name, (one, three) in counts.items()} == dict.fromkeys(counts, True), (
        counts
    )
