"""The model card says what is known, in the hub's format, and what is not; and nothing that somebody wrote
becomes markup.
"""

import re
from typing import Any

import pytest
from django.urls import reverse
from huggingface_hub import ModelCard

from evalapp.accounts.models import Project, User
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.stored import stored_results
from evalapp.analysis.stored.stored_results import AnalysisRequest, start_analysis
from evalapp.analysis.tasks import compute
from evalapp.artifacts.card import card_of
from evalapp.artifacts.evidence import evidence_of
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.decisions.services import decide
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_adapter
from evalapp.runs.models import Run
from tests.artifacts.kept_training import FIXTURES as TRAINED
from tests.factories import answers, make_campaign, review_all, run_scoring
from tests.kept_cast import FIXTURES
from tests.registry.handmade import make_adapter_folder
from tests.registry.test_views import ClientFor

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
trained, model_folders, behave, version, base, training, adapter = TRAINED


def metadata(card: str) -> dict[str, Any]:
    return dict(ModelCard(card).data.to_dict())


def section(card: str, heading: str) -> str:
    return card.partition(f"## {heading}\n")[2].partition("\n## ")[0].strip()


def test_a_trained_adapters_card(adapter: ModelVersion, training: Run, base: ModelVersion) -> None:
    card = card_of(adapter, reader=None)
    assert metadata(card) == {
        "library_name": "peft", "pipeline_tag": "text-generation", "tags": ["evalapp", "lora", "sft"],
    }  # fmt: skip
    data = training.dataset_version
    assert section(card, "Lineage").splitlines() == [
        f"- made by the training “v1” (run {training.pk})",
        f"- on Small, Base (`{base.content_hash}`)",
    ]
    said = section(card, "Training data")
    assert (
        f"Questions v1 (`{data.content_hash}`), rows by split: 6 training, 3 test (held out), 2 feedback."
        in said
    )
    assert "Of 6 rows, 4 were kept whole, 1 cut at the end and 1 dropped (empty completion: 1)." in said
    assert "5 were there to train on, 0 held out to choose the step." in said
    assert "The training read 5 of them, in" in said
    training.refresh_from_db()
    training.result["epochs"] = 0.4
    training.save()
    said = section(card_of(adapter, reader=None), "Training data")
    assert "The training read 2 of them, in 0.4 passes." in said
    assert "trained on" not in said
    how = section(card, "Training")
    assert "LoRA by SFT." in how
    assert "| rank | 2 |" in how and "| seed | 42 |" in how and "| beta |" not in how
    assert "training loss from 2 to 0.5, validation loss 0.6 at the kept step 4." in how
    assert "Ran on Abacus" in how
    assert (
        "Of the 5 different rows of the evaluation splits none has its prompt in the 6 training rows" in card
    )
    assert f"SHA-256 of adapter\\_model.safetensors: `{adapter.content_hash}`".replace("\\", "") in card
    unknown = section(card, "What is not known")
    assert "nobody has rated its answers on a scale here" in unknown
    assert "The base's licence and publisher: not recorded here." in unknown


def test_what_was_trained_elsewhere_is_said_to_be_unknown(
    project: Project, engineer: User, base: ModelVersion, tmp_path
) -> None:
    foreign = register_adapter(
        project=project, base=base, label="Foreign", folder=make_adapter_folder(tmp_path / "f"), by=engineer
    )
    card = card_of(foreign, reader=None)
    assert "trained elsewhere, then added here" in card
    assert "What it was trained on: Foreign was trained elsewhere." in card
    assert "## Training" not in card.replace("## Training rows", "")
    assert "loss" not in card


def test_a_base_of_a_hub_is_named_with_its_commit_and_its_licence_is_not_taken_over(
    base: ModelVersion, adapter: ModelVersion
) -> None:
    base.config["hub"] = {
        "repository": "house/tiny", "commit": "0123abcd", "hub": "https://huggingface.co",
        "license": "apache-2.0",
    }  # fmt: skip
    base.save(update_fields=["config"])
    adapter.refresh_from_db()
    found = metadata(card_of(adapter, reader=None))
    assert (found["base_model"], found["base_model_relation"]) == ("house/tiny", "adapter")
    assert "license" not in found
    card = card_of(adapter, reader=None)
    assert "at commit `0123abcd`" in card
    assert "The licence of this version: not recorded here." in card
    assert metadata(card_of(base, reader=None))["license"] == "apache-2.0"


@pytest.fixture
def reviewed(project: Project, engineer: User, reviewer: User) -> Campaign:
    campaign = make_campaign(project, [engineer, reviewer], rows=4)
    run_scoring(campaign)
    for number, person in enumerate((engineer, reviewer)):
        review_all(campaign, person, {"plain": answers(tone=5), "formal": answers(tone=2 + number)})
    return campaign


