"""The notation of numbers, by example: "1.000,5", "$1" or "1 cm" says how a column writes them."""

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pyarrow as pa

SPACES = " \u00a0\u2009\u202f"  # plain, no-break, thin, and narrow no-break
MINUS = "\\-\u2212"
GROUPS = {"": "", ",": ",", ".": "[.]", " ": f"[{SPACES}]", "'": "['\u2019]"}
"""What divides thousands, and the regular expression of all its forms."""
EXAMPLE = re.compile(
    rf"(?P<before>[^0-9.,()+{MINUS}]*)[(]?[+{MINUS}]?"
    rf"(?P<whole>[0-9]{{1,3}}(?P<thousands>[,.'\u2019{SPACES}])[0-9]{{3}}|[0-9]+)"
    rf"((?P<decimal>[.,])[0-9]+)?[)]?[{SPACES}]*"
    rf"(?P<behind>([^0-9.,(){SPACES}{MINUS}][^.,()]*)?)"
)


@dataclass(frozen=True)
class Notation:
    """How numbers are written: what divides thousands (a key of GROUPS), the decimal mark, and a
    unit before or behind.
    """

    thousands: str = ""
    decimal: str = "."
    before: str = ""
    behind: str = ""

    @classmethod
    def of(cls, example: str) -> Self:
        """Return the notation of an example; one mark before three digits divides thousands.

        Raises ValueError if the example is not a number.
        """
        found = EXAMPLE.fullmatch(example.strip())
        thousands, decimal = found.group("thousands", "decimal") if found else (None, None)
        if not found or (thousands and thousands == decimal):
            raise ValueError(
                'it is not a number as a column may hold; write one such as "1,000.5", "1.000,5",'
                ' "1 000", "1,5", "$1", "1 %" or "1 cm"'
            )
        group = next((key for key, form in GROUPS.items() if (thousands or "") in form), "")
        decimal = decimal or ("," if group == "." else ".")
        before, behind = (found[name].strip(SPACES) for name in ("before", "behind"))
        return cls(group if thousands else "", decimal, before, behind)

    @property
    def example(self) -> str:
        """The shortest example that shows all of it."""
        whole = f"1{self.thousands}000" if self.thousands else "1"
        shown = "," in (self.decimal, self.thousands) or self == Notation()
        fraction = f"{self.decimal}5" if shown else ""
        before = f"{self.before} " if self.before[-1:].isalpha() else self.before
        behind = f" {self.behind}" if self.behind else ""
        return f"{before}{whole}{fraction}{behind}"

    @functools.cached_property
    def pattern(self) -> str:
        """A number in this notation, as Python and RE2 read it; the unit may be left out."""
        group, point, gap = GROUPS[self.thousands], re.escape(self.decimal), f"[{SPACES}]*"
        inner = "{2,3}" if group == "," else "{3}"  # India writes 12,34,567
        groups = f"[1-9][0-9]{{0,2}}(?:{group}[0-9]{inner})*{group}[0-9]{{3}}|" if group else ""
        number = f"(?:{groups}[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+"
        return (
            f"^(?P<bracket>[(]?)(?P<sign>[+{MINUS}]?){gap}(?:{re.escape(self.before)})?{gap}"
            f"(?P<second>[+{MINUS}]?)(?P<number>{number})(?P<exponent>(?:[eE][+-]?[0-9]+)?)"
            f"(?P<after>[{MINUS}]?){gap}(?:{re.escape(self.behind)})?[)]?$"
        )

    def plain(self, texts: "pa.Array") -> "pa.Array":
        """Return numbers as plain text such as "-1000.5", null where a text is none of these.

        Brackets and a minus sign, also behind the number, mean a negative one.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.extract_regex(texts, self.pattern)
        nothing = pa.scalar("", texts.type)
        *signs, number, exponent = (
            pc.struct_field(found, name)
            for name in ("bracket", "sign", "second", "after", "number", "exponent")
        )
        signs = pc.binary_join_element_wise(*signs, nothing)
        sign = pc.if_else(pc.match_substring_regex(signs, f"[{MINUS}(]"), "-", nothing)
        if self.thousands:
            number = pc.replace_substring_regex(number, GROUPS[self.thousands], "")
        number = pc.replace_substring(number, self.decimal, ".")
        return pc.binary_join_element_wise(sign, number, exponent, nothing)

    def write(self, number: object) -> str:
        """Return a number that is none of text as this notation has it."""
        return str(number).replace(".", self.decimal)
