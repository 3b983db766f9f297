"""The calls: arguments checked, arrays brought to what kernels take, kernels launched."""
