"""What networks learn in experiments and commands: named data sets, and tables from a user's files.

- problem.py: `Problem`, what every experiment takes, and `Split`
- named.py: the data sets that need no file, from xor to digits
"""
