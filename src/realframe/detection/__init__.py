"""Score one file or many, and build the result with its confidence and cautions."""
