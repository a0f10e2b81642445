"""The fused training step: forward, loss, backward and update of a multi-layer perceptron in one kernel."""
