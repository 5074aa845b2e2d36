"""The index over the manifests, and what people add to it."""
