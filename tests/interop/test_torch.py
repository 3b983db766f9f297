"""fastact.torch: values, gradients by torch.autograd.gradcheck, torch.func, modules; on a GPU too if there is one."""

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
from torch import func  # noqa: E402
from torch.nn import functional  # noqa: E402

NAMES = fa.names()
DRAWN = fa.names("sampling")
GATED = [name for name in fa.names("gated unit") if name != "glu"]
PIECEWISE_LINEAR = ["relu", "leaky_relu", "hard_tanh", "identity", "rrelu"]
REASON = availability.why_not() if torch.cuda.is_available() else "PyTorch sees no GPU"
DEVICES = ["cpu", pytest.param("cuda", marks=[
    pytest.mark.gpu, pytest.mark.skipif(REASON is not None, reason=str(REASON))])]  # fmt: skip
#: How a function is differentiated twice.
TWICE = {
    "forward over reverse": func.hessian,
    "reverse over reverse": lambda f: func.jacrev(func.jacrev(f)),
    "reverse over forward": lambda f: func.jacrev(func.jacfwd(f)),
    "forward over forward": lambda f: func.jacfwd(func.jacfwd(f)),
}


#: PyTorch's own, when it first differentiates in forward mode.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def away_from_kinks(device: str, *shape: int) -> Any:
    """float64 numbers none of which is close to a multiple of 0.1, with a gradient."""
    x = torch.linspace(-4.0, 4.0, int(np.prod(shape)), dtype=torch.float64, device=device).reshape(shape)
    return (x + 0.0317).requires_grad_()


def of_one(name: str, get: Any = ft.apply) -> Any:
    """The function of x alone, for an x of several axes of which the last has an even size: by `get` or by fastact."""

    def call(x: Any) -> Any:
        function, kind = fa.get(name), fa.get(name).kind
        array = (lambda values: torch.tensor(values, device=x.device)) if get is ft.apply else np.asarray
        if kind == "sampling":
            return get(function, x, np.random.default_rng(0))
        if kind == "reduction":
            return get(function, x, axis=-1)
        if name in GATED:
            return get(function, x, 0.5 * x + 0.2317)
        if function._family == "class loss":
            return get(function, x, array(np.arange(int(np.prod(x.shape[:-1]))).reshape(x.shape[:-1]) % 3))
        return get(function, x, array(0.25)) if kind == "loss" else get(function, x)

    return call


def same(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


# --- every function ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_value(name: str) -> None:
    x = away_from_kinks("cpu", 3, 4).detach()
    wanted = of_one(name, lambda function, *arguments, **keywords: function(*arguments, **keywords))(x.numpy())
    assert torch.equal(of_one(name)(x), torch.from_numpy(np.asarray(wanted)))
    assert torch.equal(of_one(name)(x.clone().requires_grad_()), torch.from_numpy(np.asarray(wanted)))


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str, device: str) -> None:
    """In reverse and forward mode."""
    if name in DRAWN and device == "cuda":
        pytest.skip("noise is drawn on the host")
    x = away_from_kinks(device, 3, 4)
    assert torch.autograd.gradcheck(
        of_one(name), (x,), atol=1e-6, check_forward_ad=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DRAWN])
def test_transforms(name: str) -> None:
    """torch.func gives what autograd gives, with the axes of a batch at the front or behind."""
    x = away_from_kinks("cpu", 2, 3, 4)
    f = of_one(name)
    (wanted,) = torch.autograd.grad(sum(f(each).sum() for each in x), x)
    gradient = func.grad(lambda x: f(x).sum())
    same(func.vmap(gradient)(x.detach()), wanted)
    same(func.vmap(gradient, in_dims=2)(x.detach().movedim(0, 2)), wanted)
    same(func.grad(lambda x: func.vmap(f)(x).sum())(x.detach()), wanted)
    _, tangent = func.jvp(f, (x[0].detach(),), (x[1].detach(),))
    _, pullback = func.vjp(f, x[0].detach())
    same((tangent * tangent).sum(), (pullback(tangent)[0] * x[1].detach()).sum())
    same(func.jacfwd(f)(x[0].detach()), func.jacrev(f)(x[0].detach()))


