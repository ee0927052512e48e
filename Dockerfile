# One image for every part of verve: docker-compose.yml gives each its command.
FROM debian:bookworm-slim AS build
COPY tools/install-deps /tools/
RUN /tools/install-deps build && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN make -C /src -j"$(nproc)" install DESTDIR=/out

FROM debian:bookworm-slim
RUN apt-get -q update && \
    apt-get -qy install --no-install-recommends \
        ca-certificates curl libc-ares2 libcurl4 libfcgi0ldbl libhiredis0.14 libinih1 \
        libjansson4 librdkafka1 libssl3 lighttpd && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --no-create-home --home-dir /nonexistent verve && \
    install -d -o verve -g verve /run/verve /var/log/verve
COPY --from=build /out /
COPY conf/lighttpd.conf conf/balancer.conf conf/server.conf \
    conf/15-verve.conf /etc/verve/
COPY conf/errors /etc/verve/errors
USER verve
# The variables that lighttpd.conf reads.
ENV BIND=0.0.0.0 PORT=8080 VERVE_FCGI=/usr/bin/verve-fcgi \
    VERVE_SOCKET=/run/verve/fcgi.socket VERVE_PROCS=2
EXPOSE 8080
CMD ["lighttpd", "-D", "-f", "/etc/verve/lighttpd.conf"]
