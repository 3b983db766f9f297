"""Pictures with matplotlib: new Figures, without a change of matplotlib's global state.

- style.py: colours and lines that colour-blind readers can tell apart, fonts with Japanese glyphs, and `save`
- curves.py: activations and their slopes

The picture of an experiment is the `figure` of its result, in the experiment's own file or in a picture.py beside it.
"""
