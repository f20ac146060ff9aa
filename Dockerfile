# One image for every room: `forecourt up`, `csms`, `portal`, `billing`, `migrate`.
FROM rust:1.95-bookworm AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY portal/assets/package.json portal/assets/package-lock.json portal/assets/
RUN cd portal/assets && npm ci --silent --no-audit --no-fund
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin forecourt && cp target/release/forecourt /forecourt

FROM debian:bookworm-slim
# curl is for health checks.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin forecourt
COPY --from=build /forecourt /usr/local/bin/forecourt
USER forecourt
# Inside a container the doors must be open to the outside of it; what is published is decided there.
ENV OCPP_LISTEN=0.0.0.0:9000 PORTAL_LISTEN=0.0.0.0:8080 HEALTH_LISTEN=0.0.0.0:9100 LOG_FORMAT=json
EXPOSE 9000 8080 9100
ENTRYPOINT ["forecourt"]
CMD ["up"]
