"""Experiments that show a learner what an activation does to a network, and the pictures of their results.

- `training`: trains one network per activation and seed; `results`: what came out, and its summaries
- `digits`, `xor`: the data and the settings of one experiment each
- `function_plot`, `learning_plot`: matplotlib figures

Built on fastact's public names only; nothing here prints or writes a file (fastact/cli/ does). To add an
experiment, write one file beside `xor` that offers its data and settings, and a command in cli/compare.py.
"""
