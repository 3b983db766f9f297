"""For learners: data, networks for tables, experiments, diagnosis and recommendation; pages and pictures above them."""

from fastact._core.services import SERVICES

#: Who draws each kind of result; `Result.figure` asks.
SERVICES |= {
    "figure of Comparison": "fastact.learn.pictures.comparison:draw_comparison",
    "figure of Diagnosis": "fastact.learn.pictures.diagnosis:draw",
    "figure of DyingRelu": "fastact.learn.pictures.deep:draw_dying_relu",
    "figure of Exploding": "fastact.learn.pictures.deep:draw_exploding",
    "figure of FirstLoss": "fastact.learn.pictures.checks:draw_first_loss",
    "figure of Initialisation": "fastact.learn.pictures.initialisation:draw",
    "figure of LearningRates": "fastact.learn.pictures.checks:draw_learning_rates",
    "figure of Linear": "fastact.learn.pictures.linear:draw",
    "figure of OneBatch": "fastact.learn.pictures.checks:draw_one_batch",
    "figure of SoftmaxHidden": "fastact.learn.pictures.deep:draw_softmax_hidden",
    "figure of Training": "fastact.learn.pictures.training:draw",
    "figure of Vanishing": "fastact.learn.pictures.deep:draw_vanishing",
    "figure of Xor": "fastact.learn.pictures.comparison:draw_xor",
}
