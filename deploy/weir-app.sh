#!/bin/sh
# Runs one app of Weir in place of this shell, so that signals reach it: weir-app gateway [--check]
app="${1:-${WEIR_APP:-}}"
[ $# -gt 0 ] && shift
main="/app/apps/$app/dist/main.js"
if [ -z "$app" ] || [ ! -f "$main" ]; then
  echo "weir-app: '$app' is not an app: name one of $(ls /app/apps | tr '\n' ' ')as the first argument or in WEIR_APP" >&2
  exit 64
fi
exec node --enable-source-maps "$main" "$@"
