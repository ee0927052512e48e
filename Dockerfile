# One image for every part of verve: docker-compose.yml gives each its command.
FROM debian:trixie-slim AS build
COPY tools/install-deps /tools/
RUN /tools/install-deps build && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN make -C /src -j"$(nproc)" install DESTDIR=/out

FROM debian:trixie-slim
RUN apt-get -q update && \
    apt-get -qy install --no-install-recommends \
        ca-certificates curl libcares2 libcurl4t64 libfcgi0t64 \
        libhiredis1.1.0 libinih1 libjansson4 libmicrohttpd12t64 librdkafka1 libssl3t64 lighttpd && \
    rm -rf /var/lib/apt/lists/* && \
    groupadd --system --gid 10001 verve && \
    useradd --system --uid 10001 --gid verve --no-create-home \
        --home-dir /nonexistent verve && \
    install -d -o verve -g verve /run/verve /run/verve/stats /var/log/verve
COPY --from=build /out /
# It is installed for root and its group only.
RUN chgrp verve /etc/verve/verve.conf
COPY conf/lighttpd.conf conf/balancer.conf conf/server.conf \
    conf/15-verve.conf /etc/verve/
COPY conf/errors /etc/verve/errors
# It may hold secrets: for the programs alone.
RUN chown root:verve /etc/verve/verve.conf
LABEL org.opencontainers.image.title="verve" \
    org.opencontainers.image.description="Counts unique ids per minute, reports the counts, and calls endpoints back" \
    org.opencontainers.image.version="1.0.0" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.base.name="debian:trixie-slim"
# By number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 10001:10001
# The variables that lighttpd.conf reads.
ENV BIND=0.0.0.0 PORT=8080 VERVE_FCGI=/usr/bin/verve-fcgi \
    VERVE_SOCKET=/run/verve/fcgi.socket VERVE_PROCS=2
EXPOSE 8080
# Of the web server with its pool. /healthz does not ask Redis: a container is not
# to be replaced because Redis is away.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD curl -fsS -o /dev/null "http://127.0.0.1:$PORT/healthz"
CMD ["lighttpd", "-D", "-f", "/etc/verve/lighttpd.conf"]