def test_people_metrics_and_decisions_with_n_intervals_and_signatures(
    project: Project, manager: User, reviewed: Campaign
) -> None:
    close_campaign(campaign=reviewed, by=manager)
    plain = ModelVersion.objects.get(label="plain")
    decision = decide(
        campaign=reviewed, candidate=plain, verdict="release", note="Clear <b>and</b> warm.", by=manager
    )
    card = card_of(plain, reader=None)
    assert "4 items, 2 reviewers, 16 reviews of all candidates; 8 of 8 assignments submitted." in card
    tone = next(line for line in card.splitlines() if line.startswith("| Tone |"))
    assert re.match(r"\| Tone \| 5\.000 \| .+ \| 4 \| `.+version:2.+` \|", tone), tone
    assert "| ROUGE-L |" in card
    assert "decided “release” on “Spring round”: Clear \\<b\\>and\\</b\\> warm." in card
    assert f"made the champion by decision {decision.pk}" in card
    entry = metadata(card)["model-index"][0]["results"][0]
    assert entry["dataset"]["name"] == "Clients of Spring round v1, feedback"
    assert {"type": "human_tone", "name": "Tone, rated by people", "value": 5.0} in entry["metrics"]
    assert manager.name not in card


def test_figures_of_a_large_campaign_are_told_with_their_age(
    project: Project,
    manager: User,
    reviewed: Campaign,
    monkeypatch: pytest.MonkeyPatch,
    client_for: ClientFor,
) -> None:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    plain = ModelVersion.objects.get(label="plain")
    nobody, as_of = "nobody has rated its answers", "Results as of"
    card = card_of(plain, reader=None)
    assert "undefined: not computed yet" in card and as_of not in card
    assert nobody not in card, "its figures are missing, not its reviews"
    compute(start_analysis(campaign=reviewed, request=AnalysisRequest(AnalysisKind.COMPARISON), by=None).pk)
    reviewed.stored_analyses.update(reviews=12)
    card = card_of(plain, reader=None)
    assert "| Tone | 5.000 |" in card and as_of in card and "; 4 of these reviews are newer." in card
    page = client_for(manager).get(reverse("model_version", args=[project.slug, plain.pk])).text
    assert as_of in page and "4 of these reviews are newer" in page


def test_who_still_reviews_blind_reads_no_result_of_that_campaign(
    project: Project, engineer: User, manager: User, reviewer: User, client_for: ClientFor
) -> None:
    campaign = make_campaign(project, [engineer, reviewer], rows=4, name="Blind round")
    run_scoring(campaign)
    review_all(campaign, reviewer, {"plain": answers(tone=5)})
    plain = ModelVersion.objects.get(label="plain")
    assert [each.is_withheld for each in evidence_of(plain, reader=engineer).campaigns] == [True]
    for address in ("model_version", "model_card", "model_card_file"):
        page = client_for(engineer).get(reverse(address, args=[project.slug, plain.pk])).text
        assert "ROUGE" not in page and "Tone" not in page, address
        assert "Tone" in client_for(manager).get(reverse(address, args=[project.slug, plain.pk])).text
    assert "1 campaign(s) that the reader of this card still reviews blind are left out" in card_of(
        plain, reader=engineer
    )


def test_simulated_reviews_are_said_to_be_and_stand_in_no_metadata(
    project: Project, reviewer: User, engineer: User
) -> None:
    project.is_demonstration = True
    project.save(update_fields=["is_demonstration"])
    campaign = make_campaign(project, [engineer, reviewer], rows=3)
    for person in (engineer, reviewer):
        review_all(campaign, person, {}, is_simulated=True)
    plain = ModelVersion.objects.get(label="plain")
    card = card_of(plain, reader=None)
    assert "**Simulated: no human gave these reviews.**" in card
    assert "model-index" not in metadata(card)


def test_what_people_wrote_is_no_markup(
    project: Project, engineer: User, adapter: ModelVersion, client_for: ClientFor
) -> None:
    adapter.label = "v1 | <script>alert(1)</script> [x](javascript:y) # `z`"
    adapter.system_prompt = "```\n# Owned\n```"
    adapter.save(update_fields=["label", "system_prompt"])
    card = card_of(adapter, reader=None)
    title = next(line for line in card.splitlines() if line.startswith("# "))
    assert title == "# v1 \\| \\<script\\>alert(1)\\</script\\> \\[x\\](javascript:y) \\# \\`z\\`"
    assert "````text\n```\n# Owned\n```\n````" in card
    page = client_for(engineer).get(reverse("model_card", args=[project.slug, adapter.pk])).text
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page


def test_the_page_shows_the_card_and_the_file_is_the_same(
    project: Project, engineer: User, adapter: ModelVersion, client_for: ClientFor
) -> None:
    browser = client_for(engineer)
    page = browser.get(reverse("model_card", args=[project.slug, adapter.pk])).text
    assert "Training data</h4>" in page
    assert "library_name: peft" in page
    file = browser.get(reverse("model_card_file", args=[project.slug, adapter.pk]))
    assert file["Content-Disposition"] == 'attachment; filename="README.md"'
    assert file.text == card_of(adapter, reader=engineer)
