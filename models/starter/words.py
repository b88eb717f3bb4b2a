"""Made-up names, places, codes, dates and numbers, and the plain word lists that samples are filled with."""

from __future__ import annotations

from collections.abc import Callable

from starter.draw import Draw

Make = Callable[[Draw], str]

_ONSETS = (
    "b br bl c ch cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sh sk sl sm sn sp st t th tr tw v "
    "vl w y z zh"
).split()
_VOWELS = "a a a e e e i i o o o u u ai au ea ee ei ia io oa oo ou y".split()
_CODAS = ["", "", "", "", *"n n r r l s m k t d nd nt rt rk ll ss sh th x ck g p v z lm rn st".split()]
_INNER_CODAS = ["", "", "", "", "n", "r", "l", "s", "m"]
_PLACE_ENDINGS = "ton ville berg ford field mouth stad holm burg by dale haven wick port ia land".split()

FIRST_NAMES = (
    "Ada Adam Aisha Alan Alba Alice Amir Ana Anders Anna Anton Arun Astrid Ben Bella Boris Bruno Carla Carlos Cecilia "
    "Chen Clara Daniel Daria David Deniz Diana Diego Dora Edith Elena Eli Elif Emil Emma Erik Esther Eva Farid Fatima "
    "Felix Fiona Frank Frida George Gina Grace Greta Hana Hannah Harold Hassan Helen Henry Hugo Ibrahim Ida Igor Ines "
    "Iris Ivan Jack Jane Jakob Jan Javier Jin Joan Johanna John Jonas Jorge Julia Kai Karim Karin Kate Kofi Lars Laura "
    "Layla Lea Lena Leo Liam Lina Linda Lucia Lukas Luna Maja Malik Marco Maria Marta Martin Mary Maya Mei Mia Mila "
    "Milan Mira Mohamed Nadia Naomi Nina Noah Nora Olaf Olga Oliver Omar Oscar Pablo Paul Paula Pavel Peter Petra Pia "
    "Priya Rafael Rahul Ravi Rita Robert Rosa Ruth Sam Samira Sara Sean Selma Sofia Stefan Susan Tariq Tessa Theo Tim "
    "Tom Tomas Uma Vera Victor Viktor Wanda Wei William Yara Yusuf Zoe Zara"
).split()
COLOURS = (
    "red blue green yellow orange purple pink brown black white grey turquoise violet gold silver crimson teal indigo "
    "beige maroon olive lavender navy scarlet"
).split()
ANIMALS = (
    "dog cat horse rabbit parrot hamster goldfish tortoise lizard canary pony goat ferret snake hedgehog duck donkey"
).split()
FOODS = (
    "pizza pasta sushi curry soup salad pancakes dumplings tacos risotto lasagne falafel noodles pie cheese bread "
    "chocolate strawberries mangoes paella ramen"
).split()
MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NOUNS = (
    "key lamp table river garden window letter basket bottle camera carpet chair clock cloud coat coin cup desk door "
    "drum engine feather fence flag flute forest glove guitar hammer hat hill island jacket kettle ladder lake lantern "
    "nut lemon map marble market mirror mountain needle orchard paper pencil piano pillow plate pocket rope sail shell "
    "ship shoe spoon station stone stove sugar tower train trumpet tunnel umbrella valley violin wagon wheel whistle"
).split()


def made_up(draw: Draw) -> str:
    """A capitalised word that nobody has seen, such as "Vrellok"."""
    return draw.word(lambda: _syllables(draw, draw.choice((1, 2, 2, 2, 3))).capitalize())


def first_name(draw: Draw) -> str:
    """A person's first name, often a made-up one."""
    return draw.word(lambda: draw.choice(FIRST_NAMES)) if draw.chance(0.45) else made_up(draw)


def full_name(draw: Draw) -> str:
    """First and last name."""
    return f"{first_name(draw)} {made_up(draw)}"


def place(draw: Draw) -> str:
    """A town or region that does not exist."""
    if draw.chance(0.5):
        return made_up(draw)
    return draw.word(lambda: _with_place_ending(draw))


