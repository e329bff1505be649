# docker build -t aisix .
# docker run --stop-timeout 120 -p 3000:3000 -p 9090:9090 \
#   -v ./resources.yaml:/etc/aisix/resources.yaml:ro -e OPENAI_API_KEY -e FIRST_KEY aisix

FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends protobuf-compiler libprotobuf-dev
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p aisix-bin --bin aisix

FROM debian:12-slim
# Roots of certificates are built in; nothing has to be installed.
COPY --from=build /src/target/release/aisix /usr/local/bin/aisix
COPY packaging/config.yaml /etc/aisix/config.yaml
ENV AISIX_CONFIG=/etc/aisix/config.yaml
USER 65532:65532
EXPOSE 3000 9090
# Connects only, so that it holds with TLS too. /livez and /readyz say more.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["bash", "-c", ": < /dev/tcp/127.0.0.1/3000"]
ENTRYPOINT ["/usr/local/bin/aisix"]
