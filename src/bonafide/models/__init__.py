"""The networks: backbones, heads, augmentation."""
