"""The pages, one module per place that a visitor goes to."""
