# One image for every app of Weir. The first argument (or WEIR_APP) says which: docker run weir gateway
# The target build-service is the same image with buildah and skopeo.

ARG NODE_IMAGE=node:22.22.0-bookworm-slim

# The lists of packages alone: as long as they stay the same, npm does not run again.
FROM ${NODE_IMAGE} AS packages
COPY . /source
WORKDIR /source
RUN mkdir /packages && cp --parents package.json package-lock.json .npmrc apps/*/package.json libs/*/package.json /packages

# The compiler, and what is compiled with it. No script of any package runs: none is needed.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY --from=packages /packages ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node_modules/.bin/tsc --build \
      apps/gateway apps/ingest apps/build-service apps/stats \
      apps/redis-worker apps/influx-worker apps/mongo-worker apps/cli \
 && mkdir /built \
 && find apps libs -path '*/node_modules' -prune -o -path '*/dist/*' \( -name '*.js' -o -name '*.js.map' \) \
      -exec cp --parents '{}' /built ';' \
 && cp -r --parents apps/stats/public /built

# What the apps need to run, and nothing of the quick start and the tests.
FROM ${NODE_IMAGE} AS production
WORKDIR /app
COPY --from=packages /packages ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --include-workspace-root=false \
      -w apps/gateway -w apps/ingest -w apps/build-service -w apps/stats \
      -w apps/redis-worker -w apps/influx-worker -w apps/mongo-worker -w apps/cli \
 && rm -rf apps/quickstart libs/testing node_modules/@weir/quickstart node_modules/@weir/testing
COPY --from=build /built ./
# Whoever cloned the repository with a strict umask: the apps do not run as root.
RUN chmod -R a+rX .

FROM ${NODE_IMAGE} AS app
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Weir" \
      org.opencontainers.image.description="Usage metrics for container registries and the services around them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=production /app ./
COPY LICENSE ./
COPY --chmod=0755 deploy/weir-app.sh /usr/local/bin/weir-app
COPY --chmod=0644 deploy/healthcheck.mjs ./
# A new named volume takes its owner from here: the user that the apps run as.
RUN install -d -o node -g node /var/lib/weir
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    ADMIN_HOST=0.0.0.0 \
    ADMIN_PORT=9090 \
    SPOOL_DIR=/var/lib/weir/spool \
    WORK_DIR=/var/lib/weir/work
USER node
EXPOSE 8080 8081 8082 8083 9090
# Alive, not ready: an app whose broker is away does its work from the spool and must not be ended for it.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/app/healthcheck.mjs", "/healthz"]
ENTRYPOINT ["weir-app"]

FROM app AS build-service
USER root
# buildah runs as an ordinary user in a user namespace of its own. The two programs that map its users get one capability
# each in place of Debian's setuid bit, which would ask for more capabilities than the container has.
RUN apt-get update \
 && apt-get install -y --no-install-recommends buildah skopeo uidmap ca-certificates libcap2-bin \
 && chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap \
 && setcap cap_setuid+ep /usr/bin/newuidmap && setcap cap_setgid+ep /usr/bin/newgidmap \
 && apt-get purge -y --auto-remove libcap2-bin \
 && rm -rf /var/lib/apt/lists/* \
 && echo 'node:100000:65536' > /etc/subuid && echo 'node:100000:65536' > /etc/subgid
USER node
CMD ["build-service"]

FROM app AS weir
