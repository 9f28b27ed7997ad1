#!/bin/sh
# Encodes one image over HTTP and saves its tokens as an .npy file.
#
#   examples/encode.sh photo.jpg tokens.npy
#
# SIGLIP_HD_URL says where the service is; http://localhost:8080 if it does not.
set -eu

image=${1:?usage: encode.sh IMAGE [TOKENS.npy]}
tokens=${2:-tokens.npy}
url=${SIGLIP_HD_URL:-http://localhost:8080}

curl --silent --show-error --fail-with-body \
  --data-binary "@$image" \
  --dump-header "$tokens.headers" \
  --output "$tokens" \
  "$url/v1/encode?dtype=float16"

echo "tokens: $tokens, $(wc -c <"$tokens" | tr -d ' ') bytes"
grep -i -E '^(tokens-meta|server-timing):' "$tokens.headers" | tr -d '\r' || true
rm -f "$tokens.headers"
