#!/bin/sh
# Builds the load generator and the relay into bench/load/build. Needs gcc (or cc) and OpenSSL's headers: on Debian
# `apt-get install gcc libc6-dev libssl-dev`.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
out="$here/build"
cc=${CC:-gcc}
command -v "$cc" >/dev/null 2>&1 || { echo "bench: no C compiler: apt-get install gcc libc6-dev libssl-dev" >&2; exit 69; }
mkdir -p "$out"
flags='-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wno-format-truncation'
newest=$(ls -t "$here"/*.c "$here"/*.h "$here/build.sh" | head -n 1)
if [ -x "$out/load" ] && [ -x "$out/relay" ] && [ "$out/relay" -nt "$newest" ]; then exit 0; fi
# shellcheck disable=SC2086
"$cc" $flags -o "$out/load.new" "$here"/main.c "$here"/clock.c "$here"/histogram.c "$here"/process.c "$here"/xml.c "$here"/scram.c \
  "$here"/connection.c "$here"/login.c "$here"/session.c "$here"/traffic.c "$here"/report.c "$here"/row_chat.c "$here"/row_storm.c \
  "$here"/row_idle.c "$here"/row_presence.c "$here"/row_offline.c "$here"/row_delay.c "$here"/sm.c "$here"/features.c "$here"/contacts.c -lssl -lcrypto -lm
# shellcheck disable=SC2086
"$cc" $flags -o "$out/relay.new" "$here"/relay.c -lssl -lcrypto
mv "$out/load.new" "$out/load"
mv "$out/relay.new" "$out/relay"
