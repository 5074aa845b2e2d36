"""The paths of a run's artifacts, relative to the folder in which the stages run. ``dvc.yaml`` names the same paths."""

from pathlib import Path

PARAMS = Path("params.yaml")
RECIPES = Path("recipes")
RESOLVED_PARAMS = Path("build/params.yaml")
CODE_DIGESTS = Path("build/code")

# media and tables of the dataset
RAW_MEDIA = Path("data/raw")
REGRESSION_MEDIA = Path("data/regression")
TAKEDOWNS = Path("data/takedowns.json")
MEDIA = Path("data/media.parquet")
QUARANTINE = Path("data/quarantine")
HARMONIZED = Path("data/harmonized.parquet")
HARMONIZED_MEDIA = Path("data/harmonized")
FRAMES = Path("data/frames")
CLEAN_FRAMES = Path("data/clean")
QUALITY = Path("data/quality.parquet")
SHORTCUTS = Path("data/shortcuts.json")
BALANCED = Path("data/balanced.parquet")
PREVIOUS_SPLIT = Path("data/previous_split.json")
SPLITS = Path("data/splits.parquet")
FEATURES = Path("data/features")

# the trained detector
MODEL = Path("models/model.keras")
TRAINING = Path("models/training.json")
HISTORY = Path("models/history.csv")

# the evaluation
REPORTS = Path("reports")
PREDICTIONS = Path("reports/predictions.parquet")
HELD_OUT = Path("reports/held_out.parquet")
CROSS_SOURCE = Path("reports/cross_source.parquet")
ROBUSTNESS = Path("reports/robustness.parquet")
REGRESSION_SCORES = Path("reports/regression.parquet")
TRAINING_REFERENCE = Path("reports/training_reference.parquet")
METRICS = Path("reports/metrics.json")
FIGURES = Path("reports/figures")
REPORT = Path("reports/report.html")
MODEL_CARD = Path("reports/card.md")
CROISSANT = Path("reports/croissant.json")
