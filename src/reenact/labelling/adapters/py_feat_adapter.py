"""py-feat (Cheong et al. 2023) behind the protocol: `pip install py-feat` in its environment.

Options: those of `feat.Detector`, e.g. {"au_model": "xgb"}. py-feat says how likely a unit is active, 0..1, not how
strong: five times that stands in our columns, so compare its numbers with themselves only. AU45 is its AU43 (eyes
closed). Its pose has other signs and zeros than OpenFace's and is left out: ours stays.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from exchange import pictures, read_request, write_result

UNITS = [f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 43)]


def main() -> None:
    """Units of the surest face of every picture."""
    tool = importlib.import_module("feat")
    folder, request = read_request()
    detector = tool.Detector(**request["options"])
    listed = pictures(request)
    paths = [str(folder / name) for name in listed]
    # `detect_image` until 0.6, `detect` since.
    look = getattr(detector, "detect_image", None)
    table = look(paths) if look else detector.detect(paths, data_type="image")
    actions, valid = read_table(table, listed)
    write_result(folder, f"py-feat {getattr(tool, '__version__', '')}", actions=actions, valid=valid)


def read_table(table: Any, listed: list[str]) -> tuple[Any, Any]:
    """From py-feat's table, a row per face with its picture's path in `input`."""
    actions, valid = np.zeros((len(listed), len(UNITS))), np.zeros(len(listed), dtype=bool)
    places = {name: row for row, name in enumerate(listed)}
    for record in table.sort_values("FaceScore").to_dict("records"):  # the surest face comes last and stays
        row = places[Path(str(record["input"])).name]
        values = np.array([float(record[name]) for name in UNITS])
        if np.isfinite(values).all():
            actions[row], valid[row] = 5.0 * values, True
    return actions, valid


if __name__ == "__main__":
    main()
