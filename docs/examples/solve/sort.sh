#!/bin/sh
# Sorts 200,000 lines with the settings it is given and prints the seconds that took.
set -eu
input=${TMPDIR:-/tmp}/homeostat-sort-example
[ -s "$input" ] || { seq 200000 | shuf --random-source=/dev/zero > "$input.$$" && mv "$input.$$" "$input"; }
begin=$(date +%s.%N)
LC_ALL=$locale sort --buffer-size="${buffer_kib}K" --parallel="$parallel" "$input" > /dev/null
echo "$begin $(date +%s.%N)" | awk '{ print $2 - $1 }'
