"""Batch normalisation over the batch of all processes that train together.

As torch's SyncBatchNorm, which works on CUDA devices alone and has no second derivative, as a gradient penalty wants
it. Each process must bring the same number of pictures of the same size.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn

_Norm = nn.modules.batchnorm._BatchNorm


class SharedBatchNorm(_Norm):
    """Takes mean and variance over the pictures of all processes while it trains; in use an ordinary one."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any (B, C, ...)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) -> the same. A collective call: every process makes it, at the same point of its step."""
        if not self.training or not distributed.is_initialized():
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = _mean(wide)
        centred = wide - mean
        # After the mean, not beside it: a difference of squares would lose digits.
        variance = _mean(centred.square())
        self._remember(mean.detach().flatten(), variance.detach().flatten(), x.numel() // x.shape[1])
        normed = centred * (variance + self.eps).rsqrt()
        if self.affine:
            normed = normed * _beside(self.weight, x) + _beside(self.bias, x)
        return normed.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, values: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        whole = values * distributed.get_world_size()
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * whole / max(1, whole - 1), share)


def share_batch_norm(network: nn.Module) -> None:
    """Let every batch normalisation below a network, weights and names as they are, look at all processes' pictures."""
    for name, child in network.named_children():
        if isinstance(child, _Norm) and not isinstance(child, SharedBatchNorm):
            setattr(network, name, _shared(child))
        else:
            share_batch_norm(child)


def _shared(norm: _Norm) -> SharedBatchNorm:
    shared = SharedBatchNorm(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats, device="meta"
    )
    shared._parameters, shared._buffers = norm._parameters, norm._buffers
    return shared.train(norm.training)


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of theirs, and so on for every further derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Sum.apply(gradients[0])


def _mean(x: Tensor) -> Tensor:
    """(B, C, ...) -> (1, C, 1, ...): over all but the channels, and over all processes."""
    own = x.mean(dim=[0, *range(2, x.dim())], keepdim=True)
    total: Tensor = _Sum.apply(own)
    return total / distributed.get_world_size()


def _beside(weight: Tensor, x: Tensor) -> Tensor:
    return weight.view(1, -1, *[1] * (x.dim() - 2))
