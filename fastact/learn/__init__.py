"""For learners: data, networks for tables, experiments, diagnosis and recommendation; pages and pictures above them."""

from fastact._core.services import SERVICES

#: Who draws results that do not draw themselves; `Result.figure` asks.
SERVICES |= {
    "figure of Comparison": "fastact.learn.pictures.comparison:draw_comparison",
    "figure of Diagnosis": "fastact.learn.pictures.diagnosis:draw",
    "figure of Training": "fastact.learn.pictures.training:draw",
    "figure of Xor": "fastact.learn.pictures.comparison:draw_xor",
}
