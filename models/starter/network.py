"""The decoder in PyTorch: Qwen3's layout (grouped attention, normalised queries and keys, SwiGLU, tied embedding)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network; widths are multiples of 64, which Q8_0 and its fast kernels want."""

    vocabulary: int = 4096
    width: int = 384
    num_layers: int = 8
    num_heads: int = 6
    num_kv_heads: int = 3
    head_width: int = 64
    feed_forward: int = 768
    context: int = 2048
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-6


class Attention(nn.Module):
    """Causal self-attention; conversations packed into one window do not see one another."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        kv_width = shape.num_kv_heads * shape.head_width
        self.q = nn.Linear(shape.width, shape.num_heads * shape.head_width, bias=False)
        self.k = nn.Linear(shape.width, kv_width, bias=False)
        self.v = nn.Linear(shape.width, kv_width, bias=False)
        self.output = nn.Linear(shape.num_heads * shape.head_width, shape.width, bias=False)
        self.q_norm = nn.RMSNorm(shape.head_width, eps=shape.norm_epsilon)
        self.k_norm = nn.RMSNorm(shape.head_width, eps=shape.norm_epsilon)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """x: (batch, time, width); mask: (batch, 1, time, time), added to the scores."""
        q = rotate(self.q_norm(self._heads(self.q(x), self.shape.num_heads)), rope)
        k = rotate(self.k_norm(self._heads(self.k(x), self.shape.num_kv_heads)), rope)
        v = self._heads(self.v(x), self.shape.num_kv_heads)
        share = self.shape.num_heads // self.shape.num_kv_heads
        k, v = k.repeat_interleave(share, 1), v.repeat_interleave(share, 1)
        attended = functional.scaled_dot_product_attention(
            q.to(v.dtype), k.to(v.dtype), v, attn_mask=mask.to(v.dtype)
        )
        return self.output(attended.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor, num_heads: int) -> Tensor:
        return x.unflatten(2, (num_heads, self.shape.head_width)).transpose(1, 2)


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width)."""
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    """Attention, then feed-forward, each normalised before and added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.attention = Attention(shape)
        self.feed_forward_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.feed_forward = FeedForward(shape)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """x: (batch, time, width)."""
        x = x + self.attention(self.attention_norm(x), rope, mask)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Network(nn.Module):
    """The whole decoder; the embedding is also the output matrix."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_layers))
        self.norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self._initialise()

    def forward(self, tokens: Tensor, conversation: Tensor) -> Tensor:
        """Final states (batch, time, width) of token ids and of the number of each token's conversation."""
        time = tokens.shape[1]
        causal = torch.ones(time, time, dtype=torch.bool, device=tokens.device).tril()
        seen = causal & (conversation[:, :, None] == conversation[:, None, :])
        mask = torch.zeros_like(seen, dtype=torch.bfloat16).masked_fill(~seen, -torch.inf).unsqueeze(1)
        rope = rotation(self.shape, time, tokens.device)
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, rope, mask)
        return self.norm(x)

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(
                    parameter, std=0.02 if name.startswith("embedding") else parameter.shape[1] ** -0.5
                )
            if name.endswith(("output.weight", "down.weight")):
                nn.init.zeros_(parameter)


def rotation(shape: Shape, time: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions, each (time, head width)."""
    speeds = shape.rope_base ** -(torch.arange(0, shape.head_width, 2, device=device) / shape.head_width)
    angles = torch.outer(torch.arange(time, device=device).float(), speeds).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Turns the heads' halves against one another by their position (the "neox" order)."""
    cos, sin = rope
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin
