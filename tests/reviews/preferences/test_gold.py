"""Gold where answers are compared: what is known, how it is told, and who is right."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from evalapp.campaigns.gold import GoldRow, set_gold
from evalapp.campaigns.models import (
    Campaign,
    Purpose,
)
from evalapp.campaigns.services import close_campaign, open_campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.checks import comparison_checks
from evalapp.reviews.preferences.gold import set_gold_preferences
from evalapp.reviews.preferences.models import Preference
from tests.campaigns.making import make_campaign
from tests.cast import client_of
from tests.reviews.preferences.checking import (
    by_candidate,
    gold_of,
    judge_on,
    label,
    make_checked,
    make_draft,
)

pytestmark = pytest.mark.django_db


def test_gold_results_lead_to_the_items_and_a_tie_can_be_right_too():
    campaign, (person, _) = make_checked(rows=60, gold=6, gold_share=20, repeat_share=0)
    rows = dict(campaign.items.values_list("pk", "example__row_number"))

    def said(review_context):
        is_off = (
            review_context.assignment.purpose == Purpose.GOLD and rows[review_context.assignment.item_id] <= 2
        )
        return PreferenceAnswers("tie") if is_off else by_candidate(review_context)

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
    assert set_gold_preferences(campaign=campaign, rows=again, by=None) == 2
    assert campaign.gold_preferences.count() == 6
    assert comparison_checks(campaign)[0].hits == 6
    with pytest.raises(InvalidError) as refused:
        set_gold_preferences(campaign=campaign, rows=gold_of(campaign, 40), by=None)
    assert "an open campaign takes no new ones" in refused.value.fields["rows"][0]
    owner = campaign.project.created_by
    base = f"/projects/{campaign.project.slug}/"
    page = client_of(owner).get(f"{base}campaigns/{campaign.pk}/checks/")
    assert "100%" in page.text and "a tie also counts" in page.text
    case = f"{base}results/{campaign.pk}/cases/{mine.misses[0].item_id}/"
    assert client_of(owner).get(case).status_code == 200
    quality = client_of(owner).get(f"{base}campaigns/{campaign.pk}/quality/").text
    assert "Gold and repeats" in quality and "Reviewer 1" in quality and person.name not in quality
    close_campaign(campaign=campaign, by=None)
    with pytest.raises(ConflictError):
        set_gold_preferences(campaign=campaign, rows=gold_of(campaign, 1), by=None)


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
def test_each_known_outcome_takes_its_preference(outcome, tie_counts, right):
    draft, (person, _) = make_draft(rows=8, gold_share=50)
    known = gold_of(draft, 1, outcome=outcome, tie_counts=tie_counts)
    set_gold_preferences(campaign=draft, rows=known, by=None)
    campaign = open_campaign(campaign=draft, by=None)
    judge_on(campaign, person)
    found = set()
    review = Review.objects.get(purpose=Purpose.GOLD)
    for said in ("by candidate", "tie", "both_bad"):
        if said != "by candidate":
            Preference.objects.filter(review=review).update(choice=said)
        if comparison_checks(campaign)[0].golds == [True]:
            found.add(said)
    assert found == right


def test_of_a_ranking_the_best_is_known():
    campaign, (person, other) = make_checked(
        rows=40, gold=8, gold_share=50, repeat_share=0, method="ranking", distribution="manual"
    )
    worst = {1: 3, 2: 2, 3: 1}

    def reversed_order(review_context):
        return PreferenceAnswers("", [worst[rank] for rank in by_candidate(review_context).ranks])

    judge_on(campaign, person)
    judge_on(campaign, other, reversed_order)
    mine, theirs = comparison_checks(campaign)
    assert mine.hits == mine.answered == theirs.answered == 8 and theirs.hits == 0
    assert theirs.misses[0].known == f"{label(campaign, 0)} is the best"
    assert theirs.misses[0].given == " › ".join(label(campaign, each) for each in (2, 1, 0))


def test_gold_that_the_design_does_not_compare_stops_the_launch():
    draft, _ = make_draft(candidates=3, rows=8, gold_share=10)
    with pytest.raises(InvalidError, match="there are no known answers yet"):
        open_campaign(campaign=draft, by=None)
    set_gold_preferences(campaign=draft, rows=gold_of(draft, 1), by=None)
    third = draft.candidates.get(position=2).model_version
    Campaign.objects.filter(pk=draft.pk).update(baseline=third)
    draft.refresh_from_db()
    with pytest.raises(InvalidError, match="does not compare"):
        open_campaign(campaign=draft, by=None)
    with pytest.raises(InvalidError) as refused:
        set_gold_preferences(campaign=draft, rows=gold_of(draft, 2), by=None)
    assert "are not compared in this design" in refused.value.fields["rows"][0]
    Campaign.objects.filter(pk=draft.pk).update(baseline=None, method="ranking")
    draft.refresh_from_db()
    with pytest.raises(InvalidError, match="does not compare"):
        open_campaign(campaign=draft, by=None)
    with pytest.raises(ConflictError, match="its gold is preferences"):
        set_gold(campaign=draft, rows=[GoldRow("line 1", "1", "tone", "4")], by=None)


def test_gold_from_a_file_tells_all_that_cannot_stay_at_once(project, manager, reviewer):
    draft = make_campaign(
        project, [reviewer], rows=4, candidates=2, overlap=1, method="pairwise", gold_share=10
    )
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{draft.pk}/checks/"
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
    assert bad.status_code == 400 and not draft.gold_preferences.exists()
    for words in (
        "8 of 9 rows have problems; nothing was stored.",
        "line 2: there is no row “99” in Clients v1, test.",
        "line 3: there is no candidate “nobody”",
        "line 4: there is no candidate “nobody”",
        "are not compared in this design.",
        "line 6: “great” is not an outcome; choose one of better, worse, tie, both_bad.",
        "line 7: “perhaps” is not yes or no (whether a tie also counts).",
        "line 8: a tie can only count as well if one of the two is better.",
        "line 10: gives the same pair as line 9.",
    ):
        assert words in bad.text, words
    good = upload(f"\ufeffRow,Candidate,Against,Outcome\n1,{one},{two},Better\n2,{two},{one},both_bad\n")
    assert "2 known preferences stored." in good.text and draft.gold_preferences.count() == 2
    for broken in (b"\xff\xfe\x00", "", "row,candidate\n1,x\n", "row,candidate,against,outcome\n"):
        assert upload(broken).status_code == 400
    given = {"row": 3, "candidate": two, "against": one, "outcome": "better", "tie_counts": "on"}
    assert browser.post(address, given).status_code == 302
    assert browser.post(address, {**given, "against": two}).status_code == 400
    known = draft.gold_preferences.get(example__row_number=3)
    assert known.words == f"{two} is better than {one}; a tie also counts"
    assert "Removed from the gold list" in browser.post(f"{address}{known.pk}/remove/", follow=True).text
    opened = open_campaign(campaign=draft, by=manager)
    assert (opened.items_total, opened.items.filter(purpose=Purpose.GOLD).count()) == (2, 2)
    assert browser.get(address).status_code == 200


def test_the_best_of_a_ranking_is_entered_alone(project, manager, reviewer):
    draft = make_campaign(
        project, [reviewer], rows=6, candidates=3, overlap=1, method="ranking", gold_share=10
    )
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{draft.pk}/checks/"
    page = browser.get(address).text
    assert "The best candidate" in page and "Second candidate" not in page
    assert browser.post(address, {"row": 1, "candidate": label(draft, 2)}).status_code == 302
    file = SimpleUploadedFile(
        "gold.csv", f"row,candidate,against\n2,{label(draft, 1)},\n3,{label(draft, 0)},x\n".encode()
    )
    refused = browser.post(address, {"add": "file", "file": file})
    assert (
        refused.status_code == 400
        and "line 3: for a ranking only the best candidate is known" in refused.text
    )
    assert draft.gold_preferences.get().candidate.label == label(draft, 2)
