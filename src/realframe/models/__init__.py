"""Define the networks: backbones, weights, heads, freezing, activations."""
