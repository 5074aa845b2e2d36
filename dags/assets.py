"""What the DAGs hand to each other."""

from airflow.sdk import Asset

DATASET = Asset(name="dataset", uri="bonafide://dataset")
CANDIDATE = Asset(name="candidate", uri="bonafide://candidate")
DRIFT = Asset(name="drift", uri="bonafide://drift")
