"""What a comparison is made of; comparison.py beside this folder puts it together.

- training.py: one training, with the usual settings of each problem; processes.py: many side by side
- records.py: what came out; statistics.py: which differences exceed the noise of seeds
- compared.py: the data; findings.py: it in words and tables
"""
