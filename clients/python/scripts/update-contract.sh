#!/bin/sh
# Writes the gRPC contract that the client ships, from proto/. Needs the repository's node_modules (npm ci).
set -eu
cd "$(dirname "$0")/../../.."
npx --no-install buf build proto --path proto/siglip_hd --as-file-descriptor-set --exclude-source-info \
  -o clients/python/src/siglip_hd_client/encoder.binpb
