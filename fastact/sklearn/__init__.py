"""scikit-learn's multi-layer perceptrons on fastact's trainer: swap the import, and it works.

    from fastact.sklearn import MLPClassifier, MLPRegressor     # instead of from sklearn.neural_network import ...

They take scikit-learn's parameters, and more by keyword: any activation, one for each layer, dropout, class weights,
given validation data, more losses and optimisers, a GPU. `ActivationTransformer` is an activation as a pipeline's step.

Arrays and dataframes of dask train where they are, as `fastact.MLP.fit` says, with any solver but lbfgs; batch_size
"auto" is that of `fit` there. What is predicted or transformed of them stays lazy.
"""

from fastact.errors import require

require("sklearn", "sklearn", "fastact.sklearn")

from fastact.sklearn._classifier import MLPClassifier  # noqa: E402
from fastact.sklearn._regressor import MLPRegressor  # noqa: E402
from fastact.sklearn._transformer import ActivationTransformer  # noqa: E402

__all__ = ["ActivationTransformer", "MLPClassifier", "MLPRegressor"]
