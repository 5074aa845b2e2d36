#!/bin/sh
# Start the tracking server of docker-compose.yml: over PostgreSQL, with an account for everyone who writes.
# The passwords stay in the environment, which only this user can read. They are never part of an address, which would need escapes, nor
# of an argument, which the process list shows to everyone.
set -eu
here=$(dirname "$0")
export PGPASSWORD="${POSTGRES_PASSWORD:?set it in .env}"
export MLFLOW_AUTH_ADMIN_PASSWORD="${MLFLOW_AUTH_ADMIN_PASSWORD:?set it in .env}"
export MLFLOW_AUTH_CONFIG_PATH="${MLFLOW_AUTH_CONFIG_PATH:-$here/basic_auth.ini}"
export MLFLOW_BACKEND_STORE_URI="${MLFLOW_BACKEND_STORE_URI:-postgresql+psycopg2://realframe@postgres/mlflow}"
export MLFLOW_ARTIFACTS_DESTINATION="${MLFLOW_ARTIFACTS_DESTINATION:-/mlartifacts}"
export MLFLOW_HOST="${MLFLOW_HOST:-0.0.0.0}"
exec mlflow server --app-name basic-auth --allowed-hosts "${MLFLOW_ALLOWED_HOSTS:-localhost:*,127.0.0.1:*,mlflow:*}"
