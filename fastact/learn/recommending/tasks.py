"""Which functions suit which task. To add a task, add it to `TASKS` under its English name.

Texts are translated where they are shown.
"""

from __future__ import annotations

from fastact.language import marked
from fastact.learn.recommending.choice import Choice, TaskAdvice

__all__ = ["GUIDE", "OUTPUTS", "TASKS"]

_HIDDEN = marked("hidden layers")
_OUTPUT = marked("output layer")

HIDDEN = Choice(
    "hidden",
    _HIDDEN,
    ("relu", "leaky_relu", "elu", "swish"),
    marked(
        "relu is very cheap, passes the gradient of positive inputs on unchanged, and is what most networks use. Take "
        "another one only when it gives trouble."
    ),
)
BINARY = Choice(
    "output",
    marked("output layer, binary classification"),
    ("sigmoid",),
    marked("Its value is between 0 and 1, and reads as the probability that the answer is yes."),
    "binary_cross_entropy",
)
CLASSES = Choice(
    "output",
    marked("output layer, multi-class classification"),
    ("softmax",),
    marked("Its values sum to 1, and read as the probabilities of classes of which exactly one is right."),
    "cross_entropy",
)
NUMBER = Choice(
    "output",
    marked("output layer, regression"),
    ("identity",),
    marked("The result may be any number, so nothing must bound it: the output layer has no activation."),
    "mse",
)

_SEVERAL_SEEDS = marked(
    "Compare over several seeds: a difference that is smaller than the spread of the seeds is no difference."
)
_FROM_LOGITS = marked(
    "Let the loss be computed from the logits, as fa.MLP does: it holds the activation itself, and stays exact where "
    "that saturates. Do not apply the activation twice."
)
_EXPONENTIAL = marked(
    "elu and swish cost an exponential for each element; in return a unit with a negative input can still learn."
)
_ON_YOUR_DATA = "fastact choose --data FILE --target COLUMN"


def _hidden(why: str, *functions: str, where: str = _HIDDEN) -> Choice:
    return Choice("hidden", where, functions, why)


def _output(like: Choice, where: str, why: str, *functions: str) -> Choice:
    """An output layer with the loss of another one."""
    return Choice("output", where, functions, why, like.loss)


#: What to take as long as nothing is known of the task.
GUIDE = TaskAdvice(
    name="",
    choices=(HIDDEN, BINARY, CLASSES, NUMBER),
    next=(_SEVERAL_SEEDS,),
    trade_off=_EXPONENTIAL,
    see=("fastact list", "fastact show relu", "fastact compare xor", _ON_YOUR_DATA),
)
#: The same for output layers alone.
OUTPUTS = TaskAdvice(
    name="",
    choices=(BINARY, CLASSES, NUMBER),
    next=(_FROM_LOGITS,),
    trade_off=marked("Here the target decides, not the speed of learning: range and loss must fit what is predicted."),
    see=("fastact show sigmoid", "fastact show softmax", "fastact show identity", "fastact demo softmax-hidden"),
)

