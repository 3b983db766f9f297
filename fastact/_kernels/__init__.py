"""What computes: formulas (scalar/), how they become machine code (compile/), and the code in Cython (native/)."""
