"""A report from a click to its two files: what they say, that nothing in them acts, and that they stay."""

import hashlib
import html
import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from evalapp.accounts.models import Project, User
from evalapp.accounts.services import change_role
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.filtered_scores import load_filtered
from evalapp.analysis.scores.filters import read_filter
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.charts.drawing import PHONE_WIDTH, WIDTH
from evalapp.decisions.services import decide
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.services import apply_gate
from evalapp.registry.models import ModelVersion
from evalapp.reports.services import start_report
from evalapp.reports.tasks import write_report
from evalapp.reports.writing import report_folder
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.services import amend_review
from tests.analysis.segments import make_segmented, review_with_paradox
from tests.analysis.test_pairs import judge_by, pairs_campaign, prefers
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all
from tests.gates.making import make_gate, make_gated_campaign
from tests.reports.conftest import Files, made, page_of, words_of

pytestmark = pytest.mark.django_db

HOSTILE = '</style><script>x()</script> #panic("x") $1/0$ "q" & *b* [y](z) \\ =1+1'


def test_one_click_makes_a_page_and_a_pdf(reviewed: Campaign, manager: User) -> None:
    client = client_of(manager)
    comparison = f"/projects/{reviewed.project.slug}/results/{reviewed.pk}/"
    assert f'action="{comparison}reports/"' in client.get(comparison).content.decode()

    answer = client.post(f"{comparison}reports/")
    report = reviewed.reports.get()
    assert answer["Location"] == f"/projects/{reviewed.project.slug}/results/reports/{report.pk}/"
    waiting = client.get(answer["Location"]).content.decode()
    assert "waits for its turn" in waiting and "report.pdf" not in waiting

    assert report.job is not None
    write_report(report.job.pk)
    done = client.get(answer["Location"]).content.decode()
    report.refresh_from_db()
    for file in report.files:
        assert f"{answer['Location']}files/{file['name']}" in done and file["sha256"] in done
        got = client.get(f"{answer['Location']}files/{file['name']}")
        content = b"".join(got.streaming_content)  # type: ignore[attr-defined]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert got["Content-Disposition"].startswith("attachment")
    assert (report_folder(report) / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert AuditEvent.objects.filter(action="report.done").count() == 1


def test_a_report_of_a_filtered_comparison_is_of_that_view_and_says_so(
    empty_project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    reviewed = make_segmented(empty_project, [reviewer, other_reviewer], rows=9)
    review_with_paradox(reviewed, [reviewer, other_reviewer], rows=9)
    Project.objects.update(shows_reviewer_names=True)
    User.objects.filter(pk=reviewer.pk).update(name="Someone Unlike")
    client = client_of(manager)
    start = f"/projects/{reviewed.project.slug}/results/{reviewed.pk}/"
    query = urlencode({"field.segment": "retail & private", "reviewers": 1})
    form = client.get(f"{start}?{query}").text
    assert "Create report of this view" in form
    (view,) = re.findall(r'name="view" value="([^"]+)"', form)
    answer = client.post(f"{start}reports/", {"view": html.unescape(view)})
    report = reviewed.reports.get()
    assert report.job is not None
    write_report(report.job.pk)
    report.refresh_from_db()
    said = words_of(page_of(report))
    words = "segment: retail & private; by Reviewer 1"
    assert f"A filtered view: {words} (6 of 9 items, 12 of 36 reviews)." in said
    assert f"filtered: {words}" in said and "Filter" in said
    assert "Someone Unlike" not in said
    wanted = read_filter(reviewed, QueryDict(query))
    expected = compare(load_filtered(wanted).scores)
    formal = expected.rows[0].cell("tone")
    assert formal is not None and formal.mean.value == pytest.approx(2.5)
    assert "Tone (1–5) 2.5" in said
    assert html.unescape(client.get(answer["Location"]).text).count(words) == 1
    whole = made(reviewed, manager)
    assert (whole.view, whole.data_digest == report.data_digest) == ("", False)
    assert "Filtered view" not in page_of(whole)
    listed = html.unescape(client.get(f"{start}reports/").text)
    assert listed.count(words) == 1
    # By API the same; a filter that filters by what is not there is refused before anything starts.
    program = program_of(manager)
    place = f"/api/v1/projects/{reviewed.project.slug}/campaigns/{reviewed.pk}/reports/"
    told = program.post(place, {"view": "field.segment=institutional"}).json()
    assert (told["view"], told["view_words"]) == ("field.segment=institutional", "segment: institutional")
    for bad, reason in (
        ("field.segment=nobody", "No example has “nobody”"),
        ("field.segment=\x00", "No example has “\x00”"),
        ("colour=red", "“colour” is not a filter"),
        ("split=feedback&reviewer_type=human", "“reviewer_type” is not a filter of a report"),
        ("low=1&criterion=tone", "“low” is not a filter of a report"),
        ("reviewers=1" * 2_000, "at most"),
    ):
        refused = client.post(f"{start}reports/", {"view": bad})
        assert refused.status_code == 400 and reason in html.unescape(refused.text), bad
    assert reviewed.reports.count() == 3


def test_the_page_has_every_part_with_the_figures_of_the_comparison(reviewed: Campaign, files: Files) -> None:
    page = files.page
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert headings == [
        "Summary",
        "Gate",
        "Decisions and signatures",
        "Limitations",
        "Annex",
        "Reviewer scores",
        "Differences",
        "Agreement between reviewers",
        "Severity",
        "Reasons",
        "Metrics",
        "Method",
        "Definitions",
        "Rubric",
        "Candidates",
        "Data",
    ]
    words = words_of(page)
    formal = compare(load_scores(reviewed)).rows[0]
    tone = formal.cell("tone")
    assert tone is not None and tone.mean.value == pytest.approx(2.5)
    assert "plain against formal. Better at Tone (+2.2)" in words
    assert re.search(r"For these 2 reviewers, on items like these 8\. ", words)
    assert re.search(r"formal Tone \(1–5\) 2\.5 \(\d\.\d+ to \d\.\d+\) n = 8", words)
    assert "ROUGE-L prefers formal (1.00 against 0.22) and misleads on Tone." in words
    assert f"{formal.tags[0].label} 4 50% (" in words
    assert "8 items × 2 candidates × 2 reviewers · 32 of 32 reviews, by 2 · blind · reference hidden" in words
    # Each figure with its definition, without the marks of its source.
    assert re.search(r"Krippendorff.s alpha [^*`\[]+ Exact agreement, within 1", words)
    # How it was made: seeds, tests, versions.
    assert "adjusted by Holm over all 6 comparisons" in words and "seed 20260000" in words
    assert "numpy " in words and "SHA-256" in words
    assert "and Kendall's tau-b and Pearson's over all outputs; pairs ranked alike are an accuracy" in words


def test_every_picture_has_its_words(files: Files) -> None:
    labels = re.findall(
        r'<div class="drawing" role="img" aria-label="([^"]+)"><div class="of-page"><svg', files.page
    )
    # Means, levels, differences on the scales and of the shares, agreement on the one scale that varies,
    # people against the metric.
    assert len(labels) == 6
    assert all(len(label) > 20 for label in labels)


def test_every_picture_is_drawn_for_a_phone_too(files: Files) -> None:
    page = files.page
    wide, narrow = (
        [float(width) for width in re.findall(rf'<div class="{of}"><svg[^>]* width="([0-9.]+)"', page)]
        for of in ("of-page", "of-phone")
    )
    assert len(wide) == len(narrow) == 6
    assert max(narrow) <= PHONE_WIDTH + 1 < WIDTH / 2 < min(wide)
    # The hidden one's gradient is not taken for that of the one that is seen.
    names = re.findall(r'<[^>]* id="([^"]+)"', page)
    assert names and len(names) == len(set(names))
    assert set(re.findall(r'"url\(#([^)]+)\)', page)) <= set(names)


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_what_people_wrote_is_text_in_both_files(reviewed: Campaign, manager: User, project: Project) -> None:
    ModelVersion.objects.filter(label="plain").update(label=HOSTILE[:80])
    Project.objects.filter(pk=project.pk).update(name=HOSTILE)
    Campaign.objects.filter(pk=reviewed.pk).update(name=HOSTILE)
    type(reviewed.dataset_version.dataset).objects.update(name=HOSTILE)
    reviewed.refresh_from_db()
    candidate = ModelVersion.objects.get(label=HOSTILE[:80])
    decide(campaign=reviewed, candidate=candidate, verdict="not_yet", note=HOSTILE, by=manager)

    report = made(reviewed, manager)

    page = page_of(report)
    found = _Elements()
    found.feed(page)
    assert "script" not in found.tags and "a" not in found.tags and "img" not in found.tags
    assert found.tags.count("style") == 1
    assert not [
        name for name, _ in found.attributes if name.startswith("on") or name in {"src", "xlink:href"}
    ]
    # Names of XML, not addresses.
    assert not re.search(r"https?://(?!www\.w3\.org/(2000/svg|1999/xlink))", page)
    assert "url(http" not in page and "@import" not in page
    assert f"Evaluation report: {HOSTILE}" in html.unescape(page)
    # Typst would have failed on a panic or on division by zero, had any of it been code.
    assert (report_folder(report) / "report.pdf").stat().st_size > 20_000


def test_the_pdf_is_the_same_document_for_screen_readers_too(files: Files) -> None:
    assert b"pdfuaid:part" in files.pdf
    # Letter's height on A4's width, in points.
    assert re.search(rb"/MediaBox\s*\[0 0 595\.\d+ 790\.\d+\]", files.pdf)


def test_a_gate_and_its_signature_are_in_it(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User, owner: User
) -> None:
    campaign_gate = make_gated_campaign(empty_project, [reviewer, other_reviewer])
    campaign = campaign_gate.campaign
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, {("v1 Gated", n): answers(tone=4 + n % 2) for n in range(1, 7)})
    tuned = ModelVersion.objects.get(label="v1 Gated")
    evaluation = evaluate_gate(campaign_gate=campaign_gate, candidate=tuned, by=manager).evaluation
    signed = decide(
        campaign=campaign,
        candidate=tuned,
        verdict=evaluation.verdict,
        note="As agreed.",
        by=manager,
        evaluation=evaluation,
    )

    words = words_of(page_of(made(campaign, manager)))

    assert f"{campaign_gate.gate}, applied before the first review" in words
    assert evaluation.body_hash in words and campaign_gate.gate.body_hash in words
    for result in evaluation.record["results"]:
        assert result["words"] in words
    assert signed.seal in words and f"Signed by {manager}, manager" in words and "As agreed." in words
    # The reviews that the evaluation rests on are those of the report.
    assert words.count(evaluation.reviews_digest) == 2
    assert "Reviews changed after" not in words
    address = f"/projects/{empty_project.slug}/results/decisions/{signed.pk}/"
    assert "Reviews changed after" not in client_of(manager).get(address).text

    # The role is that of the moment of signing.
    change_role(membership=empty_project.memberships.get(user=manager), role="engineer", by=owner)
    assert f"By {manager} (manager)," in client_of(manager).get(address).text
    review = campaign.reviews.filter(reviewer=reviewer).order_by("pk")[0]
    amend_review(review=review, by=reviewer, answers=answers(tone=1), revision=1)
    words = words_of(page_of(made(campaign, manager)))
    summary = words[words.index("Summary") : words.index("Limitations")]
    assert "Reviews changed after the verdict was sealed: 1 amended." in summary
    page = client_of(manager).get(address).text
    assert "Reviews changed after this verdict was sealed: 1 amended." in page


def test_the_first_pages_are_about_the_best_candidate_and_the_newest_evaluation(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    texts = {"base": "A.", "prompt": "B.", "tuned": "C."}
    campaign = make_campaign(empty_project, [reviewer, other_reviewer], texts=texts, split="test")
    gate = make_gate(empty_project, rubric=campaign.rubric_version.rubric, name="Gate")
    base, prompt, tuned = (each.model_version for each in campaign.candidates.order_by("position"))
    campaign_gate = apply_gate(campaign=campaign, gate=gate, champion=base, by=manager)
    said = {
        (label, n): answers(tone=tone) for n in range(1, 5) for label, tone in (("prompt", 2), ("tuned", 5))
    }
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, said)
    for candidate in (prompt, tuned):
        evaluate_gate(campaign_gate=campaign_gate, candidate=candidate, by=manager)

    first, annex = words_of(page_of(made(campaign, manager))).split(" Annex ", 1)

    assert first.index("tuned against base. ") < first.index("prompt against base. ")
    assert "tuned less base Criterion" in first and "prompt less base Criterion" not in first
    assert "Conditions, tuned " in first and "Conditions, prompt " not in first
    assert "prompt: do not release." in first
    assert annex.startswith("Gate conditions of other candidates Conditions, prompt ")


def test_limits_are_said_where_they_apply(
    campaign: Campaign, reviewer: User, other_reviewer: User, manager: User
) -> None:
    review_all(campaign, reviewer, {})
    words = words_of(page_of(made(campaign, manager)))
    assert "One reviewer: no interval covers other reviewers" in words
    assert "The campaign was not closed" in words
    assert "8 of 16 assignments were submitted." in words
    assert "No gate was applied before the first review" in words
    assert "Simulated" not in words


def test_simpsons_paradox_is_said_in_the_summary(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    panel = [reviewer, other_reviewer]
    campaign = make_segmented(empty_project, panel, rows=36)
    review_with_paradox(campaign, panel, rows=36)
    words = words_of(page_of(made(campaign, manager)))
    summary = words[words.index("Summary") : words.index("Annex")]
    assert "Simpson’s paradox check: a difference changes direction inside subgroups." in summary
    assert "but not for every segment: institutional 2.00 below (12 items)" in summary


def test_a_campaign_without_a_review_has_a_report_that_says_so(campaign: Campaign, manager: User) -> None:
    words = words_of(page_of(made(campaign, manager)))
    assert "No review has been submitted yet" in words
    assert "Metrics" in words and "Reviewer scores" not in words


def test_a_report_of_rankings_speaks_of_no_ties(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = pairs_campaign(
        empty_project, [reviewer, other_reviewer], method="ranking", labels=("old", "new", "third"), rows=4
    )
    judge_by(campaign, reviewer, lambda texts: PreferenceAnswers("", list(range(1, len(texts) + 1))))
    words = words_of(page_of(made(campaign, manager)))
    assert "Shares of wins use the pairs of each ranking, without ties" in words
    assert "were asked to rank the answers; the rubric was shown as a guide" in words


def test_a_campaign_that_compares_tells_who_is_preferred(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = pairs_campaign(empty_project, [reviewer, other_reviewer])
    judge_by(campaign, reviewer, prefers("new"))
    report = made(campaign, manager)
    results = (
        client_of(manager)
        .get(f"/projects/{empty_project.slug}/results/{campaign.pk}/pairs/")
        .content.decode()
    )
    assert f'action="/projects/{empty_project.slug}/results/{campaign.pk}/reports/"' in results
    words = words_of(page_of(report))
    assert "Preferences" in words and "Win rates" in words
    # Each figure has the signature of its own measure, its own unit and its definition.
    assert re.search(
        r"leave “both bad” out \(preference-win-rate\|[^)]*\); strengths are Bradley–Terry's", words
    )
    assert re.search(
        r"an average candidate \(bradley-terry\|[^)]*\)\. The share for the answer shown first", words
    )
    assert re.search(
        r"Win rate of the answer shown first Exact agreement Krippendorff's alpha, both orientations"
        r" \d+% \(\d+% to \d+%\)",
        words,
    )
    assert "were asked to say which of two answers is better" in words
    assert "The strengths lie between " in words and "<svg" in page_of(report)
    assert "Share of both bad" in words and "Mean rank" not in words
    for defined in ("Preference win rate", "Position effect", "Agreement of comparisons"):
        assert f"{defined} " in words[words.index("Definitions") :]
    assert "SHA-256 of the preferences (6 records)" in words
    assert "Reviewer scores" not in words


def test_simulated_reviews_are_said_first(reviewed: Campaign, manager: User, project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(is_demonstration=True)
    reviewed.reviews.update(is_simulated=True)
    ModelVersion.objects.filter(label="plain").update(is_simulated=True)
    reviewed = Campaign.objects.get(pk=reviewed.pk)
    report = made(reviewed, manager)
    page = page_of(report)
    words = words_of(page)
    assert report.is_simulated
    assert words.index("These results include reviews by sim") < words.index("Reviewer scores")
    assert "SHA-256 of the simulated reviews (32 records)" in words
    assert "Simulated reviews went into the training of plain." in words
    people = start_report(campaign=reviewed, by=manager, reviewer_type="human")
    assert people.job is not None
    write_report(people.job.pk)
    assert (
        "A filtered view: human reviews only. The filter was chosen afterwards, so the view is exploratory."
        in words_of(page_of(people))
    )
