"""The backends, one file each; _dispatch.py holds their table and loads each when it is first wanted.

A backend module has a `why_not()`, which returns None where it works and else the reason, and the families it offers:
`elementwise(operation, operands, keywords)` and `softmax(kind, arrays, axes, out)`. It compiles or runs any formula it is
given; no backend knows the catalogue or another backend's family.
"""
