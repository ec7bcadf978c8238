"""What an answer has from the facts, marked on demand."""

import pytest
from playwright.sync_api import expect

from tests.campaigns.making import make_team
from tests.factories import make_campaign

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

ANSWER = "Your **Portfolio** holds 60 % shares and yields {n}%. Summarise: 1,234 in 2031."

MARKED = """name => [...(CSS.highlights.get(name) ?? [])]
    .filter(range => document.querySelector("[data-answer]").contains(range.startContainer))
    .map(range => range.toString())"""


def test_figures_and_names_are_marked_and_those_that_are_nowhere_are_named(page, live_server, sign_in):
    project, (person,) = make_team(1)
    campaign = make_campaign(project, [person], rows=2, texts={"formal": ANSWER}, shows_reference=True)
    sign_in(person)
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    legend = page.locator("[data-facts-legend]")
    expect(legend).to_be_hidden()

    page.keyboard.press("m")

    expect(legend).to_contain_text("Unsupported numbers (underlined; sums are not checked): 1,234, 2031.")
    row = page.evaluate("document.querySelector('[data-answer]').textContent.match(/yields (.)%/)[1]")
    # "Portfolio" is written small in the request; "Your" and "Summarise" only begin sentences there.
    assert page.evaluate(MARKED, "shared") == ["60 %", f"{row}%", "Summarise"]
    assert page.evaluate(MARKED, "absent") == ["1,234", "2031"]

    # It stays on for the next answer, and goes off again.
    for key in ("4", "4", "4", "4", "0", "Control+Enter"):
        page.keyboard.press(key)
    expect(page.locator("[data-state]")).to_contain_text("Saved")
    expect(legend).to_contain_text("1,234, 2031")
    page.locator("[data-facts]").click()
    expect(legend).to_be_hidden()
    assert page.evaluate("CSS.highlights.size") == 0


def test_a_number_written_otherwise_is_as_little_unsupported_as_for_the_metric(page, live_server, sign_in):
    project, (person,) = make_team(1)
    answer = "Of it 0.60, that is 60 percent, is in shares; 4.5 parts of it by 5 May 2032."
    campaign = make_campaign(project, [person], rows=1, texts={"formal": answer})
    sign_in(person)
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    page.keyboard.press("m")

    expect(page.locator("[data-facts-legend]")).to_contain_text(
        "Unsupported numbers (underlined; sums are not checked): 4.5, 5 May 2032."
    )
    assert page.evaluate(MARKED, "absent") == ["4.5", "5 May 2032"]
