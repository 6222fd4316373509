#!/bin/sh
# Prints the users of Redis in the compose stack, as lines of redis.conf. Each may do what its app does, on the keys of
# seed 000 and on those under weir:, and nothing else; docs/security.md says why. `reset` shuts the default user out.
set -eu
for name in REDIS_OPERATOR_PASSWORD REDIS_WORKER_PASSWORD REDIS_STATS_PASSWORD; do
  eval "password=\${$name:-}"
  case $password in
  '' | *[!A-Za-z0-9]*)
    echo "redis-users: $name must be letters and digits; node scripts/compose-env.mjs makes it" >&2
    exit 78
    ;;
  esac
done

counters='pulls/* fusion/* builds/* mirrors/* scans/* weir:*'
keys() {
  set -f
  for pattern in $counters; do printf ' %s%s' "$1" "$pattern"; done
}

cat <<USERS
user default reset
user operator reset on >$REDIS_OPERATOR_PASSWORD ~* &* +@all
user redis-worker reset on >$REDIS_WORKER_PASSWORD$(keys '~') +info +get +set +evalsha +eval +type +mget +incrby +sadd +zadd +expire +getrange +pfadd +expireat
user stats reset on >$REDIS_STATS_PASSWORD$(keys '%R~') +info +ping +get +mget +zrangebylex +pfcount
USERS
