# Two images: `runtime` (the last stage, so what a plain build makes) and `demo`, which holds the simulated workspace too.
# Both install wheels only, each held against the hash in its lock. docs/container.md says how they are run.

FROM python:3.13-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# The environment has no pip of its own: nothing can be installed into the image that runs.
RUN python3 -m venv --without-pip /opt/leanix-backup && python3 -m venv /opt/tools
COPY deploy/locks/runtime.txt deploy/locks/build.txt locks/
RUN /opt/tools/bin/pip install --require-hashes --only-binary :all: --no-compile -r locks/build.txt \
 && /opt/tools/bin/pip --python /opt/leanix-backup/bin/python install \
      --require-hashes --only-binary :all: --no-compile -r locks/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY daemon daemon
RUN /opt/tools/bin/pip wheel --no-build-isolation --no-deps --no-index --wheel-dir wheels . \
 && /opt/tools/bin/pip --python /opt/leanix-backup/bin/python install --no-deps --no-index --no-compile wheels/*.whl
# botocore describes every service of AWS, in 20 MB; S3 and the ways to its credentials are what is used.
RUN site="$(echo /opt/leanix-backup/lib/python3*/site-packages)" \
 && find "$site/botocore/data" -mindepth 1 -maxdepth 1 -type d \
      ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} + \
 && rm -r "$site/boto3/examples" "$site"/boto3/data/*

FROM build AS build-demo
COPY deploy/locks/demo.txt locks/
RUN /opt/tools/bin/pip --python /opt/leanix-backup/bin/python install \
      --require-hashes --only-binary :all: --no-compile -r locks/demo.txt \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/leanix-backup/lib

FROM build AS build-runtime
# Compiled here, as the root file system is read-only where it runs; unchecked, as times change on the way there.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/leanix-backup/lib

FROM python:3.13-slim-trixie AS base
LABEL org.opencontainers.image.title="leanix-backup" \
      org.opencontainers.image.description="A backup daemon for SAP LeanIX workspaces" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-trixie"
# Group 0 owns what is written, so that any other uid with that group (OpenShift) can take this one's place.
RUN useradd --uid 10001 --gid 0 --no-create-home --home-dir /var/lib/leanix-backup --shell /usr/sbin/nologin leanix-backup \
 && install -d -m 0755 /etc/leanix-backup \
 && install -d -o 10001 -g 0 -m 0770 /var/lib/leanix-backup /backups
# TMPDIR is a folder that is there whatever is mounted, and the one that must be writable anyway: /tmp need not be.
ENV PATH=/opt/leanix-backup/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    TMPDIR=/var/lib/leanix-backup
# Not the state's folder: nothing at all starts in a folder that its user may not enter, and nobody could say why.
WORKDIR /
USER 10001:0
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=2 CMD ["leanix-backup", "health"]
ENTRYPOINT ["leanix-backup"]

FROM base AS demo
# The demo's backups go to a folder under this one.
WORKDIR /var/lib/leanix-backup
COPY --from=build-demo /opt/leanix-backup /opt/leanix-backup
CMD ["demo"]

FROM base AS runtime
COPY --from=build-runtime /opt/leanix-backup /opt/leanix-backup
CMD ["serve"]
