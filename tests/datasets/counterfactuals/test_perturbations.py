"""What the rules of each perturbation do to texts, traps included."""

import pytest

from evalapp.core.errors import InvalidError
from evalapp.datasets.counterfactuals.lists import own_lists, perturbations_in
from evalapp.datasets.counterfactuals.perturbation import LeftOut

UNTOUCHED = LeftOut.UNTOUCHED


def rewritten(key: str, value: str, *texts: str, lists: str = "") -> str | LeftOut:
    """One row of these texts; its changed texts, the others as they were, a line each."""
    chosen = next(each for each in perturbations_in(lists) if each.key == key)
    fields = {f"messages.{place}": text for place, text in enumerate(texts)}
    found = chosen.rewritten(fields, value)
    return found if isinstance(found, LeftOut) else "\n".join({**fields, **found}.values())


class TestName:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("May I ask what Emily owes?", "May I ask what Tanisha owes?"),
            ("EMILY’S claim and Emily's car", "TANISHA’S claim and Tanisha's car"),
            ("I saw an Emily there", "I saw a Tanisha there"),
            # A name that is a word: only after a cue, and then wherever no sentence begins.
            ("Will you help?", UNTOUCHED),
            ("My name is Will Smith. Will you help Will?", "My name is Kareem Smith. Will you help Kareem?"),
            ("The grace period. Grace is over.", UNTOUCHED),
            (
                "Dear Grace, is Grace covered? Grace's policy ended.",
                "Dear Imani, is Imani covered? Imani's policy ended.",
            ),
            ("In May and June, mark the date.", UNTOUCHED),
            # Places, addresses, other names and famous people are nobody's first name.
            ("St. Emily Hospital in Emily Street", UNTOUCHED),
            ("emily@example.org, Mary-Anne, Elizabeth II", UNTOUCHED),
            ("Lakisha and Jamal", UNTOUCHED),
        ],
    )
    def test_first_names_are_those_of_the_group(self, text: str, expected: str | LeftOut) -> None:
        assert rewritten("name", "black", text) == expected

    def test_two_people_stay_two_and_keep_their_genders(self) -> None:
        text = rewritten("name", "south_asian", "Emily, Sarah, Anna and Susan wrote to Greg.")
        assert isinstance(text, str)
        women, _, man = text.removesuffix(".").partition(" wrote to ")
        names = women.replace(" and ", ", ").split(", ")
        assert len(set(names)) == 4
        assert set(names) <= {
            *("Priya", "Anjali", "Deepika", "Neha", "Pooja", "Kavita", "Sunita", "Lakshmi", "Ananya")
        }
        assert man in ("Arjun", "Rahul", "Vikram", "Sanjay", "Amit", "Rohan", "Suresh", "Rajesh", "Anil")

    def test_a_name_is_the_same_in_every_text_of_the_row(self) -> None:
        found = rewritten("name", "hispanic", "Emily called.", "Yes, Emily.")
        assert isinstance(found, str)
        first, second = found.split("\n")
        assert first.removesuffix(" called.") == second.removeprefix("Yes, ").removesuffix(".")


class TestGender:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("She lost her bag and I called her.", "He lost his bag and I called him."),
            (
                "I gave her the papers, her car, her. Tell her to call!",
                "I gave him the papers, his car, him. Tell him to call!",
            ),
            ("The car is hers; she’s herself. HER CAR", "The car is his; he’s himself. HIS CAR"),
            ("Mrs. Carter and Miss Lee miss her.", "Mr. Carter and Mr Lee miss him."),
            ("My aunt is an actress.", "My uncle is an actor."),
            ("Dear Sir or Madam, my wife asks.", "Dear Sir or Madam, my husband asks."),
            ("Emily says she is ill.", "Greg says he is ill."),
            ("There she is, at the theatre.", "There he is, at the theatre."),
            ("She is pregnant.", LeftOut.EXCLUDED),
            ("She and her husband", LeftOut.BOTH),
            ("Emily and Greg", LeftOut.BOTH),
            ("Tell him that he may go.", UNTOUCHED),
            ("A man-made lake near Manchester", UNTOUCHED),
        ],
    )
    def test_to_men(self, text: str, expected: str | LeftOut) -> None:
        assert rewritten("gender", "male", text) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("He said his bag is his. HIM? Himself.", "She said her bag is hers. HER? Herself."),
            ("My uncle, an actor", "My aunt, an actress"),
            ("Mr. Lee has a nephew", "Ms. Lee has a niece"),
            ("His/her card; my husband’s.", "His/her card; my wife’s."),
            ("This is the history of the chemist.", UNTOUCHED),
        ],
    )
    def test_to_women(self, text: str, expected: str | LeftOut) -> None:
        assert rewritten("gender", "female", text) == expected

    def test_the_whole_row_decides(self) -> None:
        assert rewritten("gender", "female", "He called.", "She was out.") == LeftOut.BOTH