@pytest.mark.parametrize("name", ["leaky_relu", "swiglu", "softmax", "mse"])
def test_vmap_over_autograd(name: str) -> None:
    x = away_from_kinks("cpu", 3)
    y = of_one(name)(x)
    rows = torch.eye(max(y.numel(), 1), dtype=x.dtype).reshape(-1, *y.shape)
    jacobian = func.vmap(lambda row: torch.autograd.grad(y, x, row, retain_graph=True)[0])(rows)
    same(jacobian.reshape(*y.shape, 3), func.jacrev(of_one(name))(x.detach()))


@pytest.mark.parametrize("name", ["leaky_relu", "swiglu", "softmax", "mse"])
@pytest.mark.filterwarnings("ignore")  # it warns of what it does not trace
def test_inside_torch_compile(name: str) -> None:
    x = away_from_kinks("cpu", 3)
    compiled = torch.compile(lambda x: of_one(name)(2 * x), backend="eager")
    assert torch.equal(compiled(x), of_one(name)(2 * x))
    same(*(torch.autograd.grad(f.sum(), x)[0] for f in (compiled(x), of_one(name)(2 * x))))


@pytest.mark.parametrize("twice", TWICE)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in DRAWN])
def test_second_derivative_is_exact_or_refused(name: str, twice: str) -> None:
    f, x = of_one(name), away_from_kinks("cpu", 1, 4).detach()

    def scalar(x: Any) -> Any:
        return f(x * x / 3 - 1).sum()

    step = 1e-6 * torch.eye(4, dtype=torch.float64).reshape(4, 1, 4)
    gradient = func.grad(scalar)
    wanted = torch.stack([(gradient(x + h) - gradient(x - h)) / 2e-6 for h in step]).reshape(1, 4, 1, 4)
    try:
        found = TWICE[twice](scalar)(x)
    except NotImplementedError as error:
        assert name not in PIECEWISE_LINEAR
        assert "detach x where its gradient is differentiated again" in str(error)  # noqa: PT017
    else:
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_second_backward_is_refused(name: str) -> None:
    x = away_from_kinks("cpu", 3, 4)
    (slope,) = torch.autograd.grad(of_one(name)(x).sum(), x, create_graph=True)
    if name in PIECEWISE_LINEAR:
        assert torch.autograd.gradgradcheck(of_one(name), (x,))
    elif slope.requires_grad:
        try:
            (found,) = torch.autograd.grad((slope * slope).sum(), x)
        except NotImplementedError as error:
            assert f"no second derivative of {name}" in str(error)  # noqa: PT017
        else:
            assert not found.any()  # a piecewise linear function that is not listed above
    else:
        pytest.fail("the gradient is taken for a constant")


# --- activations ------------------------------------------------------------------------------------------------------


def has_gradients_of_parameters(name: str) -> bool:
    """Tell whether the activation was defined with a derivative for each of its parameters; rrelu was not."""
    function = fa.get(name)
    try:
        for parameter in function.parameters:
            function._part(f"{parameter}_backward")
    except fa.UnknownNameError:
        return False
    return bool(function.parameters)


@pytest.mark.parametrize("name", [name for name in fa.names("activation") if has_gradients_of_parameters(name)])
def test_gradients_of_parameters(name: str, device: str) -> None:
    function = fa.get(name)
    x = away_from_kinks(device, 3, 4)
    values = [torch.full((4,), value * 1.01 + 0.003, dtype=torch.float64, device=device, requires_grad=True)
              for value in function.parameters.values()]  # fmt: skip
    assert torch.autograd.gradcheck(
        lambda x, *values: ft.apply(name, x, *values), (x, *values), atol=1e-6, check_forward_ad=True
    )


