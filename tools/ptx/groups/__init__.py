"""The groups of cases: importing this registers all of them."""

from groups import elementwise, large, losses, rows, traffic

__all__ = ["elementwise", "large", "losses", "rows", "traffic"]
