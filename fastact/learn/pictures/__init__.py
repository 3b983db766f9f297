"""Pictures with matplotlib: new Figures, without a change of matplotlib's global state.

- style.py: colours and lines that colour-blind readers can tell apart, fonts with Japanese glyphs, and `save`
- curves.py: activations and their slopes
- comparison.py, training.py, diagnosis.py: results whose pictures have several parts, named in learn/__init__.py

Other results draw themselves, with style.py.
"""