def test_parameters_under_vmap() -> None:
    x, slopes = away_from_kinks("cpu", 3, 4).detach(), torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    wanted = ft.leaky_relu(x, slopes[:, None])
    same(func.vmap(ft.leaky_relu)(x, slopes), wanted)
    same(func.vmap(ft.leaky_relu, in_dims=(None, 0))(x[0], slopes), ft.leaky_relu(x[:1], slopes[:, None]))
    gradient = func.vmap(func.grad(lambda x, a: ft.leaky_relu(x, a).sum(), argnums=1))(x, slopes)
    same(gradient, torch.where(x < 0, x, 0).sum(1))


def test_mixed_second_derivative_is_refused() -> None:
    x, slope = away_from_kinks("cpu", 4), torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(ft.leaky_relu(x, slope).sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative of leaky_relu"):
        gradient.sum().backward()


def test_rrelu() -> None:
    x = away_from_kinks("cpu", 4, 5)
    found = ft.rrelu(x, generator=np.random.default_rng(0))
    wanted, slopes = fa.rrelu(x.detach().numpy(), generator=np.random.default_rng(0), return_slopes=True)
    assert torch.equal(found, torch.from_numpy(wanted))
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert torch.equal(gradient, torch.where(x > 0, 1.0, torch.from_numpy(slopes)))
    same(ft.rrelu(x, 0.1, 0.3), functional.rrelu(x, 0.1, 0.3))
    with pytest.raises(ValueError, match="larger than upper"):
        ft.rrelu(x, 0.3, 0.1)


# --- gated units ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GATED)
def test_gated_units(name: str, device: str) -> None:
    value, gate = away_from_kinks(device, 3, 4), (away_from_kinks(device, 1, 4) * 0.5).detach().requires_grad_()
    function = getattr(ft, name)
    assert torch.autograd.gradcheck(function, (value, gate), check_forward_ad=True)
    if fa.get(name)._variants:
        assert torch.autograd.gradcheck(lambda a, b: function(a, b, approximate="tanh"), (value, gate))


def test_glu(device: str) -> None:
    x = away_from_kinks(device, 4, 6)
    for axis in (0, 1, -1):
        same(ft.glu(x, axis), functional.glu(x, axis))
        assert torch.equal(ft.glu(x, dim=axis), ft.glu(x, axis=axis))
        same(*(torch.autograd.grad(f(x, axis).sin().sum(), x) for f in (ft.glu, functional.glu)))
    with pytest.raises(ValueError, match="glu halves x along axis 0, and its length there is odd: 3"):
        ft.glu(x[:3], 0)


# --- the softmax family -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*fa.names("softmax"), *fa.names("reduction")])
def test_options_of_softmax(name: str, device: str) -> None:
    """Over every axis, and with options that are tensors, under vmap too."""
    x, function = away_from_kinks(device, 3, 4, 5), getattr(ft, name)
    mask = torch.arange(60, device=device).reshape(3, 4, 5) % 7 != 0
    options: list[dict[str, Any]] = [
        {"axis": 0}, {"axis": 1}, {"axis": (1, 2)}, {"axis": None}, {"temperature": 0.5},
        {"where": mask}, {"where": mask[0]}, {"lengths": torch.tensor([1, 3, 0], device=device)},
        {"lengths": mask[..., 0] + 2, "temperature": torch.full((4, 1), 2.0, dtype=x.dtype, device=device)},
    ]  # fmt: skip
    for each in options:
        each = {"axis": -1, **each}
        arrays = {k: v.cpu().numpy() if isinstance(v, torch.Tensor) else v for k, v in each.items()}
        wanted = torch.from_numpy(np.asarray(fa.get(name)(x.detach().cpu().numpy(), **arrays)))
        assert torch.equal(function(x, **each).detach().cpu(), wanted)
        finite = lambda x, each=each: function(x, **each).clip(-1e9)  # noqa: E731
        assert torch.autograd.gradcheck(finite, (x,))
        tangent = torch.cos(x.detach())
        _, pullback = func.vjp(finite, x.detach())
        _, found = func.jvp(finite, (x.detach(),), (tangent,))
        same((found * found).sum(), (pullback(found)[0] * tangent).sum())


@pytest.mark.parametrize("name", [*fa.names("softmax"), *fa.names("reduction")])
def test_options_of_softmax_under_vmap(name: str) -> None:
    x, function = away_from_kinks("cpu", 2, 3, 4).detach(), getattr(ft, name)
    mask = torch.arange(24).reshape(2, 3, 4) % 5 != 0
    lengths, temperature = torch.tensor([[1, 2, 3], [4, 0, 2]]), torch.tensor([[[0.5]], [[2.0]]])

    def call(x: Any, mask: Any, lengths: Any, temperature: Any) -> Any:
        return function(x, axis=-1, where=mask, lengths=lengths, temperature=temperature)

    arguments = x, mask, lengths, temperature
    for batched in ((0, 0, 0, 0), (0, None, None, None), (None, 0, None, 0), (None, None, 0, None), (0, None, 0, 0)):
        given = [each if dim == 0 else each[0] for dim, each in zip(batched, arguments, strict=True)]
        rows = [[each[i] if dim == 0 else each for dim, each in zip(batched, given, strict=True)] for i in (0, 1)]
        assert torch.equal(func.vmap(call, in_dims=batched)(*given), torch.stack([call(*row) for row in rows]))
    same(func.vmap(lambda x: function(x, axis=None))(x), torch.stack([function(each, axis=None) for each in x]))
    same(func.vmap(lambda x: function(x, axis=0))(x), torch.stack([function(each, axis=0) for each in x]))
    with pytest.raises(np.exceptions.AxisError, match="axis -3 is out of bounds for array of dimension 2"):
        func.vmap(lambda x: function(x, axis=-3))(x)


def test_softmax_as_pytorch_has_it(device: str) -> None:
    x = away_from_kinks(device, 3, 4)
    mask = torch.arange(12, device=device).reshape(3, 4) % 5 != 0
    same(ft.softmax(x, 0, where=mask), torch.softmax(torch.where(mask, x, -torch.inf), 0))
    same(ft.softmax(x, where="causal"), torch.softmax(torch.where(torch.ones_like(mask).tril(), x, -torch.inf), -1))
    same(ft.logsumexp(x, dim=1, keepdims=True), torch.logsumexp(x, 1, keepdim=True))
    same(ft.logsumexp(x), torch.logsumexp(x, (0, 1)))
    assert torch.equal(ft.softmax(x, dim=0), ft.softmax(x, axis=0))
    temperature = torch.tensor(2.0, device=device, requires_grad=True)
    with pytest.raises(NotImplementedError, match="no gradient for temperature"):
        ft.softmax(x, temperature=temperature).sum().backward()


def test_gumbel_softmax() -> None:
    x = away_from_kinks("cpu", 3, 4)
    wanted, soft = fa.gumbel_softmax(x.detach().numpy(), np.random.default_rng(1), tau=0.5, hard=True, return_soft=True)
    found = ft.gumbel_softmax(x, np.random.default_rng(1), tau=0.5, hard=True)
    assert torch.equal(found, torch.from_numpy(wanted))
    assert torch.equal(ft.gumbel_softmax(x, np.random.default_rng(1), tau=0.5), torch.from_numpy(soft))
    cotangent = torch.cos(x.detach())
    (gradient,) = torch.autograd.grad(found, x, cotangent)
    assert torch.equal(gradient, torch.from_numpy(fa.gumbel_softmax.backward(cotangent.numpy(), soft, tau=0.5)))
    _, tangent = func.jvp(
        lambda x: ft.gumbel_softmax(x, np.random.default_rng(1), 0.5, True), (x.detach(),), (cotangent,)
    )
    same(tangent, gradient)
    with pytest.raises(TypeError, match=r"pass a numpy\.random\.Generator"):
        ft.gumbel_softmax(x, torch.Generator())
    call = lambda x: ft.gumbel_softmax(x, np.random.default_rng(1))  # noqa: E731
    with pytest.raises(RuntimeError, match="pass vmap"):
        func.vmap(call)(x.detach())
    assert func.vmap(call, randomness="different")(x.detach()).shape == x.shape


# --- losses -----------------------------------------------------------------------------------------------------------


def quantile_loss(x: Any, target: Any, q: float = 0.5, reduction: str = "mean") -> Any:
    """PyTorch lacks it."""
    values = (q * (target - x)).maximum((q - 1) * (target - x))
    return values if reduction == "none" else getattr(values, reduction)()


def losses(name: str) -> tuple[Any, Any]:
    """PyTorch's loss of this name, and keywords that both have; classes lie along the second axis."""
    weight = torch.tensor([0.5, 1.0, 2.0, 0.25], dtype=torch.float64)
    return {
        "cross_entropy": (functional.cross_entropy, [{}, {"weight": weight, "label_smoothing": 0.1}]),
        "nll_loss": (functional.nll_loss, [{}, {"weight": weight}, {"ignore_index": 2}]),
        "mse": (functional.mse_loss, [{}]),
        "mae": (functional.l1_loss, [{}]),
        "huber": (functional.huber_loss, [{}, {"delta": 0.5}]),
        "quantile_loss": (quantile_loss, [{}, {"q": 0.2}]),
        "poisson_loss": (functional.poisson_nll_loss, [{}]),
        "binary_cross_entropy": (
            functional.binary_cross_entropy_with_logits,
            [{}, {"pos_weight": weight[:, None], "weight": weight[:, None]}],
        ),
    }[name]  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", fa.names("loss"))
def test_losses(name: str, reduction: str) -> None:
    x = away_from_kinks("cpu", 3, 4, 5)
    classes = fa.get(name)._family == "class loss"
    target = torch.arange(15).reshape(3, 5) % 4 if classes else torch.rand(3, 4, 5, dtype=torch.float64)
    own, cases = losses(name)
    for keywords in cases:
        keywords = {**keywords, "reduction": reduction}
        found, wanted = (
            getattr(ft, name)(x, target, **({"dim": 1} if classes else {}), **keywords),
            own(x, target, **keywords),
        )
        same(found, wanted)
        same(*(torch.autograd.grad(each.sin().sum(), x) for each in (found, wanted)))
        with torch.no_grad():
            assert torch.equal(getattr(ft, name)(x, target, **({"axis": 1} if classes else {}), **keywords), found)


def test_losses_under_vmap() -> None:
    """A mean is over each sample's own targets."""
    x, classes = away_from_kinks("cpu", 2, 3, 4).detach(), torch.tensor([[0, -100, 2], [3, 1, 0]])
    weight = torch.tensor([0.5, 1.0, 2.0, 0.25], dtype=torch.float64)
    gradient = func.vmap(func.grad(lambda x, t: ft.cross_entropy(x, t, weight=weight)))(x, classes)
    same(gradient, func.vmap(func.grad(lambda x, t: functional.cross_entropy(x, t, weight=weight)))(x, classes))
    gradient = func.vmap(func.grad(ft.mse), in_dims=(0, None))(x, x[0])
    same(gradient, func.vmap(func.grad(functional.mse_loss), in_dims=(0, None))(x, x[0]))


def test_losses_differentiate_their_first_operand() -> None:
    x, target = away_from_kinks("cpu", 3), torch.ones(3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(NotImplementedError, match="no gradient of mse for the target; detach it"):
        ft.mse(x, target).backward()
    with pytest.raises(NotImplementedError, match="no gradient of mse for weight; detach it"):
        func.jvp(lambda w: ft.mse(x, x + 1, weight=w), (x.detach(),), (x.detach(),))
    row = x[:1].detach().requires_grad_()
    (found,) = torch.autograd.grad(ft.mse(row, target.detach()), row)  # x is broadcast
    same(found, 2 * (row - 1).detach())
    loss = ft.mse(x, target.detach())
    loss.backward(retain_graph=True)
    loss.backward()
    same(x.grad, 4 / 3 * (x - 1).detach())


# --- tensors of every kind --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes(dtype: str, device: str) -> None:
    kind = getattr(torch, dtype)
    x = torch.linspace(-3, 3, 20, device=device).to(kind).requires_grad_()
    classes = torch.tensor(3, device=device)
    for function, own in [
        (ft.gelu, functional.gelu),
        (ft.softmax, lambda x: torch.softmax(x, -1)),
        (ft.logsumexp, lambda x: torch.logsumexp(x, -1)),
        (lambda x: ft.swiglu(x, x), lambda x: x * functional.silu(x)),
        (lambda x: ft.cross_entropy(x, classes), lambda x: functional.cross_entropy(x, classes)),
        (lambda x: ft.mse(x, x.detach() + 1), lambda x: functional.mse_loss(x, x.detach() + 1)),
    ]:
        for got, wanted in [
            (function(x), own(x)), (*torch.autograd.grad(function(x).sum(), x), *torch.autograd.grad(own(x).sum(), x)),
        ]:  # fmt: skip
            assert got.dtype == kind
            assert got.device == x.device
            torch.testing.assert_close(
                got, wanted, rtol=0.02 if "16" in dtype else 1e-5, atol=0.02 if "16" in dtype else 1e-6
            )


def test_integers() -> None:
    x = torch.arange(-2, 3)
    assert torch.equal(ft.relu(x), x.clip(0))
    assert ft.gelu(x).dtype == torch.float64
    same(ft.softmax(x), torch.softmax(x.double(), 0))


@pytest.mark.parametrize("name", NAMES)
def test_layouts(name: str, device: str) -> None:
    if name in DRAWN and device == "cuda":
        pytest.skip("noise is drawn on the host")
    x = away_from_kinks(device, 6, 8).detach()
    negative, complex_ = torch._neg_view(x), torch.complex(x, -x).conj()
    assert negative.is_neg()
    assert complex_.imag.is_neg()
    for view in (x.T, x[::2, 1::2], x[:, :1].expand(6, 8), negative, complex_.imag, complex_.real):
        wanted = view.resolve_neg().clone(memory_format=torch.contiguous_format).requires_grad_()
        view = view.detach().requires_grad_()
        pair = of_one(name)(view), of_one(name)(wanted)
        same(*pair)
        same(*(torch.autograd.grad(y.sum(), each)[0] for y, each in zip(pair, (view, wanted), strict=True)))
        # A gradient that is a negative view too.
        same(*(torch.autograd.grad(f(each), each, torch._neg_view(torch.ones_like(y)))[0]
               for f, y, each in zip([of_one(name)] * 2, pair, (view, wanted), strict=True)))  # fmt: skip


@pytest.mark.parametrize("name", [*fa.names("activation"), *fa.names("softmax")])
def test_sizes(name: str, device: str) -> None:
    for x in (away_from_kinks(device, 0, 4), away_from_kinks(device, 3, 0), away_from_kinks(device, 2)[0]):
        x = x.detach().requires_grad_()
        found = ft.apply(name, x)
        assert found.shape == x.shape
        assert torch.autograd.grad(found.sum(), x)[0].shape == x.shape
        with torch.no_grad():
            assert not ft.apply(name, x).requires_grad


# --- modules, and wrong use -------------------------------------------------------------------------------------------


def test_modules(device: str) -> None:
    slope = torch.nn.Parameter(torch.tensor(0.1, device=device))
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), ft.Activation("leaky_relu", alpha=slope), ft.Softmax()).to(
        device
    )
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.alpha"]
    x = torch.randn(5, 3, device=device)
    model(x)[:, 0].sum().backward()
    assert slope.grad.shape == ()
    assert slope.grad != 0
    parameters = {name: each.detach() for name, each in model.named_parameters()}
    found = func.grad(lambda parameters: func.functional_call(model, parameters, (x,))[:, 0].sum())(parameters)
    torch.testing.assert_close(found["1.alpha"], slope.grad)
    samples = func.vmap(
        func.grad(lambda parameters, x: func.functional_call(model, parameters, (x,))[0]), in_dims=(None, 0)
    )(parameters, x)
    torch.testing.assert_close(samples["1.alpha"].sum(), slope.grad)
    assert repr(ft.Activation("elu", alpha=0.5)) == "Activation(elu, alpha=0.5)"
    assert repr(ft.Softmax(1)) == "Softmax(dim=1, temperature=1.0)"
    copied = pickle.loads(pickle.dumps(ft.Activation("elu", alpha=0.5)))
    x = torch.randn(4, device=device)
    assert torch.equal(copied(x), ft.elu(x, alpha=0.5))
    assert torch.equal(ft.Activation("gelu", approximate="tanh")(x), ft.gelu(x, approximate="tanh"))


