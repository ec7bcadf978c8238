"""The pages of a campaign's results as one text, for tests of content on any of them."""

from django.test import Client

TABS = ("", "who-is-better/", "can-i-trust-it/", "what-to-fix/")


def results_of(client: Client, address: str, query: str = "") -> str:
    """The text of Summary, Who is better, Can I trust it and What to fix; ``address``: URL of the summary."""
    pages = [client.get(f"{address}{tab}{query}") for tab in TABS]
    assert [page.status_code for page in pages] == [200] * len(TABS)
    return "\n".join(page.content.decode() for page in pages)
