"""Pictures with matplotlib: new Figures, without a change of matplotlib's global state.

- style.py: colours and lines that colour-blind readers can tell apart, fonts with Japanese glyphs, and `save`
- curves.py: activations and their slopes
- checks.py, comparison.py, deep.py, diagnosis.py, initialisation.py, linear.py, training.py: results, each drawn by the
  function that learn/__init__.py names

To draw another kind of result, add a function here and its line there.
"""