@pytest.mark.parametrize("name", [*fa.names("activation"), *fa.names("softmax")])
def test_modules_of_every_function(name: str) -> None:
    x = away_from_kinks("cpu", 3, 4)
    assert torch.equal(pickle.loads(pickle.dumps(ft.Activation(name)))(x), ft.apply(name, x))
    if fa.get(name).kind == "softmax":
        assert torch.equal(ft.Activation(name, dim=0, temperature=2.0)(x), ft.apply(name, x, axis=0, temperature=2.0))
        assert torch.equal(ft.Activation(name, axis=0)(x), ft.apply(name, x, 0))


def test_functions_by_name() -> None:
    for name in NAMES:
        assert getattr(ft, name).__doc__ == fa.get(name).__doc__
        for alias in fa.get(name).aliases:
            assert getattr(ft, alias).args == (fa.get(name),)


def test_functions_of_users(own_registry: None) -> None:
    @fa.activation
    def without_slope(x):  # type: ignore[no-untyped-def]
        return x * x

    @fa.activation
    def underivable(x):  # type: ignore[no-untyped-def]
        return np.nextafter(x, x)

    x = away_from_kinks("cpu", 3)
    assert torch.equal(ft.without_slope(x.detach()), (x * x).detach())
    ft.without_slope(x).sum().backward()
    assert torch.equal(x.grad, 2 * x.detach())
    with pytest.raises(TypeError, match="underivable was defined without a derivative"):
        ft.underivable(x).sum().backward()


