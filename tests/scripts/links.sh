#!/usr/bin/env bash
# Every relative link in a Markdown file of the project leads to something that is there.
set -eu
cd "$(dirname "$0")/../.."

broken=0
while IFS=: read -r file link; do
  target=${link#](}
  target=${target%)}
  target=${target%%#*}
  case "$target" in '' | *://* | mailto:*) continue ;; esac
  if [ ! -e "$(dirname "$file")/$target" ]; then
    echo "links.sh: $file links to $target, which is not there" >&2
    broken=1
  fi
done < <(git ls-files -z '*.md' | xargs -0 -r grep -HoE '\]\([^) ]+\)' || true)
exit "$broken"
