"""Measuring anybody's implementation: how exact it is (verification/, gradients/) and how fast (bench/)."""

from fastact._core.services import SERVICES

SERVICES |= {
    "figure of Derivation": "fastact.measure.gradients.pictures:derivation",
    "figure of GradientCheck": "fastact.measure.gradients.pictures:gradient_check",
    "figure of Verification": "fastact.measure.verification.picture:draw",
}