def number(draw: Draw, low: int, high: int) -> str:
    """A whole number as digits; from ten upwards it keeps to its side of the split."""
    if high < 10:
        return str(draw.between(low, high))
    return draw.word(lambda: str(draw.between(low, high)))


def decimal(draw: Draw, high: int = 100) -> str:
    """A number with one or two decimals, such as 12.5."""
    return draw.word(
        lambda: f"{draw.between(0, high)}.{draw.choice((draw.between(1, 9), draw.between(11, 99)))}"
    )


def amount(draw: Draw) -> str:
    """A number of two to five digits, the large ones sometimes with a comma."""
    value = int(number(draw, 10, 10 ** draw.between(2, 5)))
    return f"{value:,}" if draw.chance(0.5) else str(value)


def year(draw: Draw) -> str:
    """A year from 1200 to 2060."""
    return number(draw, 1200, 2060)


def date(draw: Draw) -> str:
    """A date such as "14 March 1987" or "March 14"."""
    day, month = number(draw, 1, 28), draw.choice(MONTHS)
    return draw.choice(
        (f"{day} {month} {year(draw)}", f"{day} {month}", f"{month} {day}", f"{month} {day}, {year(draw)}")
    )


def time_of_day(draw: Draw) -> str:
    """A time such as 09:45."""
    return draw.word(lambda: f"{draw.between(0, 23):02}:{draw.between(0, 59):02}")


def colour(draw: Draw) -> str:
    """A colour's name."""
    return draw.choice(COLOURS)


def food(draw: Draw) -> str:
    """Something to eat."""
    return draw.choice(FOODS)


def things(draw: Draw) -> str:
    """A noun in the plural."""
    return draw.choice(NOUNS) + "s"


def a_thing(draw: Draw) -> str:
    """A noun with its article."""
    noun = draw.choice(NOUNS)
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def the_thing(draw: Draw) -> str:
    """A certain thing."""
    return f"the {draw.choice(NOUNS)}"


def age(draw: Draw) -> str:
    """A person's age."""
    return number(draw, 5, 99)


def lucky_number(draw: Draw) -> str:
    """A number from 2 to 9999."""
    return number(draw, 2, 10 ** draw.between(1, 4))


def days(draw: Draw) -> str:
    """A number of days."""
    return number(draw, 2, 90)


def phone(draw: Draw) -> str:
    """A telephone number."""
    return number(draw, 100_000, 9_999_999)


def price(draw: Draw) -> str:
    """An amount of money."""
    return f"{amount(draw)} {draw.choice(('euros', 'dollars', 'pounds', 'crowns'))}"


def area(draw: Draw) -> str:
    """A number of square kilometres."""
    return f"{amount(draw)} square kilometres"


def address(draw: Draw) -> str:
    """A house number and a street."""
    return f"{number(draw, 1, 99)} {made_up(draw)} Street"


def code(draw: Draw) -> str:
    """A code such as "KX-4821", "b7f3" or "Q19"."""
    letters = "".join(draw.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(draw.between(1, 3)))
    shape = draw.between(0, 3)
    if shape == 0:
        return f"{letters}-{number(draw, 10, 9999)}"
    if shape == 1:
        return letters + number(draw, 10, 999)
    if shape == 2:
        return draw.word(lambda: "".join(draw.choice("abcdef0123456789") for _ in range(draw.between(4, 8))))
    return number(draw, 1000, 999999)


def _with_place_ending(draw: Draw) -> str:
    return (_syllables(draw, draw.choice((1, 1, 2))) + draw.choice(_PLACE_ENDINGS)).capitalize()


def _syllables(draw: Draw, count: int) -> str:
    inner = _INNER_CODAS if draw.chance(0.75) else _CODAS
    made = "".join(draw.choice(_ONSETS) + draw.choice(_VOWELS) + draw.choice(inner) for _ in range(count - 1))
    made += draw.choice(_ONSETS) + draw.choice(_VOWELS) + draw.choice(_CODAS)
    return made if len(made) > 2 else made + draw.choice("nlrstk")
