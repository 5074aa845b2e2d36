"""What the DAGs hand to each other."""

from airflow.sdk import Asset

DATASET = Asset(name="dataset", uri="realframe://dataset")
CANDIDATE = Asset(name="candidate", uri="realframe://candidate")
DRIFT = Asset(name="drift", uri="realframe://drift")
