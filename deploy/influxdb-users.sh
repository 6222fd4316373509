# shellcheck shell=bash disable=SC2154
# Sourced once by the image's entry point, when the volume is empty; it has set INFLUX_CMD, which runs one query as the
# administrator. Makes both databases, the worker's user, and Grafana's, which may read and nothing else.
# The worker has to read what it writes events into: that is how it recognizes what is there already. The samples of its
# queues it only writes. Points are kept for INFLUX_RETENTION_DAYS; 0 or nothing is for ever.
keeping=
if [ "${INFLUX_RETENTION_DAYS:-0}" != 0 ]; then keeping=" WITH DURATION ${INFLUX_RETENTION_DAYS}d"; fi
for statement in \
  "CREATE DATABASE \"$INFLUX_DATABASE\"$keeping" \
  "CREATE DATABASE \"$INFLUX_FLOW_DATABASE\"$keeping" \
  "CREATE USER weir WITH PASSWORD '$INFLUXDB_WEIR_PASSWORD'" \
  "CREATE USER grafana WITH PASSWORD '$INFLUXDB_GRAFANA_PASSWORD'" \
  "GRANT ALL ON \"$INFLUX_DATABASE\" TO weir" \
  "GRANT WRITE ON \"$INFLUX_FLOW_DATABASE\" TO weir" \
  "GRANT READ ON \"$INFLUX_DATABASE\" TO grafana" \
  "GRANT READ ON \"$INFLUX_FLOW_DATABASE\" TO grafana"; do
  $INFLUX_CMD "$statement"
done
