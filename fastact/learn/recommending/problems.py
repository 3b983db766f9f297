"""What to do about which problem of training. To add a problem, add it to `PROBLEMS` under its English name.

Texts are translated where they are shown.
"""

from __future__ import annotations

from fastact.language import marked
from fastact.learn.recommending.choice import ProblemAdvice

__all__ = ["PROBLEMS"]

#: Both ends are flat.
_SATURATING = (
    "sigmoid", "tanh", "hard_tanh", "hard_sigmoid", "softsign", "erf", "ndtr", "sparse_sigmoid", "softmax",
)  # fmt: skip

_INITIALISATION = marked('Initialise by He for the relu family, by Glorot for tanh: fa.MLP(init="auto") does so.')
_BATCH_NORM = marked("Add batch normalisation: fa.MLP(batch_norm=True).")

PROBLEMS = {
    "dying relu": ProblemAdvice(
        name=marked("dying ReLU"),
        words="dead relu, dead units, dying units, dead neurons, dying, Dying ReLU問題, 死んだユニット",
        diagnosis=marked(
            "A unit is dead when its input is negative for every sample: the slope of relu is 0 there, so its weights "
            "get no gradient and do not change any more."
        ),
        functions=("leaky_relu", "elu", "swish"),
        without=("relu", "relu6", "relu_squared", "hard_silu"),
        why=marked("Their slope is not 0 for negative inputs, so that a unit can come back."),
        next=(
            marked("Lower the learning rate: one large step can push many units below 0 at once."),
            marked("Initialise by He, with a bias of 0."),
            marked("Add batch normalisation, which keeps the inputs of units around 0."),
        ),
        trade_off=marked(
            "Some dead units are rarely bad: leave relu where the network learns well. leaky_relu has a slope to "
            "tune; elu and swish cost an exponential."
        ),
        see=("fastact demo dying-relu", "fastact plot relu leaky_relu elu -o relu.png", "fastact show leaky_relu"),
    ),
    "vanishing gradient": ProblemAdvice(
        name=marked("vanishing gradient"),
        words="vanishing gradients, vanishing, saturation, saturated units, 勾配消失, 勾配消失問題, 飽和",
        diagnosis=marked(
            "On its way back the gradient is multiplied by the slope of the activation in each layer. The slope of "
            "sigmoid is at most 0.25, so that next to nothing reaches the first layers of a deep network."
        ),
        functions=("relu", "leaky_relu", "elu", "swish"),
        without=_SATURATING,
        why=marked("For positive inputs their slope is 1 or close to it, however many layers there are."),
        next=(
            _INITIALISATION,
            _BATCH_NORM,
            marked("Add residual connections, which carry the gradient past the layers: fa.MLP(residual=True)."),
        ),
        trade_off=marked(
            "relu can let units die, and its outputs are not zero-centred; batch normalisation and residual "
            "connections cost computing, and help whatever the activation."
        ),
        see=("fastact demo vanishing", "fastact demo initialisation", "fastact plot sigmoid tanh relu -o slopes.png"),
    ),
    "exploding gradient": ProblemAdvice(
        name=marked("exploding gradient"),
        words="exploding gradients, exploding, nan, loss is nan, diverges, divergence, 勾配爆発, 勾配爆発問題, 発散",
        diagnosis=marked(
            "On its way back the gradient is multiplied by the weights of each layer. Where they are too large it "
            "grows in each, until the loss jumps or is NaN."
        ),
        without=("exponential", "relu_squared", "star_relu"),
        why=marked("The activation is not the cause, and none is the cure: keep the usual choice."),
        next=(
            marked("Clip the gradients: fa.MLP(clip_norm=1.0)."),
            marked("Lower the learning rate, to a tenth at first."),
            _INITIALISATION,
            _BATCH_NORM,
        ),
        trade_off=marked(
            "Clipping keeps the direction of a step and shortens it; a limit that is too low slows learning."
        ),
        see=("fastact demo exploding", "fastact demo initialisation"),
    ),
    "slow training": ProblemAdvice(
        name=marked("slow learning"),
        words="slow, slow learning, slow convergence, 学習が遅い, 収束が遅い",
        diagnosis=marked(
            "The loss falls, but slowly. More often than the activation, the learning rate or the scale of the inputs "
            "is the cause."
        ),
        functions=("relu", "elu", "swish"),
        without=_SATURATING,
        why=marked("They do not saturate for positive inputs; the outputs of elu have a mean near 0 besides."),
        next=(
            marked("Standardise the inputs to mean 0 and standard deviation 1."),
            marked(
                "Raise the learning rate, by a factor of 3 each time, until the loss gets restless; then go back one "
                "step."
            ),
            marked("Take Adam as the optimiser."),
            _BATCH_NORM,
        ),
        trade_off=marked("elu needs fewer epochs at times, but each takes longer: compare by seconds, not by epochs."),
        see=("fastact compare digits", "fastact compare xor", "fastact bench relu elu swish"),
    ),
    "overfitting": ProblemAdvice(
        name=marked("overfitting"),
        words="overfit, generalisation, generalization, 過学習, 過剰適合",
        diagnosis=marked(
            "The loss of the training samples falls and that of held-out samples rises: the network learns the "
            "samples by heart."
        ),
        why=marked("The activation matters little here: keep the usual choice."),
        next=(
            marked("Get more samples, or make more of them by augmentation."),
            marked("Stop early, when the held-out loss is lowest."),
            marked("Add dropout or weight decay: fa.MLP(dropout=0.3), fa.MLP(l2=1e-4)."),
            marked("Take fewer units."),
            marked("With little data, try the random slopes of rrelu, which regularise."),
        ),
        trade_off=marked("All of these slow learning down or weaken the network; too much of them underfits."),
        see=("fastact show rrelu", "fastact choose --data FILE --target COLUMN"),
    ),
    "underfitting": ProblemAdvice(
        name=marked("the network does not learn"),
        words="underfit, not learning, no learning, does not learn, stuck, 学習しない, 学習が進まない, 未学習",
        diagnosis=marked("The loss stays about where guessing would put it."),
        functions=("relu", "leaky_relu"),
        without=("identity", "step", *_SATURATING),
        why=marked(
            "They bend, which identity does not, and pass a gradient on, which step and saturated units do not."
        ),
        next=(
            marked("Let it learn a single batch by heart: if it cannot, look for a mistake in data, labels or loss."),
            marked("Try learning rates of 0.1, 0.01, 0.001 and 0.0001."),
            marked("Standardise the inputs to mean 0 and standard deviation 1."),
            marked("Take more units or another layer."),
        ),
        trade_off=marked("A larger network learns more, takes longer, and overfits sooner."),
        see=("fastact demo linear", "fastact demo vanishing", "fastact compare xor"),
    ),
    "no activation": ProblemAdvice(
        name=marked("no activation"),
        words="linear, linear network, without activation, only straight borders, 活性化関数なし, 線形",
        diagnosis=marked(
            "Without an activation stacked layers stay one linear map: 2x after 3x is 6x. A border between classes is "
            "then straight, and XOR cannot be learnt at any depth."
        ),
        functions=("relu", "tanh"),
        without=("identity",),
        why=marked("Both bend between the layers, so that each layer can add something."),
        next=(
            marked("Give every hidden layer an activation; only the output of a regression has none."),
            marked("Layers may have different activations: fa.MLP takes a list of them."),
        ),
        trade_off=marked("A linear model is the better choice where the relation is linear: try it first."),
        see=("fastact demo linear", "fastact compare xor", "fastact show identity"),
    ),
    "softmax in a hidden layer": ProblemAdvice(
        name=marked("softmax in a hidden layer"),
        words="softmax hidden, hidden softmax, softmax, 隠れ層のsoftmax, 隠れ層のソフトマックス",
        diagnosis=marked(
            "It is possible, and not advised: the outputs of the layer sum to 1 and compete, so that each is about 1 "
            "/ n of n units, and so is the gradient that passes."
        ),
        functions=("relu", "leaky_relu"),
        without=("softmax", "log_softmax", "softmin"),
        why=marked("They act on each unit alone."),
        next=(marked("Keep softmax for the output of a classification, and for the weights of attention."),),
        trade_off=marked("Where outputs of a layer must sum to 1, as in attention, softmax is right."),
        see=("fastact demo softmax-hidden", "fastact show softmax"),
    ),
    "cost": ProblemAdvice(
        name=marked("cost of computing"),
        words="slow inference, inference, latency, expensive, computing time, 計算コスト, 推論速度, 計算時間",
        diagnosis=marked(
            "Smooth functions need an exponential for each element. Beside large matrix products that is little: "
            "measure before you change."
        ),
        functions=("relu", "leaky_relu", "relu6", "hard_silu"),
        without=("elu", "swish", "silu", "gelu", "mish", "tanh", "sigmoid", "selu", "snake"),
        why=marked("They are made of comparisons and products."),
        next=(marked("Compute in float32, and in place: fa.relu(x, out=x)."),),
        trade_off=marked("What you save in a layer you may lose in accuracy: compare both on your data."),
        see=("fastact bench relu leaky_relu hard_silu swish gelu", "fastact show hard_silu"),
    ),
    "not zero-centred": ProblemAdvice(
        name=marked("outputs that are not zero-centred"),
        words="zero-centred, zero-centered, not zero-centered, zigzag, 平均が0でない, ゼロ中心",
        diagnosis=marked(
            "Where all outputs of a layer are positive, a sample's gradients of all weights of a unit in the next "
            "layer have the same sign: the weights rise or fall together, and the steps zigzag."
        ),
        functions=("elu", "tanh", "gelu"),
        without=("sigmoid", "hard_sigmoid", "softplus", "relu"),
        why=marked("Their outputs are of both signs."),
        next=(_BATCH_NORM, marked("Keep relu if the network is not deep: in practice it seldom matters.")),
        trade_off=marked("tanh saturates; elu and gelu cost an exponential."),
        see=("fastact plot sigmoid tanh elu -o zero-centred.png", "fastact compare digits"),
    ),
}
