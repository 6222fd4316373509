#!/bin/sh
# Starts the broker of the compose stack: puts the passwords of the environment into the definitions, which RabbitMQ loads
# at every start (deploy/rabbitmq.conf), so that a password changed in .env is changed here too. There is no guest.
#
#   rabbitmq-start.sh <template> <result> <command…>
set -eu
template=$1
result=$2
shift 2

umask 077
mkdir -p "$(dirname "$result")"
# Through a pipe, not on a command line, which everybody may read.
for user in GATEWAY INGEST BUILD_SERVICE REDIS_WORKER INFLUX_WORKER MONGO_WORKER OPERATOR; do
  name="RABBITMQ_${user}_PASSWORD"
  eval "password=\${$name:-}"
  case $password in
  '' | *[!A-Za-z0-9]*)
    echo "rabbitmq-start: $name must be letters and digits; node scripts/compose-env.mjs makes it" >&2
    exit 78
    ;;
  esac
  printf 's/@%s@/%s/\n' "$name" "$password"
done | sed -f /dev/stdin "$template" >"$result"
if grep -q '@RABBITMQ_' "$result"; then
  echo "rabbitmq-start: $result is not complete" >&2
  exit 78
fi
# As root, who the image's entry point starts as before it becomes the user rabbitmq.
if [ "$(id -u)" = 0 ] && id rabbitmq >/dev/null 2>&1; then
  chown -R rabbitmq "$(dirname "$result")"
fi
exec "$@"
