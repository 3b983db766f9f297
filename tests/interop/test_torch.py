"""fastact.torch: values, gradients by torch.autograd.gradcheck, modules; on the CPU, and on a GPU if there is one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.backends.cuda import availability

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed")
ft: Any = pytest.importorskip("fastact.torch")

ACTIVATIONS = [f.name for f in map(fa.get, fa.names()) if isinstance(f, fa.Activation)]
REASON = availability.why_not() if torch.cuda.is_available() else "PyTorch sees no GPU"
DEVICES = ["cpu", pytest.param("cuda", marks=[
    pytest.mark.gpu, pytest.mark.skipif(REASON is not None, reason=str(REASON))])]  # fmt: skip


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def away_from_kinks(device: str, *shape: int) -> Any:
    """float64 numbers none of which is close to a multiple of 0.1, with a gradient."""
    x = torch.linspace(-4.0, 4.0, int(np.prod(shape)), dtype=torch.float64, device=device).reshape(shape)
    return (x + 0.0317).requires_grad_()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients(name: str, device: str) -> None:
    x = away_from_kinks(device, 5, 8)
    result = getattr(ft, name)(x)
    np.testing.assert_array_equal(result.detach().cpu().numpy(), fa.get(name)(x.detach().cpu().numpy()))
    assert torch.autograd.gradcheck(getattr(ft, name), (x,), atol=1e-6)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if fa.get(name).parameters])
def test_gradients_of_parameters(name: str, device: str) -> None:
    function = fa.get(name)
    if any(f"{parameter}_derivative" not in function._slopes for parameter in function.parameters):
        pytest.skip("defined without derivatives of its parameters")
    x = away_from_kinks(device, 3, 4)
    values = [torch.full((4,), value * 1.01 + 0.003, dtype=torch.float64, device=device, requires_grad=True)
              for value in function.parameters.values()]  # fmt: skip
    assert torch.autograd.gradcheck(lambda x, *values: ft.apply(name, x, *values), (x, *values), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes(dtype: str, device: str) -> None:
    kind = getattr(torch, dtype)
    x = torch.linspace(-3, 3, 20, device=device).to(kind).requires_grad_()
    for function, own in [(ft.gelu, torch.nn.functional.gelu), (ft.softmax, lambda x: torch.softmax(x, -1))]:
        for got, wanted in [
            (function(x), own(x)), (*torch.autograd.grad(function(x).sum(), x), *torch.autograd.grad(own(x).sum(), x)),
        ]:  # fmt: skip
            assert got.dtype == kind
            assert got.device == x.device
            torch.testing.assert_close(
                got, wanted, rtol=0.02 if "16" in dtype else 1e-5, atol=0.02 if "16" in dtype else 1e-6
            )


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "sparsemax", "entmax15"])
def test_softmax(name: str, device: str) -> None:
    x = away_from_kinks(device, 3, 4, 5)
    for dim in (-1, 0, 1):
        assert torch.autograd.gradcheck(lambda x, dim=dim: getattr(ft, name)(x, dim), (x,))
    assert torch.autograd.gradcheck(lambda x: getattr(ft, name)(x, temperature=0.5), (x,))
    assert torch.equal(getattr(ft, name)(x, 1), getattr(ft, name)(x, dim=1))


@pytest.mark.parametrize("name", ["swiglu", "geglu", "reglu", "bilinear"])
def test_gated_units(name: str, device: str) -> None:
    value, gate = away_from_kinks(device, 3, 4), (away_from_kinks(device, 1, 4) * 0.5).detach().requires_grad_()
    assert torch.autograd.gradcheck(getattr(ft, name), (value, gate))
    if name == "geglu":
        assert torch.autograd.gradcheck(lambda a, b: ft.geglu(a, b, approximate="tanh"), (value, gate))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "hard_tanh", "identity"])
def test_second_derivatives_of_piecewise_linear_functions(name: str, device: str) -> None:
    assert torch.autograd.gradgradcheck(getattr(ft, name), (away_from_kinks(device, 3, 4),))


def test_second_derivative_is_refused(device: str) -> None:
    x = away_from_kinks(device, 4)
    (slope,) = torch.autograd.grad(ft.gelu(x).sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative of gelu; detach x"):
        slope.sum().backward()


def test_modules(device: str) -> None:
    slope = torch.nn.Parameter(torch.tensor(0.1, device=device))
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), ft.Activation("leaky_relu", alpha=slope), ft.Softmax()).to(
        device
    )
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.alpha"]
    model(torch.randn(5, 3, device=device))[:, 0].sum().backward()
    assert slope.grad.shape == ()
    assert slope.grad != 0
    assert repr(ft.Activation("elu", alpha=0.5)) == "Activation(elu, alpha=0.5)"
    assert repr(ft.Softmax(1)) == "Softmax(dim=1, temperature=1.0)"
    copied = pickle.loads(pickle.dumps(ft.Activation("elu", alpha=0.5)))
    x = torch.randn(4, device=device)
    assert torch.equal(copied(x), ft.elu(x, alpha=0.5))
    assert torch.equal(ft.Activation("gelu", approximate="tanh")(x), ft.gelu(x, approximate="tanh"))


def test_other_layouts(device: str) -> None:
    x = away_from_kinks(device, 6, 8)
    for view in (x.T, x[::2, 1::3], x[:, :1].expand(6, 8), x[:0], x[0, 0]):
        assert torch.equal(ft.silu(view), torch.from_numpy(np.asarray(fa.silu(view.detach().cpu().numpy()))).to(device))


def test_wrong_use() -> None:
    x = torch.ones(3)
    with pytest.raises(AttributeError, match=r"fastact\.torch has no 'sigmoids'"):
        _ = ft.sigmoids
    with pytest.raises(TypeError, match="unexpected keyword argument 'beta'"):
        ft.relu(x, beta=1)
    with pytest.raises(TypeError, match="gelu has no parameter 'alpha'; its parameters: approximate"):
        ft.Activation("gelu", alpha=1)
    with pytest.raises(fa.UnknownNameError, match="sigmoidd"):
        ft.Activation("sigmoidd")
    with pytest.raises(TypeError, match="not supported for the input types"):
        ft.relu(x.to(torch.complex64))


def test_without_pytorch() -> None:
    code = "import sys; sys.modules['torch'] = None; import fastact.torch"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert "fastact.torch needs PyTorch; pip install torch" in done.stderr
