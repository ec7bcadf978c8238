"""A person who has no mouse: moves by Tab, and must see at every step where they are."""

import re
from typing import Any

from playwright.sync_api import Page

MOST_STEPS = 250
# Name, kind and visibility of what is focused. The ring may be drawn by the element or by the label
# or the row that stands for it.
_FOCUSED = """() => {
    const each = document.activeElement;
    if (!each || each === document.body) return null;
    const shows = (element) => {
        const style = getComputedStyle(element);
        const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1
            && !/, 0\\)$|^transparent$/.test(style.outlineColor);
        return outline || (style.boxShadow !== "none" && style.boxShadow !== "");
    };
    const stands = [each, each.closest("label"), ...(each.labels ?? [])].filter(Boolean);
    const box = stands.map((one) => one.getBoundingClientRect()).find((one) => one.width > 1
      && one.height > 1);
    const labelled = (each.getAttribute("aria-labelledby") ?? "").split(" ")
        .map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    const legend = each.closest("fieldset")?.querySelector("legend")?.textContent ?? "";
    const name = each.getAttribute("aria-label") || labelled
      || [...(each.labels ?? [])].map((one) => one.textContent).join(" ")
        || each.textContent || each.value || "";
    const even = (text) => text.replace(/\\s+/g, " ").trim();
    return {
        tag: each.tagName.toLowerCase(), type: each.type ?? "", name: even(name), group: even(legend),
        shows: stands.some(shows),
        inSight: Boolean(box) && box.bottom > 0 && box.top < innerHeight && box.right > 0
          && box.left < innerWidth,
    };
}"""


class Keyboard:
    """``unseen`` are the steps at which the focus could not be seen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unseen: list[str] = []
        self.steps = 0
        page.set_default_timeout(20_000)

    @property
    def focused(self) -> dict[str, Any]:
        """What has the focus; noted where nobody could see that."""
        found = self.page.evaluate(_FOCUSED) or {
            "tag": "",
            "type": "",
            "name": "",
            "group": "",
            "shows": True,
        }
        if not (found["shows"] and found.get("inSight", True)):
            why = "no ring" if not found["shows"] else "out of sight"
            self.unseen.append(f"{self.page.url}: {found['tag']} “{found['name'][:60]}”: {why}")
        return dict(found)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def to(self, name: str, *, tag: str = "", within: str = "") -> None:
        """Tab until what has this name (a pattern) has the focus; ``within`` the group named so."""
        for _ in range(MOST_STEPS):
            self.press("Tab")
            self.steps += 1
            at = self.focused
            if (
                re.search(name, at["name"])
                and (not tag or at["tag"] == tag)
                and re.search(within, at["group"])
            ):
                return
        raise AssertionError(f"{MOST_STEPS} times Tab on {self.page.url}, and nothing is named {name!r}")

    def follow(self, link: str) -> None:
        """Go by a link; the page that follows is there on return."""
        self.to(link, tag="a")
        self._go("Enter")

    def push(self, button: str) -> None:
        self.to(button, tag="button")
        self._go("Enter")

    def fill(self, label: str, text: str, *, within: str = "") -> None:
        self.to(label, within=within)
        self.press("ControlOrMeta+a")
        self.type(text)

    def choose(self, label: str, option: str) -> None:
        """In a list, by its first letters as a person types them."""
        self.to(label, tag="select")
        self.type(option)

    def tick(self, label: str) -> None:
        self.to(label, tag="input")
        if not self.page.evaluate("document.activeElement.checked"):
            self.press("Space")
        assert self.page.evaluate("document.activeElement.checked")

    def _go(self, key: str) -> None:
        with self.page.expect_navigation():
            self.press(key)
        self.page.wait_for_load_state("networkidle")
