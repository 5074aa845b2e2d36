"""Log runs to MLflow, and register model versions with their evidence in its model registry."""
