#!/bin/sh
# Prints the users of Redis in the compose stack, as lines of redis.conf. Each may do what its app does, on the keys that
# its app has, and nothing else; docs/security.md says why. `reset` shuts the default user out. The secrets of pseudonyms
# (weir:gateway:secret:*) are the gateway's alone: whoever counts or reads the sources must not be able to name them.
set -eu
for name in REDIS_OPERATOR_PASSWORD REDIS_GATEWAY_PASSWORD REDIS_WORKER_PASSWORD REDIS_STATS_PASSWORD; do
  eval "password=\${$name:-}"
  case $password in
  '' | *[!A-Za-z0-9]*)
    echo "redis-users: $name must be letters and digits; node scripts/compose-env.mjs makes it" >&2
    exit 78
    ;;
  esac
done

usage='pulls/* fusion/* builds/* mirrors/* scans/*'
counting="$usage weir:hold weir:store weir:seen:* weir:organizations:* weir:distinct:* weir:distinct-taken:* weir:distinct-left-out:* weir:cube:* weir:cube-block:* weir:cube-latest:* weir:live weir:statistics weir:statistic-failures weir:filling weir:fill weir:fill:* weir:flow:* weir:outages"
reading="$usage weir:organizations:* weir:distinct:* weir:distinct-left-out:* weir:flow:* weir:outages"
keys() {
  set -f
  for pattern in $2; do printf ' %s%s' "$1" "$pattern"; done
}

# What stats reads of the cubes, and where it makes unions of them.
cubes='weir:statistics weir:cube:* weir:cube-latest:*'
unions='weir:cube-block:* weir:cube-answer:*'

cat <<USERS
user default reset
user operator reset on >$REDIS_OPERATOR_PASSWORD ~* &* +@all
user gateway reset on >$REDIS_GATEWAY_PASSWORD ~weir:digest:* +getrange +set +expire (~weir:gateway:secret:* +get +set)
user redis-worker reset on >$REDIS_WORKER_PASSWORD$(keys '~' "$counting") +info +get +set +evalsha +eval +type +mget +incrby +sadd +zadd +expire +getrange +pfadd +expireat +setbit +zcard +zscore +zincrby +zremrangebyrank +hgetall +hmget +hset +hdel +hincrby +smismember +scard +exists (~weir:cube:* ~weir:cube-block:* ~weir:cube-latest:* ~weir:fill ~weir:fill:* +unlink +rename +zunionstore) (~weir:hold ~weir:filling +del +pexpire)
user stats reset on >$REDIS_STATS_PASSWORD$(keys '%R~' "$reading $cubes")$(keys '~' "$unions") +info +ping +get +mget +zrangebylex +pfcount +hget +hgetall +zcard +zmscore +zscore +zunion +zrange +zunionstore +zincrby +zrem +expire +exists +unlink +multi +exec
USERS
