"""Measuring anybody's implementation: how exact it is (verification/, gradients/) and how fast (bench/)."""