TASKS = {
    "binary classification": TaskAdvice(
        name=marked("binary classification"),
        words="binary, two classes, yes or no, logistic regression, 二値分類, 2値分類",
        choices=(HIDDEN, BINARY),
        next=(_FROM_LOGITS, _SEVERAL_SEEDS),
        trade_off=marked(
            "sigmoid saturates at both ends. That does no harm in the output layer with this loss, but in hidden "
            "layers the gradient vanishes."
        ),
        see=("fastact show sigmoid", "fastact compare xor", "fastact compare moons"),
    ),
    "multi-class classification": TaskAdvice(
        name=marked("multi-class classification"),
        words="multi-class, multiclass, classification, several classes, 多クラス分類, 多値分類, 分類",
        choices=(HIDDEN, CLASSES),
        next=(_FROM_LOGITS, _SEVERAL_SEEDS),
        trade_off=marked("softmax always decides for some class: it cannot say that none fits."),
        see=("fastact show softmax", "fastact compare digits", "fastact demo softmax-hidden"),
    ),
    "multi-label classification": TaskAdvice(
        name=marked("multi-label classification"),
        words="multi-label, multilabel, tags, several labels, マルチラベル分類, 多ラベル分類",
        choices=(
            HIDDEN,
            _output(
                BINARY,
                marked("output layer, one unit for each label"),
                marked(
                    "Labels do not exclude each other, so each has a probability of its own. softmax would make them "
                    "compete."
                ),
                "sigmoid",
            ),
        ),
        next=(_FROM_LOGITS, marked("Choose the threshold of each label on held-out samples; 0.5 is seldom the best.")),
        trade_off=marked("Each label is judged by itself: the output does not know which labels occur together."),
        see=("fastact show sigmoid", "fastact show binary_cross_entropy"),
    ),
    "regression": TaskAdvice(
        name=marked("regression"),
        words="real number, continuous, 回帰",
        choices=(HIDDEN, NUMBER),
        next=(
            marked("Standardise the target to mean 0 and standard deviation 1."),
            marked("With outliers in the target take the loss huber or mae."),
            marked("If the target has bounds, ask for that: regression 0 to 1, regression -1 to 1, positive, counts."),
        ),
        trade_off=marked("Without an activation nothing keeps a prediction within sensible bounds."),
        see=("fastact show identity", "fastact show huber", "fastact compare regression"),
    ),
    "regression 0 to 1": TaskAdvice(
        name=marked("regression from 0 to 1"),
        words="regression 0..1, proportion, share, fraction, 割合, 比率",
        choices=(
            HIDDEN,
            _output(
                NUMBER,
                marked("output layer, from 0 to 1"),
                marked("Its range (0, 1) is that of the target."),
                "sigmoid",
            ),
        ),
        next=(marked("For shares, binary_cross_entropy is a loss too: it does not flatten where sigmoid saturates."),),
        trade_off=marked("The ends of the range are reached only in the limit, with a small gradient."),
        see=("fastact show sigmoid", "fastact plot sigmoid -o sigmoid.png"),
    ),
    "regression -1 to 1": TaskAdvice(
        name=marked("regression from -1 to 1"),
        words="regression -1..1",
        choices=(
            HIDDEN,
            _output(
                NUMBER, marked("output layer, from -1 to 1"), marked("Its range (-1, 1) is that of the target."), "tanh"
            ),
        ),
        next=(marked("If values lie at the ends, scale the target to -0.9 to 0.9."),),
        trade_off=marked("The ends of the range are reached only in the limit, with a small gradient."),
        see=("fastact show tanh", "fastact plot tanh -o tanh.png"),
    ),
    "positive regression": TaskAdvice(
        name=marked("regression, positive"),
        words="positive, regression positive, variance, rate, price, duration, 正の値",
        choices=(
            HIDDEN,
            _output(
                NUMBER,
                marked("output layer, positive"),
                marked(
                    "Both are always positive. softplus grows as its input; exponential suits values over several "
                    "orders of magnitude."
                ),
                "softplus",
                "exponential",
            ),
        ),
        next=(marked("Or learn the logarithm of the target with identity, and take exp of the prediction."),),
        trade_off=marked("The gradient of exponential grows with its value: one large prediction can upset training."),
        see=("fastact show softplus", "fastact show exponential"),
    ),
    "counts": TaskAdvice(
        name=marked("counts"),
        words="count, poisson, poisson regression, number of events, 個数, 回数, 件数",
        choices=(
            HIDDEN,
            Choice(
                "output",
                marked("output layer, counts"),
                ("exponential",),
                marked(
                    "Counts have a positive rate. The loss takes the logarithm of the rate, and holds the "
                    'exponential: in fa.MLP that is output="identity", loss="poisson".'
                ),
                "poisson_loss",
            ),
        ),
        next=(marked("If counts vary much more than their mean, compare with mse of the logarithm of 1 + count."),),
        trade_off=marked("exponential turns sums into products: effects multiply each other."),
        see=("fastact show exponential", "fastact show poisson_loss"),
    ),
    "tabular": TaskAdvice(
        name=marked("a table of data"),
        words="table, tabular data, csv, structured, mlp, dense, 表形式, 表データ, テーブルデータ",
        choices=(HIDDEN, BINARY, CLASSES, NUMBER),
        next=(
            marked("Standardise the columns: activations bend near 0."),
            _SEVERAL_SEEDS,
            marked("Compare with gradient-boosted trees, which are hard to beat on tables."),
        ),
        trade_off=marked(
            "Good activations seldom differ by more than the spread of the seeds here: prefer the cheap one."
        ),
        see=(_ON_YOUR_DATA, "fastact compare breast-cancer", "fastact compare FILE --target COLUMN"),
    ),
    "image": TaskAdvice(
        name=marked("images (CNN)"),
        words="images, cnn, convolution, convolutional, vision, picture, 画像, 画像認識, 画像分類",
        choices=(
            _hidden(
                marked(
                    "Layers of images have many elements, so that cost counts: relu and leaky_relu cost one comparison."
                ),
                "relu",
                "leaky_relu",
                "elu",
                "swish",
            ),
            CLASSES,
        ),
        next=(marked("Put batch normalisation before the activation."), _SEVERAL_SEEDS),
        trade_off=marked(
            "swish, gelu and mish often gain a little accuracy in deep image networks, and cost more: measure both."
        ),
        see=("fastact compare digits", "fastact plot relu leaky_relu -o relu.png"),
    ),
    "sequence": TaskAdvice(
        name=marked("sequences (RNN)"),
        words="rnn, recurrent, lstm, gru, text, speech, 時系列, 系列, 音声, テキスト",
        choices=(
            _hidden(
                marked(
                    "tanh keeps the state of a recurrent network between -1 and 1, however often it is applied, and "
                    "has mean 0."
                ),
                "tanh",
                "relu",
                "gelu",
            ),
            CLASSES,
        ),
        next=(
            marked("Clip the gradients: over many steps they may explode."),
            marked("If they vanish over long sequences, take gated cells (LSTM, GRU) or a transformer."),
        ),
        trade_off=marked(
            "relu does not saturate, but with it the state of a recurrent network can grow without bound."
        ),
        see=("fastact show tanh", "fastact demo vanishing", "fastact demo exploding"),
    ),
    "transformer": TaskAdvice(
        name=marked("transformers"),
        words="transformers, attention, llm, language model, bert, gpt, トランスフォーマー, 言語モデル",
        choices=(
            _hidden(
                marked("gelu is smooth, and the standard of transformers since BERT and GPT."), "gelu", "swish", "relu"
            ),
            CLASSES,
        ),
        next=(
            marked("Try a gated unit in the feed-forward layers: swiglu or geglu, as in most large language models."),
            marked(
                "softmax stands in attention too, over the keys: there it gives weights, and is no hidden activation."
            ),
        ),
        trade_off=marked("relu is cheaper and often nearly as good; a gated unit needs a third matrix of weights."),
        see=("fastact show gelu", "fastact show swiglu", "fastact plot gelu swish relu -o gelu.png"),
    ),
    "gan generator": TaskAdvice(
        name=marked("GAN, generator"),
        words="generator, gan g, 生成器",
        choices=(
            _hidden(
                marked("leaky_relu lets a gradient through everywhere, and the generator learns from nothing else."),
                "leaky_relu",
                "relu",
                where=marked("generator, hidden layers"),
            ),
            Choice(
                "output",
                marked("generator, output layer"),
                ("tanh",),
                marked("Real images are scaled to -1 to 1, which is the range of tanh."),
            ),
        ),
        next=(marked("Add batch normalisation, but not in the output layer."),),
        trade_off=marked("tanh saturates: pixels that are quite black or white get little gradient."),
        see=("fastact show leaky_relu", "fastact show tanh"),
    ),
    "gan discriminator": TaskAdvice(
        name=marked("GAN, discriminator"),
        words="discriminator, critic, gan d, 識別器",
        choices=(
            _hidden(
                marked("The generator learns from the discriminator's gradient, which must not be zero anywhere."),
                "leaky_relu",
                where=marked("discriminator, hidden layers"),
            ),
            _output(
                BINARY,
                marked("discriminator, output layer"),
                marked("Its value is the probability that a sample is real."),
                "sigmoid",
            ),
        ),
        next=(marked("The slope 0.2 is usual here: leaky_relu(x, 0.2)."), _FROM_LOGITS),
        trade_off=marked("A larger slope passes more gradient, and bends less."),
        see=("fastact show leaky_relu", "fastact show sigmoid"),
    ),
    "mobile": TaskAdvice(
        name=marked("mobile or quantised networks"),
        words="quantised, quantized, embedded, edge, mobilenet, int8, モバイル, 量子化, 組み込み",
        choices=(
            _hidden(
                marked(
                    "They need no exponential; what relu6 gives lies between 0 and 6, and so keeps its digits in 8 "
                    "bits."
                ),
                "relu6",
                "hard_silu",
                "relu",
            ),
            CLASSES,
        ),
        next=(marked("For gates take hard_sigmoid in place of sigmoid."), _SEVERAL_SEEDS),
        trade_off=marked(
            "Functions made of straight lines have no gradient beyond their kinks, so that units can die."
        ),
        see=("fastact show relu6", "fastact show hard_silu", "fastact bench relu6 hard_silu silu"),
    ),
    "deep": TaskAdvice(
        name=marked("deep networks"),
        words="deep network, many layers, resnet, 深いネットワーク, 深層",
        choices=(
            _hidden(
                marked(
                    "With He's initialisation, batch normalisation and residual connections, relu trains even very "
                    "deep networks. Smooth functions often gain a little."
                ),
                "relu",
                "swish",
                "gelu",
                "mish",
            ),
        ),
        next=(
            marked('In fa.MLP that is init="he", batch_norm=True, residual=True.'),
            _SEVERAL_SEEDS,
        ),
        trade_off=marked("Newer is not always better: weigh what you gain against what it costs."),
        see=("fastact demo vanishing", "fastact demo initialisation"),
    ),
    "deep without normalisation": TaskAdvice(
        name=marked("deep networks without normalisation layers"),
        words="no normalisation, without batch normalisation, self-normalising, snn, 正規化なし",
        choices=(
            _hidden(
                marked("With LeCun's initialisation its outputs keep mean 0 and variance 1 through dense layers."),
                "selu",
            ),
        ),
        next=(
            marked('In fa.MLP that is activation="selu", init="lecun"; standardise the inputs.'),
            marked("Take alpha dropout in place of dropout, which would change mean and variance."),
        ),
        trade_off=marked(
            "It works only with that initialisation and dense layers; batch normalisation works with any activation."
        ),
        see=("fastact show selu", "fastact demo initialisation"),
    ),
    "periodic": TaskAdvice(
        name=marked("values that repeat"),
        words="seasonal, audio, time series, 周期, 周期性",
        choices=(
            _hidden(
                marked("snake has ripples, and so goes on repeating outside of the range of the training samples."),
                "snake",
                "tanh",
            ),
            NUMBER,
        ),
        next=(marked("Let alpha suit the period, or learn it: fa.MLP(trainable=True)."),),
        trade_off=marked("snake costs a sine for each element, and gains nothing where nothing repeats."),
        see=("fastact show snake", "fastact plot snake tanh -o snake.png"),
    ),
}

TASKS["gan"] = TaskAdvice(
    name=marked("GAN"),
    words="gans, generative adversarial, 敵対的生成ネットワーク",
    choices=TASKS["gan generator"].choices + TASKS["gan discriminator"].choices,
    next=TASKS["gan generator"].next + TASKS["gan discriminator"].next,
    trade_off=TASKS["gan generator"].trade_off,
    see=TASKS["gan generator"].see,
)
