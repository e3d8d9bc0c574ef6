#!/bin/sh
# Run once by the PostgreSQL image, on an empty data folder: MLflow's database, the schema registry's own role and database.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$REGISTRY_PASSWORD" --set owner="$POSTGRES_USER" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role registry login password :'password';
create database registry owner registry;
create database mlflow owner :"owner";
SQL
