"""How pages are looked at: light on a desk, dark on a phone."""

from collections.abc import Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

Look = tuple[str, int]
LOOKS: list[Look] = [("light", 1280), ("dark", 390)]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What the second look can change on a page: colours, sizes, what scrolls.
RULES_OF_A_LOOK = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
# Of what axe answers the violations alone: the rest is long.
_RUN_AXE = "async (rules) => (await axe.run({runOnly: rules, resultTypes: ['violations']})).violations"
# Every chart is drawn, and what a page asks for by itself is there.
_SETTLED = """() => !document.querySelector(".htmx-request, [hx-trigger=load]:empty")
  && [...document.querySelectorAll(".chart-drawing:not([hidden])")]
    .every((drawing) => drawing.querySelector("svg"))"""


def show(page: Page, look: Look) -> None:
    theme, width = look
    # So tall that nothing lies behind a bar that stays in sight, from where it would be scrolled.
    page.set_viewport_size({"width": width, "height": 3000})
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type] # a name of a scheme


def findings(
    page: Page,
    address: str,
    *,
    looks: Sequence[Look] = LOOKS,
    second: list[str] = RULES_OF_A_LOOK,
) -> list[str]:
    """What is wrong with a page in these looks: what axe finds, and whether it must be scrolled sideways.
    ``second``: the rules that are run in the second look.
    """
    found, before, is_open = [], page.viewport_size, False
    for look in looks:
        show(page, look)
        # A chart is drawn anew in the other look; to open the page again is the state that can be waited for.
        if not is_open or page.locator(".chart-drawing").count():
            open_with_axe(page, address)
            is_open = True
        found += findings_here(page, look, RULES if look == looks[0] else second)
    if before:
        page.set_viewport_size(before)
    page.emulate_media(color_scheme="null")
    return found


def open_with_axe(page: Page, address: str) -> None:
    answer = page.goto(address)
    assert answer is None or answer.status < 500, address
    page.wait_for_function(_SETTLED)
    page.evaluate(Axe().axe_script)


def findings_here(page: Page, look: Look, rules: list[str] = RULES) -> list[str]:
    """What is wrong with the page that is open with axe, in the look that it is shown in."""
    theme, width = look
    where = f"{page.url} ({theme})"
    found = [
        f"{where}: {each['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for each in page.evaluate(_RUN_AXE, rules)
        for node in each["nodes"]
    ]
    needed = page.evaluate("document.documentElement.scrollWidth")
    if needed > width:
        found.append(f"{where}: needs {needed} pixels of {width}")
    return found