def test_wrong_use() -> None:
    x = torch.ones(3)
    with pytest.raises(AttributeError, match=r"^fastact\.torch has no 'sigmoids'; did you mean 'sigmoid'\?$"):
        _ = ft.sigmoids
    with pytest.raises(AttributeError, match=r"^fastact\.torch has no 'MLP'; known: identity, relu, "):
        _ = ft.MLP
    with pytest.raises(TypeError, match="unexpected keyword argument 'beta'"):
        ft.relu(x, beta=1)
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'b'"):
        ft.logsumexp(x, b=x)
    with pytest.raises(TypeError, match=r"softmax\(\) got dim= and axis=, two names of one argument"):
        ft.softmax(x, dim=0, axis=0)
    with pytest.raises(TypeError, match=r"mse\(\) takes no out= here"):
        ft.mse(x, x, out=x)
    with pytest.raises(TypeError, match="gelu has no parameter 'alpha'; its parameters: approximate"):
        ft.Activation("gelu", alpha=1)
    with pytest.raises(TypeError, match=r"glu is a gated unit, and Activation .*; call fastact\.torch\.glu"):
        ft.Activation("glu")
    with pytest.raises(fa.UnknownNameError, match="sigmoidd"):
        ft.Activation("sigmoidd")
    with pytest.raises(TypeError, match="not supported for the input types"):
        ft.relu(x.to(torch.complex64))


def test_without_pytorch() -> None:
    code = "import sys; sys.modules['torch'] = None; import fastact.torch"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert 'pip install "fastact[torch]"' in done.stderr