class TestAge:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("I am 34 and have a car.", "I am 74 and have a car."),
            ("My husband is 45 years old.", "My husband is 74 years old."),
            ("An 18-year-old asks.", "A 74-year-old asks."),
            ("A 34-year-old single mother, aged 34.", "A 74-year-old single mother, aged 74."),
            ("A young driver and a young tree", "An elderly driver and a young tree"),
            ("I'm 34 weeks along, 34.5 kg and 30 minutes late.", UNTOUCHED),
            ("A 20-year-old car; my flat is 30 years old; 30 years ago", UNTOUCHED),
            ("People aged 25 and over", UNTOUCHED),
            ("I am 71.", UNTOUCHED),
            ("I am 34, my son is 5.", LeftOut.SEVERAL),
            ("I am 34 and want my pension.", LeftOut.EXCLUDED),
        ],
    )
    def test_older(self, text: str, expected: str | LeftOut) -> None:
        assert rewritten("age", "older", text) == expected

    def test_younger(self) -> None:
        assert rewritten("age", "younger", "An 80-year-old man") == "A 24-year-old man"
        assert rewritten("age", "younger", "I am 34.") == UNTOUCHED


class TestWriting:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "I'm not going to London because I have to wait.",
                "I ain't going to London 'cause I gotta wait.",
            ),
            ("Isn’t it? HE DOESN’T", "Ain’t it? HE DON’T"),
            ("The island is nice.", UNTOUCHED),
        ],
    )
    def test_dialect(self, text: str, expected: str | LeftOut) -> None:
        assert rewritten("dialect", "african_american_english", text) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Can you tell me what it is?", "Could you let me know what it is?"),
            # What was put in is not replaced again.
            ("I want to leave. I would like to stay.", "I would like to leave. I want to stay."),
            ("He said: I'm here.", "He said: I am here."),
            ("A canyon", UNTOUCHED),
        ],
    )
    def test_paraphrase(self, text: str, expected: str | LeftOut) -> None:
        assert rewritten("paraphrase", "reworded", text) == expected


class TestLists:
    def test_a_team_can_bring_its_own(self) -> None:
        lists = '[dialect.values.bavarian]\nlabel = "Bavarian"\nphrases = [["ich bin", "i bin"]]'
        (only,) = perturbations_in(lists)
        assert [value.label for value in only.values] == ["Bavarian"]
        assert rewritten("dialect", "bavarian", "Ich bin da.", lists=lists) == "I bin da."

    @pytest.mark.parametrize(
        ("lists", "message"),
        [
            ("[name", "This is not TOML"),
            ("[nme]", "There is no perturbation “nme”"),
            ('language = "French"', "There is no perturbation in these lists"),
            ("[dialect]", "dialect.values must be a table"),
            ('[dialect.values.x]\nlabel = "X"\nphrases = ["a"]', "dialect.values.x.phrases must be a list"),
            ('[dialect.values.original]\nlabel = "X"', "dialect.values.original needs another name"),
            ('[paraphrase.values.x]\nphrases = [["a", "b"]]', "paraphrase.values.x.label must be a text"),
            (own_lists().replace("age = 74", "age = 40"), "would be replaced by itself"),
            (own_lists().replace("adult_from = 18", "adult_from = 1000"), "age.adult_from must be"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, lists: str, message: str) -> None:
        with pytest.raises(InvalidError, match=message.replace(".", r"\.").replace("[", r"\[")):
            perturbations_in(lists)
