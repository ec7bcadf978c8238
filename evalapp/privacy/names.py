"""Common first names of several languages; followed by a capitalised word, they indicate a person's name.

Names that are also ordinary words or places (Grace, May, Paris, Will) are left out.
"""

import re
import unicodedata

_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ł": "l"})


def _without_accents(name: str) -> str:
    return unicodedata.normalize("NFD", name).encode("ascii", "ignore").decode()


_NAMES = frozenset(
    re.findall(
        r"\S+",
        """
        Aaron Abdul Abdullah Adam Adrian Agnes Ahmed Aisha Alan Albert Alejandro Alessandro Alessia
        Alexander Alexandra Alexandre Alfred Ali Alice Alicia Alison Amanda Amelia Amir Amy Ana
        Anastasia Andrea Andreas Andrew Angela Anita Anja Anke Anna Anne Annette Anthony Antoine Antonio
        Arthur Astrid Aurélie Barbara Beatrice Beatriz Benjamin Bernard Bernd Birgit Björn Brian Bruno
        Camille Carla Carlos Carmen Caroline Catherine Charles Charlotte Chloé Christian Christina
        Christine Christoph Christopher Claire Clara Claudia Clémence Craig Cristina Cécile Daniel
        Daniela David Deborah Denis Denise Diana Diego Dieter Dimitri Dmitri Dominik Donald Dorothy
        Edward Eleanor Elena Elias Elif Elisabeth Elizabeth Ella Emilia Emily Emma Enrique Eric Erik
        Erika Esther Eva Evelyn Fatima Fatma Felix Fernando Fiona Florian Frances Francesca Francesco
        Frank Franz François Françoise Freya Gabriel Gabriela Gareth Gary Geoffrey George Georgina
        Gerard Gerhard Gisela Giulia Giuseppe Gordon Graham Greta Guillaume Hana Hanna Hannah Hans
        Harold Harriet Hassan Heather Heidi Heike Heinrich Helen Helena Helga Henrik Henry Hiroshi
        Holger Hugo Ibrahim Ines Ingrid Irina Isabel Isabella Isabelle Ivan Jack Jacob Jacques James Jan
        Jane Janet Jasmine Javier Jean Jeffrey Jennifer Jens Jessica Joachim Joanna Johan Johann
        Johannes John Jonas Jonathan Jorge Joseph Josephine Joshua José João Juan Judith Julia Julian
        Julie Jürgen Karen Karim Karin Karl Karoline Katarina Katarzyna Kate Katharina Katherine
        Kathleen Katrin Keith Kenneth Kevin Khadija Klara Klaus Kristina Krzysztof Lars Laura Laurent
        Lea Leila Lena Leon Leonard Leonie Liam Linda Lisa Louis Louise Luca Lucas Lucia Lucy Luis Luisa
        Lukas Magdalena Malcolm Manfred Manuel Marc Marcel Marco Marcus Margaret Margarita Maria
        Marianne Marie Marina Mario Marion Markus Marta Martha Martin Martina Mary María Mateusz Matteo
        Matthew Matthias Maurice Max Maximilian Megan Mehmet Melanie Mercedes Mia Michael Michał Michel
        Michelle Miguel Mohamed Mohammed Monica Monika Muhammad Nadia Naomi Natalia Natalie Natasha
        Nathan Nicholas Nicola Nicole Niklas Nils Nina Noah Nora Olaf Olga Oliver Olivia Omar Oscar
        Pablo Pamela Patricia Patrick Paul Paula Pauline Pedro Peter Petra Philip Philipp Philippe
        Pierre Piotr Priya Rachel Rafael Rahul Rainer Ralf Ramón Raquel Rebecca Renate René Ricardo
        Richard Robert Roberto Roger Roland Ronald Rosa Rosemary Roxana Ruben Ruth Ryan Sabine Sabrina
        Samantha Samuel Sandra Sara Sarah Sebastian Sergei Sergio Sharon Simon Simone Sofia Sophia
        Sophie Stefan Stefanie Stephanie Stephen Steven Stuart Susan Susanne Sven Svetlana Sylvia Tamara
        Tanja Tatiana Teresa Theodore Theresa Thomas Thorsten Timothy Tobias Tomasz Udo Ulrich Ulrike
        Ursula Ute Valentina Valerie Vanessa Vera Verena Veronica Victoria Viktor Vincent Vladimir
        Walter Wei Werner Wilhelm William Wolfgang Xavier Yasmin Yuki Yusuf Yves Zainab Zoe
        """,
    )
)
FIRST_NAMES = _NAMES | {
    _without_accents(spelled) for name in _NAMES for spelled in (name, name.translate(_SPELLED_OUT))
}
"""Including spellings without accents and umlauts: Jose, Juergen."""
