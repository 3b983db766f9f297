"""The descriptions of parameters and attributes that classifier and regressor share, filled into their docstrings."""

from __future__ import annotations

from typing import Any

__all__ = ["documented"]

PARAMETERS = """hidden_layer_sizes : array-like of shape (n_layers - 2,), default=(100,)
    Units of the hidden layers.
activation : str, fastact activation, or list of them, default="relu"
    Of all hidden layers, or one for each: a name that `fastact.names("activation")` or `fastact.names("softmax")`
    lists, or an object, such as one's own `fastact.activation`.
solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop"}, default="adam"
alpha : float, default=1e-4
    Strength of the L2 penalty on the weights. It is divided by the number of samples in the batch, or by the sum of
    their weights.
batch_size : int, default="auto"
    "auto" is min(200, n_samples). "lbfgs" takes all samples at once.
learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
    For "sgd". "invscaling" divides `learning_rate_init` by (t_ + 1)**power_t after each epoch; "adaptive" divides the
    learning rate by 5 instead of ending training, down to 1e-6.
learning_rate_init : float, default=0.001
power_t : float, default=0.5
max_iter : int, default=200
    The most epochs, or iterations of "lbfgs".
shuffle : bool, default=True
    Shuffle the samples before each epoch.
random_state : int, RandomState instance or None, default=None
    Decides the first weights, what early stopping holds out, and the order of the samples. With the same number
    scikit-learn's own estimators train the same network, up to rounding.
tol : float, default=1e-4
    Training ends where loss, or score in early stopping, improved by less than this for more than `n_iter_no_change`
    epochs in a row.
verbose : bool, default=False
    Print the loss after each epoch.
warm_start : bool, default=False
    Let `fit` go on with the weights of the last `fit`.
momentum : float, default=0.9
    Of "sgd".
nesterovs_momentum : bool, default=True
    Of "sgd".
early_stopping : bool, default=False
    Hold out `validation_fraction` of the samples, unless `fit` gets X_val and y_val, and end training where their score
    no longer improves. The weights with the best score are kept.
validation_fraction : float, default=0.1
beta_1 : float, default=0.9
    Of "adam" and "adamw".
beta_2 : float, default=0.999
    Of "adam", "adamw" and "rmsprop".
epsilon : float, default=1e-8
    Of the same three.
n_iter_no_change : int, default=10
max_fun : int, default=15000
    The most calls of the loss by "lbfgs".
{own}dropout : float or list of float, default=0.0
    The share of each hidden layer's units to drop in training, or one for each hidden layer.
batch_norm : bool, default=False
    Normalise the preactivations of hidden layers over the batch.
residual : bool, default=False
    Add its input to the output of each hidden layer that has as many units as inputs.
trainable : bool, default=False
    Train the parameters of activations too, such as the slope of "leaky_relu", one for each unit.
weight_decay : float, default=None
    Decoupled weight decay; None is 0.01 for "adamw", else 0.
clip_norm : float, default=None
    The largest norm of the gradient.
init : {"scikit-learn", "auto", "he", "glorot", "lecun", "orthogonal"}, default="scikit-learn"
    How the first weights are drawn: as scikit-learn does, or as `fastact.MLP` does, where "auto" suits the activation.
device : {"cpu", "cuda"}, default="cpu"
    Where the network is kept and computed. "cuda" needs CuPy."""

ATTRIBUTES = """coefs_, intercepts_ : list of ndarray
    Weights of shape (inputs, units) and biases of each layer; what is assigned here is what predicts.
loss_ : float
    The loss of the last epoch, with the penalty.
best_loss_ : float or None
    The least loss; None with early stopping.
loss_curve_ : list of float
    The loss of each epoch.
validation_scores_ : list of float or None
    The score of the validation data after each epoch.
best_validation_score_ : float or None
validation_loss_curve_ : list of float or None
    Their loss, without the penalty.
converged_ : bool
    Whether training ended because nothing improved.
n_iter_ : int
    The epochs of the last `fit`.
t_ : int
    The samples that were trained with, over all epochs.
n_features_in_ : int
feature_names_in_ : ndarray of shape (n_features_in_,)
    Only of samples whose features all have a name that is text.
n_layers_ : int
n_outputs_ : int
out_activation_ : str"""


def documented(own: str = "") -> Any:
    """Fill a class's docstring: {parameters}, of which `own` describes its own, and {attributes}."""

    def decorate(cls: type) -> type:
        indented = {
            "parameters": PARAMETERS.replace("{own}", own).replace("\n", "\n    "),
            "attributes": ATTRIBUTES.replace("\n", "\n    "),
        }
        cls.__doc__ = (cls.__doc__ or "").format(**indented)
        return cls

    return decorate
