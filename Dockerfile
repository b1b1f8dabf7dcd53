# One static binary on a small Debian, without root.
#
#   docker build -t pinocchio .
#   docker run -p 3333:3333 pinocchio        one node, counters in the volume /data
#
# Behind a proxy or with a module mirror: --build-arg GOPROXY=... --build-arg GOFLAGS=... The classic builder is enough.

ARG GO_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${GO_IMAGE} AS build
ARG GOPROXY
ARG GOFLAGS
ARG GOSUMDB
WORKDIR /src
# Modules are their own layer: it is made anew only when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/pinocchio ./cmd/pinocchio

FROM ${BASE_IMAGE}
RUN groupadd --gid 10001 pinocchio \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin pinocchio \
 && install -d -o pinocchio -g pinocchio -m 0700 /data
# For the certificate of a Postgres that is reached over TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/pinocchio /usr/local/bin/pinocchio
ENV PINOCCHIO_DATA=/data \
    PINOCCHIO_STORE=sqlite:/data/counters.db
USER pinocchio
WORKDIR /data
VOLUME /data
# Clients, the other nodes, and gossip among the nodes.
EXPOSE 3333 3433 7946/tcp 7946/udp
# SIGTERM lets a node hand over its keys and flush before it ends: give it time (docker stop --time 45).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["pinocchio", "health"]
ENTRYPOINT ["pinocchio"]
CMD ["serve"]
