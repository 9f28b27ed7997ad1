#!/bin/sh
# Encodes one image over HTTP and saves its tokens as an .npy file.
#
#   examples/encode.sh photo.jpg tokens.npy
#
# SIGLIPHD_URL is the service's URL, http://localhost:8080 by default. SIGLIPHD_API_KEY is the key, if the service has keys. For an
# https:// URL with a private CA, set CURL_CA_BUNDLE to its certificate.
set -eu

if [ $# -eq 0 ]; then
  echo 'usage: encode.sh IMAGE [TOKENS.npy]' >&2
  exit 2
fi
image=$1
tokens=${2:-tokens.npy}
if [ ! -f "$image" ]; then
  echo "encode.sh: there is no file $image" >&2
  exit 2
fi
url=${SIGLIPHD_URL:-http://localhost:8080}

# Written beside the target and renamed, so that an error's text never stands where tokens are expected.
answer=$(mktemp "$tokens.XXXXXX")
headers=$(mktemp)
trap 'rm -f "$answer" "$headers"' EXIT

# On stdin, because other users see a command line.
authorization() {
  [ -z "${SIGLIPHD_API_KEY:-}" ] || printf 'authorization: Bearer %s\n' "$SIGLIPHD_API_KEY"
}

if ! authorization | curl --silent --show-error --fail-with-body \
  --header @- \
  --data-binary "@$image" \
  --dump-header "$headers" \
  --output "$answer" \
  "$url/v1/encode?dtype=float16"; then
  cat "$answer" >&2
  echo >&2
  exit 1
fi

chmod 644 "$answer"
mv "$answer" "$tokens"
echo "tokens: $tokens, $(wc -c <"$tokens" | tr -d ' ') bytes"
grep -i -E '^(tokens-meta|server-timing):' "$headers" | tr -d '\r' || true
