"""The dates: the forms that people and programs write them in."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LOOKED_AT, NEARLY_ALL = 100, 0.9
TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s?[ap]\.?m\.?)?"
CLOCK = rf"(,?[T: ]{TIME})?(\s?(Z|UTC|[+-]\d{{2}}:?\d{{2}}))?"
MONTH = (  # in English, German and French
    "(jan(uary|uar|vier)?|feb(ruary|ruar)?|févr?(ier)?|mar(ch|s)?|mrz|märz|apr(il)?|avr(il)?|may|mai"
    "|june?|juni?|juin|jul[iy]?|juil(let)?|aug(ust)?|août|sept?(ember|embre)?|o[ck]t(ober|obre)?"
    "|nov(ember|embre)?|de[cz](ember)?|déc(embre)?)[.]?"
)
WEEKDAY, DAY, YEAR = r"([^\W\d_]{2,9}\.?,? )?", r"[0-3]?\d(st|nd|rd|th|\.)?", r"(\d{4}|'?\d{2})"
FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"[12]\d{{3}}([-/.])[01]?\d(\1[0-3]?\d)?{CLOCK}",  # 2019-03-14, 2019-03
        rf"[0-3]?\d([-/.])[0-3]?\d\1{YEAR}{CLOCK}",  # 14.03.2019, 3/14/19
        r"[01]?\d[-/][12]\d{3}",  # 03/2019
        rf"{WEEKDAY}{DAY}[-/. ]?{MONTH}([-/. ,]*{YEAR})?{CLOCK}",  # 14-Mar-2019
        rf"{WEEKDAY}{MONTH} {DAY}(,? {TIME})?(,? {YEAR})?{CLOCK}",  # March 10, 2019
        rf"{MONTH}[-/. ]?{YEAR}",  # Mar 2019
        r"[12]\d{3}[- ]?(Q[1-4]|W\d{2})",  # 2019-Q1
        TIME,
    )
]


def are_dates(texts: Sequence[str]) -> bool:
    """Whether nearly all of these texts are dates or times, by the first of them."""
    first = texts[:LOOKED_AT]
    dates = sum(any(form.fullmatch(text) for form in FORMS) for text in first)
    return dates > NEARLY_ALL * len(first)


def are_days(numbers: NDArray[np.float64]) -> bool:
    """Whether numbers are days such as 20190314, or months such as 201903, of 1900 to 2100."""
    numbers = np.where(numbers < 1_000_000, 100 * numbers + 1, numbers)
    months, days = np.divmod(numbers, 100)
    years, months = np.divmod(months, 100)
    inside = (years >= 1900) & (years <= 2100) & (months >= 1) & (months <= 12)
    inside &= (days >= 1) & (days <= 31) & (days == np.floor(days))
    return bool(len(numbers) and inside.all())
