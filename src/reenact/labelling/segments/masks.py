"""Segments from mask files of the user's: the backend `files`.

    FOLDER/VIDEO.npz         `segments` (F, H, W) class numbers, and if frames are left out `frame` (F,) their numbers
    FOLDER/VIDEO/NUMBER.png  one grey picture of class numbers per frame; numbers count from 0
    FOLDER/VIDEO.png         of a still

Masks have the picture's size, or one of the same shape: they are laid over the whole picture.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.config import Settings
from reenact.corpus.packs import picture_size
from reenact.errors import BadInput, SettingsError
from reenact.hashing import hash_file, hash_json
from reenact.labelling.clip_frames import ClipFrames
from reenact.labelling.segments.classes import OURS, ClassSettings
from reenact.labelling.segments.place import SIDE

Mask = NDArray[np.uint8]
_LARGEST = 1 << 14  # px


class MaskSettings(Settings):
    """Where the masks are and what their numbers mean."""

    folder: str = ""
    classes: ClassSettings = OURS


def mask_segments(
    clip: ClipFrames, settings: MaskSettings, *, video: str, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """((N, 128, 128), (N,) whether there was a mask) of a clip from a video of `size` (width, height) pixels.

    Raises BadInput for a file that is no mask.
    """
    read = _reader(video, mask_folder(settings))
    segments, found = np.zeros((len(clip), SIDE, SIDE), dtype=np.uint8), np.zeros(len(clip), dtype=bool)
    for index, (number, crop) in enumerate(zip(clip.frames, clip.crops, strict=True)):
        mask = read(int(number)) if read else None
        if mask is not None:
            segments[index] = crop_mask(settings.classes.segments(mask), crop, size)
            found[index] = True
    return segments, found


def crop_mask(mask: NDArray[np.uint8], crop: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(128, 128): what a mask of the whole picture says at the centres of the crop's pixels; 0 beyond the picture.

    crop: left, top, side in pixels of a picture of `size` (width, height).
    """
    height, width = mask.shape
    centres = (np.arange(SIDE) + 0.5) / SIDE * crop[2]
    x = np.floor((crop[0] + centres) * width / size[0]).astype(int)
    y = np.floor((crop[1] + centres) * height / size[1]).astype(int)
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))
    return np.where(inside, mask[np.clip(y, 0, height - 1)[:, None], np.clip(x, 0, width - 1)], 0).astype(np.uint8)


def mask_folder(settings: MaskSettings) -> Path:
    """The folder, which has to be there."""
    if not settings.folder:
        raise SettingsError("label_segments.masks.folder: name the folder of the masks.")
    folder = Path(settings.folder)
    if not folder.is_dir():
        raise SettingsError(f"label_segments.masks.folder: {folder}: there is no such folder.")
    return folder


def masks_digest(videos: Iterable[str], settings: MaskSettings) -> str:
    """Hash of the masks of some videos: changed ones label anew."""
    folder = mask_folder(settings)
    files = [file for video in sorted(set(videos)) for file in _files(folder, video)]
    return hash_json([[file.relative_to(folder).as_posix(), hash_file(file)] for file in files])


def _files(folder: Path, video: str) -> list[Path]:
    single = [path for path in (folder / f"{video}.npz", folder / f"{video}.png") if path.is_file()]
    return single or (sorted((folder / video).glob("*.png")) if (folder / video).is_dir() else [])


def _reader(video: str, folder: Path) -> Callable[[int], Mask | None] | None:
    """What gives the mask of a frame; None where the video has none."""
    files = _files(folder, video)
    if not files:
        return None
    if files[0].suffix == ".npz":
        return _read_array(files[0])
    if files[0].parent == folder:
        return lambda number: _read_picture(files[0]) if number == 0 else None
    numbered = {int(file.stem): file for file in files if file.stem.isdecimal()}
    return lambda number: _read_picture(numbered[number]) if number in numbered else None


def _read_array(path: Path) -> Callable[[int], Mask | None]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            masks = stored["segments"]
            frames = stored["frame"] if "frame" in stored.files else np.arange(len(masks))
    # A damaged zip raises errors of zip, zlib, numpy and its own kinds.
    except Exception as error:
        raise BadInput(f"{path}: can't be read as masks ({error}).") from None
    if masks.ndim != 3 or masks.dtype.kind not in "iub" or frames.shape != masks.shape[:1]:
        raise BadInput(
            f"{path}: segments has the shape {masks.shape} ({masks.dtype}), expected whole numbers (F, H, W)."
        )
    if masks.size and (masks.min() < 0 or masks.max() > 255):
        raise BadInput(f"{path}: class numbers from {masks.min()} to {masks.max()}, expected 0 to 255.")
    places = {int(frame): row for row, frame in enumerate(frames)}
    return lambda number: np.asarray(masks[places[number]], dtype=np.uint8) if number in places else None


def _read_picture(path: Path) -> Mask:
    data = path.read_bytes()
    # The header first: a decoder takes memory for whatever it claims.
    claimed = picture_size(data)
    fits = claimed is not None and min(claimed) > 0 and max(claimed) <= _LARGEST
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if fits else None
    if mask is None:
        raise BadInput(f"{path}: can't be read as a picture.")
    # A palette's colours arrive here in place of its numbers.
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise BadInput(f"{path}: a coloured or deep picture. Masks are grey ones of 8 bits that hold class numbers.")
    return np.asarray(mask)
