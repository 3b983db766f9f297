"""What happens inside of a network while it learns."""
