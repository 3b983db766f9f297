"""What networks learn in experiments and commands: named data sets, and tables from a user's files.

- problem.py: `Problem`, what every experiment takes, and `Split`
- named.py: the data sets that need no file, from xor to digits
- table.py: a user's table as a problem; reading.py reads its file, frames.py says what a column may hold, columns.py
  makes inputs of columns, target.py labels or numbers of the column to predict
"""
