"""The two update rules: Muon for the matrices between embedding and output, Adam for everything else.

Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); Kingma and Ba, "Adam" (2015).
"""

from __future__ import annotations

from torch import Tensor

from starter.precision import is_bf16_faster

_A, _B, _C = 3.4445, -4.7750, 2.0315
MUON_MOMENTUM = 0.95
MUON_WEIGHT_DECAY = 0.01
ADAM_FIRST, ADAM_SECOND, ADAM_EPSILON = 0.9, 0.95, 1e-8


def muon_update(weight: Tensor, gradient: Tensor, momentum: Tensor, rate: float) -> None:
    """Changes weight and momentum: Nesterov momentum, made orthogonal."""
    momentum.lerp_(gradient, 1 - MUON_MOMENTUM)
    update = orthogonal(gradient.lerp(momentum, MUON_MOMENTUM)).to(weight.dtype)
    weight.mul_(1 - rate * MUON_WEIGHT_DECAY)
    weight.add_(update, alpha=-rate * max(1, weight.shape[0] / weight.shape[1]) ** 0.5)


def adam_update(
    weight: Tensor, gradient: Tensor, momentum: Tensor, variance: Tensor, rate: float, step: int
) -> None:
    """Changes weight, momentum and variance; `step` counts from one."""
    momentum.lerp_(gradient, 1 - ADAM_FIRST)
    variance.lerp_(gradient.square(), 1 - ADAM_SECOND)
    scale = (variance / (1 - ADAM_SECOND**step)).sqrt_().add_(ADAM_EPSILON)
    weight.addcdiv_(momentum, scale, value=-rate / (1 - ADAM_FIRST**step))


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix with all singular values near one, by five Newton-Schulz steps; bf16 is exact enough."""
    x = matrix.bfloat16() if is_bf16_faster(matrix.device.type) else matrix
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.T if is_tall else x
