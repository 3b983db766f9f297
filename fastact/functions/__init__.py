"""What users call: activations, the softmax family, losses, gated units; and how users add activations (own.py)."""
