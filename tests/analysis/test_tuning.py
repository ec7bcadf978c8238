"""Is tuning better than a good prompt: one page with the answer, its evidence, its price, and what is left to
do.
"""

import html
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.registry.prices import set_machine_price, set_price
from evalapp.registry.services import register_prompt
from evalapp.runs.models import Output, Run, RunKind
from tests.api.conftest import program_of
from tests.cast import make_project
from tests.factories import (
    GOOD,
    PLAIN,
    answers,
    make_adapter,
    make_campaign,
    make_outputs,
    make_rubric,
    make_version,
    review_all,
    run_scoring,
)
from tests.form_addresses import model_form, run_form
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User | None], Client]


def prompt_over(tuned: ModelVersion, label: str) -> ModelVersion:
    assert tuned.base is not None
    return register_prompt(
        project=tuned.project,
        base=tuned.base,
        label=label,
        system_prompt="Be plain.",
        prompt_template="",
        by=None,
    )


def held_against(
    tuned: ModelVersion, prompts: list[ModelVersion], version: DatasetVersion, reviewers: list[User]
) -> Campaign:
    project = tuned.project
    make_outputs(version, {tuned: PLAIN, **dict.fromkeys(prompts, GOOD)})
    design = CampaignDesign(
        name="Tuned and prompted",
        rubric_version=make_rubric(project),
        dataset_version=version,
        split="feedback",
        candidates=[tuned, *prompts],
        overlap=len(reviewers),
        reviewers=reviewers,
    )
    return open_campaign(
        campaign=create_campaign(project=project, design=design, by=project.created_by), by=project.created_by
    )


class Made(NamedTuple):
    """``prompt``: the second of two over the tuned one's base. Nobody has reviewed ``campaign``, which is of
    the tuned one and ``prompt``.
    """

    version: DatasetVersion
    tuned: ModelVersion
    prompt: ModelVersion
    campaign: Campaign


def made_in(project: Project, reviewers: list[User]) -> Made:
    version = make_version(project, rows=8)
    tuned = make_adapter(project, "tuned", dataset_version=version)
    prompt_over(tuned, "first try")
    prompt = prompt_over(tuned, "prompted")
    return Made(version, tuned, prompt, held_against(tuned, [prompt], version, reviewers))


@pytest.fixture(scope="module")
def made(cast: Cast) -> Made:
    return made_in(cast.project, [cast.reviewer, cast.engineer])


@pytest.fixture
def tuned(made: Made) -> ModelVersion:
    return again(made.tuned)


@pytest.fixture
def campaign(made: Made) -> Campaign:
    return again(made.campaign)


@pytest.fixture(scope="module")
def made_and_rated(cast: Cast) -> Campaign:
    """The same in another project, where people say that the tuned one is better."""
    people = {"reviewer": cast.reviewer, "engineer": cast.engineer}
    project = make_project("Rated", owner=cast.owner, manager=cast.manager, **people)
    campaign = made_in(project, [cast.reviewer, cast.engineer]).campaign
    rate(campaign, [cast.reviewer, cast.engineer], 5, 3, but={1: 4})
    return campaign


@pytest.fixture
def rated(made_and_rated: Campaign) -> Campaign:
    return again(made_and_rated)


def rate(
    campaign: Campaign, people: list[User], tuned: int, prompted: int, *, but: dict[int, int] | None = None
) -> None:
    """Everything alike, but the tuned candidate's answers to the rows of ``but``, which get those scores."""

    def given(score: int):  # type: ignore[no-untyped-def]
        return answers(accuracy=score, clarity=score, tone=score, personalization=score)

    for person in people:
        odd = {("tuned", row): given(score) for row, score in (but or {}).items()}
        review_all(campaign, person, {**odd, "tuned": given(tuned), "prompted": given(prompted)})


