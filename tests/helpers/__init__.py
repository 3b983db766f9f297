"""What several test modules share, and what benchmarks/accuracy.py takes from them: no tests.

pytest puts the folder above this one on Python's path, and not the repository's root: the tests run on the fastact that
is installed.
"""

from pathlib import Path

#: The repository's root.
ROOT = Path(__file__).parents[2]
