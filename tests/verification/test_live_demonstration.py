"""The whole demonstration, live: two real trainings, four candidates, simulated reviews, the closed loop."""

import json

import pytest

from tests.installations import Running, eventually, temporary_installation

pytestmark = pytest.mark.verification

# On two idle cores it ends within 20 minutes; beside other work it takes longer, and it must end.
PATIENCE_SECONDS = 4 * 3600

FIGURES = """
import json
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.demo.models import Demonstration
from evalapp.demo.style_rules import STYLE_RULES
live = Demonstration.objects.get(track="live")
comparison = compare(load_scores(Campaign.objects.get(pk=live.objects_made["test_campaign"])))
style = [rule.metric for rule in comparison.rules if rule.name in {each["name"] for each in STYLE_RULES}]
figures = {}
for row in comparison.rows:
    outputs = row.candidate.model_version.outputs.filter(example__split="test")
    broken = outputs.filter(metric_results__metric__in=style, metric_results__value=0).distinct().count()
    figures[row.label] = {
        "style": 1 - broken / outputs.count(),
        "rougeL": row.metrics["rougeL"].value,
        "tone": row.cell("tone").mean.value,
    }
print(json.dumps(figures))
"""


def test_the_live_demonstration_tells_the_story():
    with temporary_installation(fetches_model=True) as installation:
        running = Running(installation, "--demo")
        try:
            eventually(installation.environment.demo_logins_file.exists, 120, "the demonstration is there")
            watching = installation.popen("demo", "--watch")
            told, _ = watching.communicate(timeout=PATIENCE_SECONDS)
            assert watching.returncode == 0, told
            code, printed = installation.run("shell", "--no-imports", "--command", FIGURES)
            assert code == 0, printed
        finally:
            running.stop()
    print(told.splitlines()[-1])
    figures = json.loads(printed.splitlines()[-1])
    print(json.dumps(figures, indent=1))
    assert figures["v2"]["style"] >= 0.9
    assert figures["v1"]["style"] < 0.3
    assert figures["Base"]["style"] < 0.3
    assert figures["v1"]["rougeL"] > figures["Base"]["rougeL"]
    assert figures["v2"]["rougeL"] <= figures["v1"]["rougeL"]
    assert figures["v2"]["tone"] > figures["v1"]["tone"]
