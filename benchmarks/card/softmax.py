"""The softmax family: rows of 10 to 262,144 columns, axis 0, masks, half types; its sparse kin."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

import fastact as fa
from card.record import Figure, Units
from card.timing import DTYPES, compared, differs, random

__all__ = ["units"]

aten = torch.ops.aten
COLUMNS = (128, 256, 1000, 4096, 32_768, 50_257, 131_072, 262_144)
#: (shape, axis, dtype) besides rows of these columns
OTHERS = [((1 << 22, 10), -1, "float32"), ((32_768, 8192), 0, "float32"), ((64, 1000, 4096), 1, "float32")]


def _dense(shape: tuple[int, ...], axis: int, dtype: str, least: float) -> dict[str, Figure]:
    x, g = random(*shape, dtype=dtype), random(*shape, dtype=dtype)
    size, figures = x.element_size() * x.numel(), {}
    relative = 2e-2 if "16" in dtype else 1e-4  # PyTorch's own results are the less exact ones
    for f, own_name in ((fa.softmax, "softmax"), (fa.log_softmax, "log_softmax")):
        peer, back = getattr(torch, own_name), getattr(aten, f"_{own_name}_backward_data")
        y = f(x, axis)
        slope, wanted = f.backward(g, y, axis), back(g, y, axis, DTYPES[dtype])
        found = compared(2 * size, partial(f, x, axis), partial(peer, x, axis), share=least)
        figures[own_name] = found._replace(fault=differs(y, peer(x, axis), relative, 1e-5 * relative))
        found = compared(
            3 * size, partial(f.backward, g, y, axis), partial(back, g, y, axis, DTYPES[dtype]), share=least
        )
        figures[f"{own_name}.backward"] = found._replace(fault=differs(slope, wanted, relative, relative))
    y, found = fa.logsumexp(x, axis=axis), torch.logsumexp(x, axis)
    figures["logsumexp"] = compared(
        size, lambda: fa.logsumexp(x, axis=axis), partial(torch.logsumexp, x, axis)
    )._replace(fault=differs(y, found, relative))
    return figures


def _masked() -> dict[str, Figure]:
    scores = random(32, 12, 512, 512)
    causal = torch.ones(512, 512, dtype=torch.bool, device=scores.device).tril()
    size, figures = 2 * scores.element_size() * scores.numel(), {}

    def peer() -> Any:
        return torch.softmax(scores.masked_fill(~causal, -torch.inf), -1)

    kinds: dict[str, Any] = {"causal": "causal", "boolean": causal}
    for name, where in kinds.items():
        found = compared(size, partial(fa.softmax, scores, where=where), peer, share=0.9)
        figures[name] = found._replace(fault=differs(fa.softmax(scores, where=where), peer(), 1e-4))
    return figures


def _sparse(rows: int) -> dict[str, Figure]:
    x = random(rows, 1024)
    some, figures = x[:64], {}
    for f in (fa.sparsemax, fa.entmax15, fa.hardmax):
        wanted = torch.from_numpy(f(some.cpu().numpy()))
        found = compared(2 * x.element_size() * x.numel(), partial(f, x))
        figures[f.name] = found._replace(fault=differs(f(some).cpu(), wanted, 1e-5, 1e-6))
    return figures


def units(power: int) -> Units:
    n = 1 << (power - 2)
    for dtype, least in {"float32": 0.9, "float16": 0.85, "bfloat16": 0.85}.items():
        for columns in COLUMNS:
            shape = (max(n // columns, 1), columns)
            yield f"{shape[0]} x {columns} {dtype}", partial(_dense, shape, -1, dtype, least)
    yield "65536 x 1024 float64", partial(_dense, (65_536, 1024), -1, "float64", 0.0)
    for shape, axis, dtype in OTHERS:
        yield f"{' x '.join(map(str, shape))} axis {axis} {dtype}", partial(_dense, shape, axis, dtype, 0.9)
    yield "masked 32 x 12 x 512 x 512 float32", _masked
    yield "sparse 65536 x 1024 float32", partial(_sparse, 65_536)
