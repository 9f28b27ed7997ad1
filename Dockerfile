# The service on a CPU: docker run -p 8080:8080 -p 50051:50051 -v "$PWD/models:/models" IMAGE serve --model /models/hd
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
# glibc's own allocator lets memory grow under many threads that decode.
RUN apt-get update && apt-get install -y --no-install-recommends libjemalloc2 && rm -rf /var/lib/apt/lists/* \
  && ln -s /usr/lib/*-linux-gnu/libjemalloc.so.2 /usr/lib/libjemalloc.so.2
ENV LD_PRELOAD=/usr/lib/libjemalloc.so.2
ENV NODE_ENV=production SIGLIPHD_CACHE_DIR=/tmp/siglip-hd
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/build/src build/src
COPY package.json LICENSE ./
COPY bin bin
COPY proto proto
USER node
EXPOSE 8080 50051
ENTRYPOINT ["node", "bin/siglip-hd.cjs"]
CMD ["serve"]