def page(client: Client, project: Project, query: str = "") -> str:
    answer = client.get(reverse("tuning", args=[project.slug]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def told(campaign: Campaign, by: User) -> dict:  # type: ignore[type-arg]
    return program_of(by).get(f"projects/{campaign.project.slug}/analysis/tuning/").json()


def test_the_tuned_candidate_is_better(
    campaign: Campaign, reviewer: User, engineer: User, client_for: ClientFor
) -> None:
    rate(campaign, [reviewer, engineer], 5, 3, but={1: 4, 2: 4})
    run_scoring(campaign)
    shown = page(client_for(engineer), campaign.project)
    assert '<h2 id="answer">Yes</h2>' in shown
    assert "People rate “tuned” better than “prompted”, by 1.75 points" in shown
    Campaign.objects.filter(pk=campaign.pk).update(is_imported=True)
    imported = page(client_for(engineer), campaign.project)
    assert "The raters of the imported file rate “tuned” better than “prompted”, by 1.75 points" in imported
    assert "8 items shared by all, 32 reviews by 2 reviewers" in shown
    assert "prompt 2 of the 2 tried on the base" in shown
    assert "ROUGE-L" in shown
    answer = told(campaign, engineer)
    assert (answer["answer"]["verdict"], answer["candidate"]["label"]) == ("better", "tuned")
    (against,) = answer["against"]
    total = next(each for each in against["differences"] if each["criterion"] == "total")
    assert (total["difference"]["value"], total["record"]["won"]) == (pytest.approx(1.75), 16)
    assert against["tries"] == {"number": 2, "of": 2}
    rouge = next(each for each in against["metrics"] if each["metric"] == "rougeL")
    assert rouge["difference"]["value"] == pytest.approx(rouge["tuned"]["value"] - rouge["other"]["value"])
    assert rouge["difference"]["n"] == 8


def test_better_in_total_and_worse_on_a_criterion_is_no_yes(
    campaign: Campaign, reviewer: User, engineer: User, client_for: ClientFor
) -> None:
    for person in (reviewer, engineer):
        review_all(
            campaign,
            person,
            {
                "tuned": answers(accuracy=2, clarity=5, tone=5, personalization=5),
                "prompted": answers(accuracy=4, clarity=3, tone=2, personalization=2),
            },
        )
    shown = page(client_for(engineer), campaign.project)
    assert '<h2 id="answer">Better in total, worse on some criteria</h2>' in shown
    assert "in total. It is worse on Accuracy (−2.0)." in shown
    assert told(campaign, engineer)["answer"]["verdict"] == "mixed"


def test_the_prompt_is_better(
    campaign: Campaign, reviewer: User, engineer: User, client_for: ClientFor
) -> None:
    rate(campaign, [reviewer, engineer], 2, 4, but={1: 3})
    shown = page(client_for(engineer), campaign.project)
    assert '<h2 id="answer">No</h2>' in shown
    assert "People rate “prompted” better than “tuned”, by 1.88 points" in shown


def test_what_is_not_decided_says_how_many_reviews_more(
    campaign: Campaign, reviewer: User, engineer: User, client_for: ClientFor
) -> None:
    rate(campaign, [reviewer, engineer], 4, 4, but={1: 5, 2: 5, 3: 5, 4: 3})
    shown = page(client_for(engineer), campaign.project)
    assert '<h2 id="answer">Not decided</h2>' in shown
    answer = told(campaign, engineer)["answer"]
    # p = 0.27 of two reviewers' 16 pairs: their number has to grow to (1.96 / 1.1)² of it.
    assert answer["verdict"] == "open"
    assert 16 <= answer["more_reviews"] <= 64
    assert f"About {answer['more_reviews']} more reviews of each would decide it" in shown


def test_what_is_alike_does_not_ask_for_reviews_that_would_not_help(
    campaign: Campaign, reviewer: User, engineer: User, client_for: ClientFor
) -> None:
    rate(campaign, [reviewer, engineer], 4, 4, but={1: 5, 2: 3})
    shown = page(client_for(engineer), campaign.project)
    assert "are rated alike in total" in shown
    assert "More reviews alone are not expected to show a difference" in shown
    assert told(campaign, engineer)["answer"]["more_reviews"] is None


def test_one_reviewer_decides_nothing_about_others(
    campaign: Campaign, reviewer: User, engineer: User, client_for: ClientFor
) -> None:
    Project.objects.update(population="reviewers")
    rate(campaign, [reviewer], 5, 3, but={1: 4})
    shown = page(client_for(engineer), campaign.project)
    assert "Not decided" in shown
    # No test was made, so nothing is said of chance or significance.
    assert "The difference is not tested: one reviewer" in shown
    assert "chance" not in told(campaign, engineer)["answer"]["words"]
    assert "significant" not in told(campaign, engineer)["answer"]["words"]


def test_it_has_to_be_better_than_every_prompt(
    empty_project: Project, reviewer: User, engineer: User, client_for: ClientFor
) -> None:
    version = make_version(empty_project, rows=8)
    tuned = make_adapter(empty_project, "tuned", dataset_version=version)
    prompt = prompt_over(tuned, "prompted")
    better = prompt_over(tuned, "third try")
    campaign = held_against(tuned, [prompt, better], version, [reviewer, engineer])
    good = answers(accuracy=5, clarity=5, tone=5, personalization=5)
    middle = answers(accuracy=4, clarity=4, tone=4, personalization=4)
    for person in (reviewer, engineer):
        review_all(
            campaign,
            person,
            {
                ("third try", 1): middle,
                "third try": good,
                ("prompted", 1): answers(tone=3, clarity=2),
                "prompted": answers(tone=1, clarity=2),
                "tuned": middle,
            },
        )
    shown = page(client_for(engineer), campaign.project)
    assert "People rate “third try” better than “tuned”" in shown
    # Held against the weaker one alone it is better, and the page says against whom.
    weaker = campaign.candidates.get(model_version=prompt)
    shown = page(client_for(engineer), campaign.project, f"?candidates={weaker.pk}")
    assert "People rate “tuned” better than “prompted”" in shown


def test_decoding_that_differs_is_said(rated: Campaign, engineer: User, client_for: ClientFor) -> None:
    client = client_for(engineer)
    assert "outputs were imported" in page(client, rated.project)
    run = rated.project.runs.get(kind=RunKind.IMPORT)
    sampling = {
        "max_tokens": 256,
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": 0,
        "repetition_penalty": 1.0,
        "seed": 1,
    }
    Run.objects.filter(pk=run.pk).update(kind=RunKind.GENERATION, spec={"sampling": sampling}, engine="vllm")
    shown = page(client, rated.project)
    assert "Same decoding" in shown
    assert "Longest answer 256, temperature 0, top p 1" in shown
    assert "all in one run" in shown
    other = Run.objects.create(
        project=run.project, kind=RunKind.GENERATION, name="Again", job=make_outputs_job(run), engine="vllm",
        dataset_version=run.dataset_version, splits=run.splits, spec={"sampling": {**sampling,
        "temperature": 0.7}},
    )  # fmt: skip
    Output.objects.filter(run=run, candidate__label="tuned").update(run=other)
    shown = page(client, rated.project)
    assert "Decoding differs" in shown
    assert "temperature 0.7 for tuned, 0 for prompted" in shown
    assert told(rated, engineer)["decoding"]["differences"] == [
        {"setting": "temperature", "values": ["0.7", "0"]}
    ]


def make_outputs_job(run: Run):  # type: ignore[no-untyped-def]
    from evalapp.jobs.models import Job, JobState

    return Job.objects.create(
        project=run.project,
        task="t",
        title="Again",
        state=JobState.SUCCEEDED,
        finished_at=run.job.finished_at,
    )


def test_the_training_is_priced_and_earned_back_by_shorter_questions(
    rated: Campaign, engineer: User, manager: User, client_for: ClientFor
) -> None:
    client, project = client_for(engineer), rated.project
    tuned = rated.candidates.get(model_version__label="tuned").model_version
    Run.objects.filter(produced=tuned).update(result={"seconds": 1800.0})
    Output.objects.filter(candidate=tuned).update(prompt_tokens=100, completion_tokens=50, seconds=0.5)
    Output.objects.filter(candidate__label="prompted").update(
        prompt_tokens=1100, completion_tokens=50, seconds=0.9
    )
    assert "no price is set for an hour of training" in page(client, project)
    million = {"input_price": Decimal(2), "output_price": Decimal(4), "currency": "EUR"}
    set_price(project=project, model_version=None, by=manager, **million)
    set_machine_price(project=project, hour_price=Decimal(4), currency="eur", by=manager)
    shown = page(client, project)
    # Half an hour at 4 an hour; an answer saves a thousand tokens of prompt at 2 a million.
    assert ">2.00</span>" in shown
    assert "30 min" in shown
    assert 'recovered after about <strong class="number">1,000</strong> outputs' in shown
    costs = told(rated, engineer)["training"]
    assert (costs["seconds"], costs["cost"], costs["currency"]) == (1800.0, 2.0, "EUR")
    assert costs["earned_back"] == [
        {"candidate": rated.candidates.get(model_version__label="prompted").pk, "answers": 1000}
    ]
    Output.objects.filter(candidate=tuned).update(prompt_tokens=1100)
    assert "training cost is not recovered" in page(client, project)


def test_what_to_do_next_where_nothing_is_reviewed(
    empty_project: Project, engineer: User, manager: User, client_for: ClientFor
) -> None:
    project, client = empty_project, client_for(manager)
    assert run_form(project, "training") in page(client, project)
    version = make_version(project, rows=8)
    tuned = make_adapter(project, "tuned", dataset_version=version)
    assert html.escape(model_form(project, "prompt", base=tuned.base_id)) in page(client, project)
    prompt_over(tuned, "first try")
    prompt = prompt_over(tuned, "prompted")
    shown = page(client, project)
    assert (
        f"{html.escape(run_form(project, 'generation', candidates=tuned.pk))}&amp;candidates={prompt.pk}"
        in shown
    )
    make_outputs(version, {tuned: PLAIN, prompt: GOOD})
    new = f"{reverse('campaign_new', args=[project.slug])}?dataset_version={version.pk}&amp;split=feedback"
    assert new in page(client, project)
    # Who may not design campaigns is told, and led nowhere.
    assert new not in page(client_for(engineer), project)
    campaign = held_against(tuned, [prompt], make_version(project, rows=2, name="Others"), [engineer])
    shown = page(client, project)
    assert reverse("campaign_detail", args=[project.slug, campaign.pk]) in shown
    assert "Not known yet" not in shown


def test_it_is_asked_from_the_project_s_home_and_from_the_candidate(
    tuned: ModelVersion, engineer: User, client_for: ClientFor
) -> None:
    client, slug = client_for(engineer), tuned.project.slug
    address = reverse("tuning", args=[slug])
    assert f'href="{address}"' in client.get(reverse("project_home", args=[slug])).content.decode()
    version_page = client.get(reverse("model_version", args=[slug, tuned.pk])).content.decode()
    assert f'href="{address}?candidate={tuned.pk}"' in version_page


@pytest.mark.parametrize("query", ["?candidate=0", "?candidate=x", "?campaign=999999", "?candidate=²"])
def test_what_is_not_there_is_missing(
    query: str, campaign: Campaign, engineer: User, client_for: ClientFor
) -> None:
    answer = client_for(engineer).get(reverse("tuning", args=[campaign.project.slug]) + query)
    assert answer.status_code == 404
    told = program_of(engineer).ask("GET", f"projects/{campaign.project.slug}/analysis/tuning/{query}")
    assert told.status_code in (400, 404)


def test_a_filter_applies_and_a_wrong_one_is_named(
    rated: Campaign, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    assert "Exploratory" in page(client, rated.project, "?reviewers=1")
    assert client.get(reverse("tuning", args=[rated.project.slug]) + "?reviewers=9").status_code == 400


def test_of_a_large_rated_it_shows_what_a_job_has_stored(
    rated: Campaign, engineer: User, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalapp.analysis.stored.stored_results.MOST_AT_REQUEST", 1)
    shown = page(client_for(engineer), rated.project)
    assert "not computed yet" in shown
    assert "Compute results" in shown


def test_of_imported_candidates_it_is_asked_which_is_which_and_then_answered(
    empty_project: Project, reviewer: User, manager: User, client_for: ClientFor
) -> None:
    campaign = make_campaign(empty_project, [reviewer], rows=8, texts={"Ours": GOOD, "Theirs": PLAIN})
    review_all(campaign, reviewer, {("Ours", row): answers(tone=5) for row in range(1, 9)})
    client, address = client_for(manager), reverse("tuning", args=[empty_project.slug])
    page = client.get(address).text
    assert "Candidate roles" in page and "Choose the fine-tuned" in page
    ours, theirs = campaign.candidates.order_by("position").values_list("model_version", flat=True)
    page = client.get(f"{address}?candidate={ours}&prompt={theirs}").text
    assert "chosen as the prompted one" in page and 'id="answer"' in page
    assert "Against the base model" not in page and "is not known here" in page
    # Whoever mixed them up turns them round.
    turned = client.get(f"{address}?candidate={theirs}&prompt={ours}").text
    assert 'id="answer"' in turned and turned != page
    for wrong in (f"candidate={ours}&prompt={ours}", f"candidate={ours}&prompt=0", "candidate=x&prompt=y"):
        assert client.get(f"{address}?{wrong}").status_code == 404
