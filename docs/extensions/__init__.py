"""Extensions of Sphinx that write what the package itself knows: pages of functions, of the interface, of commands.

A module with a `setup` is an extension, and conf.py lists it; the others are what these share.
"""
