"""The backends, one file each; _dispatch.py holds their table and loads each when it is first wanted.

A backend module has a `why_not()`, which returns None where it works and else the reason, and the families it
offers: `elementwise(operation, operands, keywords)`, `softmax(kind, arrays, axes, out)` or both. It compiles or runs
any formula that it is given; no backend knows the catalogue.
"""
