# shellcheck shell=bash
# Helpers of scripts/cluster, scripts/postgres and scripts/ratios. Sourced, not run. They need bash and, beside
# it, nothing but what every Linux or macOS has.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # the scripts that source this one use it
run_dir=${CLUSTER_DIR:-$top/.run}
[ "${run_dir:0:1}" = / ] || run_dir=$PWD/$run_dir

say() { echo "$*" >&2; }
die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# state PID: one letter as in ps (R, S, T, Z, ...); fails when there is no such process.
state() {
  local stat
  if [ -d /proc/self ]; then
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    stat=${stat##*) }
    echo "${stat%% *}"
  else
    stat=$(ps -o stat= -p "$1") || return 1
    echo "${stat:0:1}"
  fi
}

# birth PID: when the process started. Together with its id that names one process: ids are used again.
birth() {
  local stat fields
  if [ -d /proc/self ]; then
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }" # the name, in brackets, may hold blanks
    echo "${fields[19]}"
  else
    ps -o lstart= -p "$1" | tr -s ' ' _
  fi
}

# remember PID FILE: notes which process FILE stands for.
remember() { echo "$1 $(birth "$1")" >"$2"; }

# pid_of FILE: prints the id of the process that FILE stands for; fails when it has ended, also when another
# process has its id by now.
pid_of() {
  local pid born
  [ -s "$1" ] || return 1
  read -r pid born <"$1"
  case "$(state "$pid")" in '' | Z) return 1 ;; esac
  [ "$(birth "$pid")" = "$born" ] || return 1
  echo "$pid"
}

# signal NAME FILE: sends the signal to the process that FILE stands for; fails when it has ended.
signal() {
  local pid
  pid=$(pid_of "$2") && kill -s "$1" "$pid" 2>/dev/null
}

gone() { ! pid_of "$1" >/dev/null; }

# wait_until SECONDS COMMAND...: asks ten times a second until the command succeeds; fails after SECONDS.
wait_until() {
  local ends=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$ends" ] || return 1
    sleep 0.1
  done
}

# port_taken PORT: somebody listens there on this host.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# http_status PORT PATH: the status of a GET, or 000 when there is no answer within two seconds.
http_status() {
  local code=''
  {
    if exec 3<>"/dev/tcp/127.0.0.1/$1"; then
      printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
      read -r -t 2 _ code _ <&3 || true
      exec 3>&-
    fi
  } 2>/dev/null
  case "$code" in [1-5][0-9][0-9]) echo "$code" ;; *) echo 000 ;; esac
}

# ready PORT: the node that serves this port says that it is ready.
ready() { [ "$(http_status "$1" /readyz)" = 200 ]; }

# launch FOLDER COMMAND...: starts the command in the background, away from this terminal. FOLDER gets its output
# (log), its process (pid) and, when it has ended, its exit status (exit).
launch() {
  local dir=$1
  shift
  mkdir -p "$dir"
  rm -f "$dir/pid" "$dir/exit"
  set -m # a process group of its own: a Ctrl-C meant for this script must not reach it
  (
    "$@" >>"$dir/log" 2>&1 &
    remember $! "$dir/pid"
    code=0
    wait $! || code=$?
    echo "$code" >"$dir/exit"
  ) </dev/null >/dev/null 2>&1 &
  set +m
  wait_until 10 test -s "$dir/pid" || die "could not start: $*"
}

# random_text: 32 characters that nobody guesses, as a password or a key of 32 bytes.
random_text() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
