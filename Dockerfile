# The service on a CPU, or with `--target cuda` on an NVIDIA GPU:
#   docker build -t siglip-hd .
#   docker run -p 8080:8080 -p 50051:50051 -v "$PWD/models:/models:ro" siglip-hd serve --model /models/hd
# Without --model it serves the embedded models, which are baked in, so that --read-only works.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
COPY web web
COPY proto proto
COPY bin bin
COPY weights weights
COPY deploy/docker deploy/docker
RUN npm run build
RUN node deploy/docker/make-embedded-models.js cache
RUN npm prune --omit=dev && node deploy/docker/prune-modules.js node_modules

# ONNX Runtime's own script fetches its CUDA libraries.
FROM build AS build-cuda
RUN npm rebuild onnxruntime-node --ignore-scripts=false && node deploy/docker/prune-modules.js node_modules

FROM nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04 AS cuda
# glibc's own allocator lets memory grow under many threads that decode.
RUN apt-get update && apt-get install -y --no-install-recommends libjemalloc2 && rm -rf /var/lib/apt/lists/* \
  && ln -s /usr/lib/*-linux-gnu/libjemalloc.so.2 /usr/lib/libjemalloc.so.2
ENV LD_PRELOAD=/usr/lib/libjemalloc.so.2 NODE_ENV=production SIGLIPHD_CACHE_DIR=/app/cache SIGLIPHD_DEVICE=cuda
COPY --from=build /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=build-cuda /app/node_modules node_modules
COPY --from=build /app/build/src build/src
COPY --from=build /app/build/web build/web
COPY --from=build /app/cache cache
COPY package.json LICENSE ./
COPY bin bin
COPY proto proto
COPY weights weights
# A folder of model folders, to have them in the image: --build-arg MODELS=my-models
ARG MODELS=deploy/docker/no-models
COPY ${MODELS} /models
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="siglip-hd" \
  org.opencontainers.image.description="Visual tokens of SigLIP 2 and SigLIP-HD encoders over HTTP and gRPC, on NVIDIA GPUs" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
USER 1000:1000
EXPOSE 8080 50051
# It reads the environment: give another port, or TLS, by SIGLIPHD_ variables.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m --retries=6 CMD ["node", "bin/health.cjs"]
ENTRYPOINT ["node", "bin/siglip-hd.cjs"]
CMD ["serve"]

FROM node:24-bookworm-slim AS cpu
RUN apt-get update && apt-get install -y --no-install-recommends libjemalloc2 && rm -rf /var/lib/apt/lists/* \
  && ln -s /usr/lib/*-linux-gnu/libjemalloc.so.2 /usr/lib/libjemalloc.so.2
ENV LD_PRELOAD=/usr/lib/libjemalloc.so.2 NODE_ENV=production SIGLIPHD_CACHE_DIR=/app/cache
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/build/src build/src
COPY --from=build /app/build/web build/web
COPY --from=build /app/cache cache
COPY package.json LICENSE ./
COPY bin bin
COPY proto proto
COPY weights weights
ARG MODELS=deploy/docker/no-models
COPY ${MODELS} /models
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="siglip-hd" \
  org.opencontainers.image.description="Visual tokens of SigLIP 2 and SigLIP-HD encoders over HTTP and gRPC" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
USER 1000:1000
EXPOSE 8080 50051
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m --retries=6 CMD ["node", "bin/health.cjs"]
ENTRYPOINT ["node", "bin/siglip-hd.cjs"]
CMD ["serve"]
