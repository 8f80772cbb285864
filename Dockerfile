# The proxy alone, without a shell. Its data are in /data; see docker-compose.yml for a way to run it.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /proxy ./cmd/proxy && mkdir -p /data/keys && chmod 700 /data/keys

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /proxy /proxy
COPY --from=build --chown=nonroot:nonroot /data /data
ENV HALLMARK_DATA=/data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/proxy"]
