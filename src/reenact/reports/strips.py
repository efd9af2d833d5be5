"""Strips: one test person a row, the same pair drawn by every branch side by side, and where each errs."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd

from reenact.errors import ReenactError
from reenact.evaluation.collect import Entry
from reenact.evaluation.samples import Picture, decoded, read_samples
from reenact.reports.grids import LARGEST_ERROR, colour_bar, draw_landmarks, error_map
from reenact.reports.page import picture

LARGEST = 144  # px of a picture on the page; smaller ones keep their size in the file
MOST = 700  # pictures of a protocol: more persons than fit are left out, and the page says so
_TITLES = {
    "self": "Self-reenactment: another frame of the person drives",
    "cross": "Cross-reenactment: another person drives",
    "cross_truth": "Cross-reenactment whose true picture is known",
}


def samples_of(entries: Sequence[Entry]) -> dict[str, pd.DataFrame]:
    """The pictures that each scored entry left, by its name; one without any is not in it."""
    found = {}
    for entry in entries:
        if entry.status == "trained" and entry.evaluation:
            try:
                found[entry.name] = read_samples(entry.evaluation / "samples.parquet")
            except ReenactError:  # an evaluation may have been copied without its pictures
                continue
    return found


def strips_html(samples: Mapping[str, pd.DataFrame]) -> str:
    """A table per protocol and kind of identities: a row per person, a column per branch."""
    everything = pd.concat([table[table["strip"]] for table in samples.values()]) if samples else pd.DataFrame()
    if everything.empty:
        return '<p class="soft">No branch left pictures.</p>'
    blocks = []
    for (protocol, identities), group in everything.groupby(["protocol", "identities"], sort=False):
        title = _TITLES.get(str(protocol), str(protocol)) + (", seen in training" if identities == "seen" else "")
        blocks.append(f"<h3>{html.escape(title)}</h3>" + _block(group.drop_duplicates("pair"), samples))
    return "".join(blocks) + colour_bar()


def _block(pairs: pd.DataFrame, samples: Mapping[str, pd.DataFrame]) -> str:
    """`pairs` has a sample per strip, of any branch: source, driver and truth are the same for all."""
    names = list(samples)
    drawn = {name: table.set_index("pair") for name, table in samples.items()}
    compared = bool(pairs["truth"].notna().any())
    shown = max(1, MOST // (len(names) + 3))
    heads = ["person", "source", "driver", *names, *(["truth"] if compared else [])]
    fake = range(3, 3 + len(names))
    head = "".join(
        f'<th scope="col">{html.escape(name)}' + ("<br><span>synthetic</span>" if place in fake else "") + "</th>"
        for place, name in enumerate(heads)
    )
    body = "".join(
        _strip({str(key): value for key, value in pair.items()}, drawn, compared=compared)
        for pair in pairs.iloc[:shown].to_dict("records")
    )
    more = f'<p class="soft small">{shown} of {len(pairs)} persons are shown.</p>' if len(pairs) > shown else ""
    least, most = (130 + cell * (len(heads) - 1) for cell in (84, 176))  # px
    style = f"min-width:{least}px;max-width:{most}px"
    table = f'<table class="strips" style="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>{more}'


def _strip(pair: Mapping[str, Any], drawn: Mapping[str, pd.DataFrame], *, compared: bool) -> str:
    source, driving, truth = (decoded(pair, role) for role in ("source", "driving", "truth"))
    who = str(pair["identity"])
    if pair["protocol"] == "self":  # the driver's picture is the truth; a system is given its labels
        driving = draw_landmarks(np.asarray(pair["landmarks"]).reshape(68, 2), LARGEST)
    cells = [
        f"<b>{html.escape(who)}</b><br>{html.escape(str(pair['name']))}",
        _cell(source, f"{who}: source", error=_error(source, truth)),
        _cell(driving, f"{who}: driver"),
    ]
    for name, table in drawn.items():
        own: Mapping[Any, Any] = table.loc[pair["pair"]].to_dict() if pair["pair"] in table.index else {}
        # its own truth: pictures of another size can't be laid upon those of the first
        generated, aim = decoded(own, "generated"), decoded(own, "truth")
        cells.append(_cell(generated, f"{who} drawn by {name}, a synthetic face", fake=True,
                           error=_error(generated, aim)))  # fmt: skip
    if compared:
        cells.append(_cell(truth, f"{who}: the true picture"))
    first, *others = cells
    return f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in others) + "</tr>"


def _cell(image: Picture | None, alt: str, *, fake: bool = False, error: Picture | None = None) -> str:
    if image is None:
        return '<span class="soft small">none</span>'
    shown = face(image, alt, fake=fake)
    return shown + (face(error, f"where it differs from the truth, {alt}") if error is not None else "")


def _error(image: Picture | None, truth: Picture | None) -> Picture | None:
    return None if image is None or truth is None else error_map(image, truth)


def face(image: Picture, alt: str, *, fake: bool = False) -> str:
    """A picture of a face; `fake` ones wear a mark that they are synthetic."""
    if image.shape[0] > LARGEST:
        image = np.asarray(cv2.resize(image, (LARGEST, LARGEST), interpolation=cv2.INTER_AREA), np.uint8)
    return f'<span class="face{" fake" if fake else ""}">{picture(image, alt=alt, quality=88)}</span>'


def reading() -> str:
    """What the strips show, for the section's first line."""
    return (
        "One row per test person, the first pair of each by the list of pairs, the same for all branches: nothing was "
        "picked by hand. Below each picture that has a truth, where it differs from it: the mean over channels of "
        f"|generated - truth|, from 0 (dark) to {LARGEST_ERROR:.0f} of 255 and more (yellow); below the source, what "
        "handing it back would err."
    )
