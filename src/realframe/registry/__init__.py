"""Log runs to MLflow, and register model versions with their evidence in its model registry."""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow reads it when it is imported
