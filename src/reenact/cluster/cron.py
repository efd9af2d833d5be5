"""Cron expressions: written with five fields, as everywhere, and sent with six, as Kubeflow reads them."""

import re

from reenact.errors import SettingsError

# Fields with their bounds; Kubeflow's reader puts seconds first, and takes five fields for six without a last one.
_FIELDS = (("second", 0, 59), ("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SUNDAY_TWICE = 7  # cron has Sunday as 0 and as 7, Kubeflow as 0 alone


def six_fields(cron: str) -> str:
    """`0 3 * * *` -> `0 0 3 * * *`: seconds first, in digits. Six fields are taken as they are meant by Kubeflow.

    Raises SettingsError for what Kubeflow would not understand, or would never do.
    """
    fields = cron.split()
    if len(fields) not in (5, 6):
        raise SettingsError(
            f'--cron "{cron}": five fields are expected: minute, hour, day, month, weekday, as "0 3 * * *" for each '
            "night at three (or six with seconds first)."
        )
    fields = ["0", *fields] if len(fields) == 5 else fields
    read = [_field(text, name, low, high, cron=cron) for text, (name, low, high) in zip(fields, _FIELDS, strict=True)]
    _, _, _, days, months, weekdays = read
    if fields[5] in "*?" and not any(day <= _LONGEST[month - 1] for day in days for month in months):
        raise SettingsError(f'--cron "{cron}": there is no such day.')
    if fields[5] not in "*?":
        fields[5] = ",".join(str(day) for day in sorted({day % _SUNDAY_TWICE for day in weekdays}))
    fields[4] = fields[4] if fields[4] in "*?" else ",".join(str(month) for month in sorted(months))
    return " ".join(fields)


def _field(text: str, name: str, low: int, high: int, *, cron: str) -> set[int]:
    """The numbers a field stands for."""
    found: set[int] = set()
    for part in text.split(","):
        range_, slash, step = part.partition("/")
        if slash and not (step.isdecimal() and 0 < int(step) <= high):
            raise SettingsError(f'--cron "{cron}": "{part}" is no {name}; a step is a number from 1.')
        if range_ in ("*", "?"):
            start, end = low, high if name != "weekday" else high - 1
        else:
            ends = [_number(word, name) for word in range_.split("-")]
            start, end = ends[0], (high if slash and len(ends) == 1 else ends[-1])
            if len(ends) > 2 or not low <= start <= end <= high:
                raise SettingsError(f'--cron "{cron}": "{part}" is no {name} ({low} to {high}).')
        found |= set(range(start, end + 1, int(step) if slash else 1))
    return found


def _number(word: str, name: str) -> int:
    """A number, or the English name of a month or weekday; -1 for anything else."""
    names = {"month": _MONTHS, "weekday": _DAYS}.get(name, ())
    if word.upper() in names:
        return names.index(word.upper()) + (name == "month")
    return int(word) if re.fullmatch(r"[0-9]{1,2}", word) else -1
