"""Gold: what is known, how it is told, and who is right."""

from collections import Counter
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.gold import remove_known, set_gold
from evalapp.campaigns.models import Assignment, Campaign, Purpose
from evalapp.campaigns.services import open_campaign
from evalapp.core.errors import InvalidError, MissingError
from evalapp.reviews.checks import checks_by_reviewer
from tests.at_once import at_once
from tests.campaigns.making import make_campaign, make_team
from tests.cast import client_of
from tests.factories import answers
from tests.reviews.checking import gold_of, make_checked, review_on

pytestmark = pytest.mark.django_db


def test_gold_results_lead_to_the_items() -> None:
    campaign, (person, _other) = make_checked(rows=60, gold=6, gold_share=20, repeat_share=0)
    rows = dict(campaign.items.values_list("pk", "example__row_number"))

    def said(assignment: Assignment) -> Any:
        return answers(tone=2 if assignment.purpose == Purpose.GOLD and rows[assignment.item_id] <= 2 else 4)

    review_on(campaign, person, said)
    mine, theirs = checks_by_reviewer(campaign)
    assert (mine.hits, mine.answered, theirs.answered) == (4, 6, 0)
    assert [
        (miss.row_number, miss.given, miss.known) for miss in sorted(mine.misses, key=lambda m: m.row_number)
    ] == [
        (1, "2", "4"),
        (2, "2", "4"),
    ]
    # A tolerance forgives them, also afterwards.
    set_gold(campaign=campaign, rows=gold_of(1, 2, tolerance="2"), by=None)
    assert checks_by_reviewer(campaign)[0].hits == 6
    with pytest.raises(InvalidError) as refused:
        set_gold(campaign=campaign, rows=gold_of(40), by=None)
    assert "an open campaign takes no new ones" in refused.value.fields["rows"][0]
    owner = campaign.project.created_by
    assert owner is not None
    page = client_of(owner).get(f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/checks/").text
    assert "100%" in page
    case = f"/projects/{campaign.project.slug}/results/{campaign.pk}/cases/{mine.misses[0].item_id}/"
    assert client_of(owner).get(case).status_code == 200


def test_a_launch_with_gold_that_cannot_be_is_refused(project: Project, reviewer: User) -> None:
    draft = make_campaign(project, [reviewer], rows=4, candidates=1, overlap=1, gold_share=10)
    with pytest.raises(InvalidError, match="there are no known answers yet"):
        open_campaign(campaign=draft, by=None)
    other = make_campaign(
        project,
        [reviewer],
        rows=4,
        candidates=1,
        overlap=1,
        calibration_items=2,
        name="b",
        dataset="b",
        rubric="b",
    )
    Campaign.objects.filter(pk=other.pk).update(item_choice="random", examples_wanted=3)
    other.refresh_from_db()
    with pytest.raises(InvalidError, match="3 examples are wanted; 2 in 1 strata"):
        open_campaign(campaign=other, by=None)


def test_gold_from_a_file_tells_all_that_cannot_stay_at_once(
    project: Project, manager: User, reviewer: User
) -> None:
    draft = make_campaign(project, [reviewer], rows=4, candidates=2, overlap=1, gold_share=10)
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{draft.pk}/checks/"

    def upload(text: str | bytes) -> Any:
        data = text if isinstance(text, bytes) else text.encode()
        return browser.post(
            address, {"add": "file", "file": SimpleUploadedFile("gold.csv", data)}, follow=True
        )

    page = browser.get(address).text
    assert "the test rows lie between 1 and 4." in page
    assert browser.get(page.split('">See the rows of Clients v1')[0].rsplit('"', 1)[1]).status_code == 200

    bad = upload(
        "row,criterion,value,tolerance,candidate\n"
        "99,tone,4,,\n1,colour,4,,\n1,tone,9,,\n1,material-factual-error,perhaps,,\n1,tone,4,7,\n1,tone,4,0,nobody\n"
        "2,tone,4,,\n2,tone,5,,\n"
    )
    assert bad.status_code == 400 and not draft.gold_answers.exists()
    for words in (
        "7 of 8 rows have problems; nothing was stored.",
        "line 2: there is no row “99” in Clients v1, test.",
        "line 3: there is no rated criterion “colour”; known: accuracy",
        "line 4: “9” is not an answer to Tone; its answers are 1, 2, 3, 4, 5.",
        "line 5: “perhaps” is not an answer to",
        "line 6: “7” is not a tolerance; give 0 to 4 levels.",
        "line 7: there is no candidate “nobody”",
        "line 9: gives the same answer and criterion as line 8.",
    ):
        assert words in bad.text, words
    label = draft.candidates.first().model_version.label
    good = upload(
        f"\ufeffRow,Criterion,Value,Tolerance,Candidate\n1,Tone,4,1,\n1,tone,2,,{label}\n2,material-factual-error,yes,,\n"
    )
    assert "3 known answers stored." in good.text and draft.gold_answers.count() == 3
    for broken in (
        b"\xff\xfe\x00",
        "",
        "row,criterion\n1,tone\n",
        "row,criterion,value\n",
        'row,criterion,value\n"1,tone',
        "row,criterion,value\n\0,a,b\n",
    ):
        assert upload(broken).status_code == 400
    one = browser.post(
        address, {"row": 3, "criterion": "tone", "value": "5", "tolerance": "", "candidate": ""}
    )
    assert one.status_code == 302 and draft.gold_answers.count() == 4
    answer = draft.gold_answers.get(example__row_number=3)
    assert "Removed from the gold list" in browser.post(f"{address}{answer.pk}/remove/", follow=True).text
    opened = open_campaign(campaign=draft, by=manager)
    assert (opened.items_total, opened.items.filter(purpose=Purpose.GOLD).count()) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_a_known_answer_removed_by_many_at_once_is_removed_once() -> None:
    project, people = make_team(1)
    draft = make_campaign(project, people, rows=4, candidates=1, overlap=1)
    set_gold(campaign=draft, rows=gold_of(1), by=None)
    # As all have found it, before the first of them removes it.
    found = [draft.gold_answers.select_related("campaign__project").get() for _ in range(20)]

    results = at_once(20, lambda number: remove_known(known=found[number], by=project.created_by))

    assert Counter(map(type, results)) == {type(None): 1, MissingError: 19}
    assert AuditEvent.objects.filter(action="campaign.gold_removed").count() == 1
