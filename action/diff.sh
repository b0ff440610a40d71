#!/usr/bin/env bash
# What the pull request changes against where it left its base, as one comment in Markdown.
set -euo pipefail
[[ "$NUMBER" =~ ^[0-9]+$ ]] || { echo "::error::costcalc runs on pull requests: there is none"; exit 2; }
head=refs/costcalc/head
git fetch --quiet --no-tags --no-recurse-submodules origin "+refs/pull/$NUMBER/head:$head"
if ! from=$(git merge-base "$BASE" "$head" 2> /dev/null); then
    deepen=()
    [ "$(git rev-parse --is-shallow-repository)" = true ] && deepen=(--unshallow)
    git fetch --quiet --no-tags --no-recurse-submodules "${deepen[@]}" origin "$BASE" "+refs/pull/$NUMBER/head:$head"
    from=$(git merge-base "$BASE" "$head")
fi
arguments=()
while IFS= read -r line; do
    [ -z "$line" ] || arguments+=(--fail-over "$line")
done <<< "$FAIL_OVER"
paths=()
while IFS= read -r line; do
    [ -z "$line" ] || paths+=("$line")
done <<< "$PATHS"
comment="$RUNNER_TEMP/costcalc-comment.md"
code=0
timeout 600 "$RUNNER_TEMP/costcalc/bin/python" -I -m costcalc diff --format markdown "${arguments[@]}" -- \
    "$from" "$head" "${paths[@]}" > "$comment" || code=$?
[ "$code" = 0 ] || [ "$code" = 3 ] || { echo "::error::costcalc diff failed with $code"; exit "$code"; }
cat "$comment" >> "$GITHUB_STEP_SUMMARY"
{
    echo "comment=$comment"
    echo "code=$code"
} >> "$GITHUB_OUTPUT"
