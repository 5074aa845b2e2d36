"""What people read of an evaluation: the report, its pictures, the model card and the card of the data."""
