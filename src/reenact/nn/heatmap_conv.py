"""A convolution over a picture and landmark heatmaps that never paints the heatmaps.

The 68 heatmap channels hold outer products of a row and a column profile (faces.heatmaps). A convolution over such a
channel factors: first along the columns, then along the rows, the second as one matrix product over all landmarks.
That is the sum the ordinary convolution makes, in another order, for a fifth of the arithmetic of a 5 x 5 kernel, and
68 of the 71 input channels are neither written nor read.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.faces.heatmaps import Profiles, paint


def heatmap_conv(conv: nn.Conv2d, image: Tensor, factors: Profiles) -> Tensor:
    """`conv(cat([image, paint(factors)], dim=1))` for a square kernel with one stride and padding for both axes.

    image (B, C, H, W), factors of (B, 68) landmarks at the same size; the convolution has C + 68 input channels.
    Gradients flow to image and weights; landmarks are data and get none.
    """
    channels = image.shape[1]
    stride, padding = conv.stride[0], int(conv.padding[0])
    out = F.conv2d(image, conv.weight[:, :channels], conv.bias, conv.stride, padding)
    kernel = conv.weight[:, channels:]  # (N, 68, k, k)
    N, points, k, _ = kernel.shape
    B, _, I, J = out.shape  # noqa: E741 - rows and columns of the result

    # along the columns: each landmark's profile with every row of every kernel, laid out as the next product wants it
    across = F.conv1d(
        factors.columns,
        kernel.permute(1, 2, 0, 3).reshape(points * k * N, 1, k),
        stride=stride,
        padding=padding,
        groups=points,
    )  # (B, 68 * k * N, J)
    # along the rows, summed over landmarks and kernel rows: (B, I, 68 * k) @ (B, 68 * k, N * J)
    rows = _windows(factors.rows, k, stride, padding).transpose(1, 2).reshape(B, I, points * k)
    down = rows @ across.reshape(B, points * k, N * J)
    return out + down.reshape(B, I, N, J).transpose(1, 2)


def _windows(profile: Tensor, k: int, stride: int, padding: int) -> Tensor:
    """(B, 68, S) -> (B, 68, positions, k): what a kernel of length k sees at each of its positions."""
    padded = F.pad(profile, (padding, padding))
    return padded.unfold(-1, k, stride)


def picture_with_heatmaps(image: Tensor, factors: Profiles) -> Tensor:
    """(B, 3 + 68, H, W): the painted input, for tools that look at it and for tests."""
    return torch.cat([image, paint(factors)], dim=1)
