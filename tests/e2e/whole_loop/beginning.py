"""Accounts, data, models and runs: what is done before anybody rates."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.whole_loop.people import PASSWORD, Person

CLIENTS = (
    "saves 300 a month towards a house and holds bonds",
    "retires in four years and fears a fall in shares",
    "sold a bakery last spring and keeps everything in cash",
    "pays school fees for two children until 2031",
    "inherited a flat and wants to let it out",
    "works abroad and is paid in another currency",
    "asks whether gold belongs in a small portfolio",
    "owns a farm and plans for a dry summer",
    "studies again and can save only a little",
    "wants a third of the money to be green",
    "leaves work early to care for a parent",
    "won a prize and would like to give half away",
    "trades often and pays high fees",
)
SPLITS = ("train",) * 8 + ("feedback",) * 3 + ("test",) * 2
RATED = [number for number, split in enumerate(SPLITS, start=1) if split == "feedback"]
DATASET, BASE, ANSWERS = "Client summaries", "Tiny", "First answers"
PROMPTED, FIRST, SECOND = "Prompted", "v1", "v2"
CANDIDATES = ("Base", PROMPTED, FIRST)


def write_file(folder: Path) -> Path:
    """A file as an engineer would bring it."""
    file = folder / "summaries.jsonl"
    rows = (
        {
            "prompt": f"Summarise for a client who {client}.",
            "completion": f"You are somebody who {client}. Call us next week.",
            "split": split,
        }
        for client, split in zip(CLIENTS, SPLITS, strict=True)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def open_the_first_account(owner: Person, link: str) -> None:
    """By the link that the command line printed, then by the form."""
    owner.page.goto(link)
    for label in ("New password", "Repeat password"):
        owner.page.get_by_label(label, exact=True).fill(PASSWORD)
    owner.press("Set password")
    owner.is_at("The new password is set")
    owner.sign_in()
    owner.is_at("Summaries")
    owner.sees("No evaluation cycle yet.")


def invite(owner: Person, guest: Person, role: str) -> None:
    """A link is made, copied from the page, and opened in the guest's own browser."""
    owner.go_to("Settings", "Members")
    owner.fill("Emails", guest.email)
    owner.page.get_by_label(re.compile(rf"{role}: ")).check()
    owner.press("Invite people")
    link = owner.page.get_by_label("Invitation link").input_value()
    assert link.startswith(owner.address)
    guest.page.goto(link)
    guest.sees(f"Manager invites you as {role.lower()}, with the email {guest.email}.")
    guest.fill("Name", guest.name)
    guest.page.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.page.get_by_label("Repeat password").fill(PASSWORD)
    guest.press("Create account and join")


def import_data(engineer: Person, file: Path) -> None:
    engineer.go_to("Data")
    engineer.follow("Create dataset")
    engineer.fill("Name", DATASET)
    engineer.press("Create dataset")
    engineer.page.get_by_label("File").set_input_files(file)
    engineer.press("Upload")
    engineer.is_at(f"Import {file.name}")
    # The preview shows what each row would become, before anything is stored.
    engineer.row("8", "train", CLIENTS[7], "Call us next week.")
    expect(engineer.page.get_by_label("By a field of each row")).to_be_checked()
    engineer.press(f"Import into {DATASET}")
    engineer.sees(f"{len(CLIENTS)} rows")
    engineer.go_to("Data")
    counts = engineer.row(DATASET).locator("td").all_inner_texts()
    assert [text.strip() for text in counts[1:6]] == ["v1", "8", "0", "2", "3"]


def register_base(engineer: Person, folder: str = "tiny", context: str = "512 tokens") -> None:
    engineer.add_model("Base model")
    engineer.choose("Folder", f"^{folder}$")
    engineer.fill("Name", BASE)
    engineer.press("Register base model")
    engineer.is_at("Base")
    engineer.sees(f"Base of {BASE}, version 1.", "llama", context)


def add_prompt(engineer: Person) -> None:
    engineer.add_model("Prompt")
    engineer.fill("Label", PROMPTED)
    engineer.fill("System prompt", "Write plainly and name one next step.")
    engineer.press("Preview")
    engineer.sees("Model input")
    engineer.press("Add prompt")
    engineer.is_at(PROMPTED)


def train(engineer: Person, name: str, *, rows: int, steps: int) -> None:
    """From the open form to the adapter, watched on the page."""
    fill_training(engineer, name, steps=steps)
    engineer.press("Start training")
    watch_training(engineer, name, rows=rows, steps=steps)


def fill_training(engineer: Person, name: str, *, steps: int, rate: str = "0.01") -> None:
    engineer.fill("Name", name)
    engineer.page.get_by_text("More settings").click()
    for label, value in (
        ("Learning rate", rate),
        ("LoRA rank", "4"),
        ("Max steps", str(steps)),
        ("Batch size", "2"),
        ("Validation share", "0"),
    ):
        field = engineer.page.get_by_label(label)
        if field.is_enabled():
            field.fill(value)


def watch_training(engineer: Person, name: str, *, rows: int, steps: int) -> None:
    engineer.is_at(name)
    engineer.waits_for_job()
    engineer.sees("created", "Loss", "Device")
    engineer.sees(f"{rows} in = {rows} unchanged")
    engineer.page.get_by_text("Show as table", exact=True).click()
    expect(engineer.page.locator(".loss tbody tr")).to_have_count(steps)


def generate(
    engineer: Person, name: str = ANSWERS, *, engine: str = "transformers", tokens: int = 12
) -> None:
    """Answers of every candidate to the rows that evaluate."""
    engineer.new_run("Generation")
    engineer.fill("Name", name)
    engineer.tick("Test (held out)")
    engineer.tick("Feedback")
    for label in CANDIDATES:
        engineer.tick(re.compile(rf"{label} \("))
    engineer.fill("Max new tokens", str(tokens))
    # Likeliest tokens of a random model are one unprintable byte; drawn ones differ by candidate.
    engineer.fill("Temperature", "1")
    engineer.page.get_by_text("More settings").click()
    engineer.choose("Engine", f"^{engine}$")
    engineer.press("Generate outputs")
    engineer.is_at(name)
    engineer.waits_for_job()
    engineer.sees("Samples")
    asked = 5 * len(CANDIDATES)
    engineer.sees(f"{asked} asked = {asked} answered")
