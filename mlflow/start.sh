#!/bin/sh
# Start the tracking server of docker-compose.yml: over PostgreSQL, with an account for everyone who writes.
set -eu
here=$(dirname "$0")
config=$(mktemp)
sed "s|@POSTGRES_PASSWORD@|${POSTGRES_PASSWORD}|; s|@ADMIN_PASSWORD@|${MLFLOW_AUTH_ADMIN_PASSWORD}|" "$here/basic_auth.ini.example" > "$config"
export MLFLOW_AUTH_CONFIG_PATH="$config"
exec mlflow server --app-name basic-auth --host 0.0.0.0 --port 5000 \
  --backend-store-uri "postgresql+psycopg2://realframe:${POSTGRES_PASSWORD}@postgres/mlflow" \
  --artifacts-destination /mlartifacts --allowed-hosts "${MLFLOW_ALLOWED_HOSTS:-localhost:*,127.0.0.1:*,mlflow:*}"
