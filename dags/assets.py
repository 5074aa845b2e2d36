"""The assets that connect the DAGs: a new dataset version, a new candidate, a detected drift, a requested training."""

from airflow.sdk import Asset

DATASET = Asset(name="dataset", uri="realframe://dataset")
CANDIDATE = Asset(name="candidate", uri="realframe://candidate")
DRIFT = Asset(name="drift", uri="realframe://drift")
RETRAINING = Asset(name="retraining", uri="realframe://retraining")
