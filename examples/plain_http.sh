#!/bin/sh
# re2llm over plain HTTP: sh plain_http.sh [URL]
set -eu
url=${1:-http://127.0.0.1:2024}

curl --fail --silent --show-error "$url/runs/wait" --json '{
  "assistant_id": "recommend",
  "input": {"domain": "films", "history": ["alien-1979", "blade-runner-1982"], "k": 3}
}'
