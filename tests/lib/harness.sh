# SPDX-License-Identifier: Apache-2.0
# What the parts in tests/run.d share: cases, two daemons on loopback, victims, moves.  Sourced by bash.
#
# A case is a function run by `check "what it promises" function arguments...` in a subshell under
# `set -e`; it passes if that ends with 0.  `note` adds facts to its line.  Everything a part starts
# lives in its own temporary directory and is ended when the part ends, however that happens.
#
# A part that names daemons in DAEMONS has them when its first case runs, and anew after one failed.
#
# From tests/run: OPTMIG_BUILD (absolute), TESTS_ONLY (pattern or empty), TESTS_LIST, TESTS_LONG (1 or
# empty), TESTS_COUNTS (a file to which each case adds a line: passed, failed or skipped).
set -u

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VICTIMS=$OPTMIG_BUILD/tests/victims
PYTHON=/usr/bin/python3
WORK=$(mktemp -d "${TMPDIR:-/tmp}/optmig-test.XXXXXX")
export VICTIM_ENVIRONMENT=kept PYTHONDONTWRITEBYTECODE=1
DAEMON_PIDS=()
HOST_PIDS=()
CASE=$WORK
mkdir -p "$WORK/pids"
mkfifo "$WORK/never"
exec 9<> "$WORK/never" # Never has anything to read: what reads it waits.

harness_end() {
    local status=$?
    trap - EXIT INT TERM
    daemons_stop
    # Whatever a case has started and not ended: each wrote its id down.
    local file
    for file in "$WORK"/pids/*; do
        [ -e "$file" ] && kill -9 "$(basename "$file")" 2>/dev/null
    done
    [ -n "${TESTS_KEEP:-}" ] && echo "# kept: $WORK" || rm -rf "$WORK"
    exit $status
}
trap harness_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- cases ----

counted() {
    echo "$1" >> "$TESTS_COUNTS"
}

# wanted NAME: is this case asked for?  Prints it only, with --list.
wanted() {
    if [ -n "${TESTS_ONLY:-}" ] && ! [[ "$PART: $1" =~ $TESTS_ONLY ]]; then
        return 1
    fi
    if [ -n "${TESTS_LIST:-}" ]; then
        echo "$PART: $1"
        return 1
    fi
}

note() {
    printf '%s\n' "$*" >> "$CASE/note"
}

# Inside a case: this cannot be tested here, for this reason.
skip() {
    printf '%s\n' "$*" > "$CASE/skip"
    exit 77
}

# Inside a case: what was wrong.
complain() {
    echo "failed: $*"
    return 1
}

check() {
    local promise=$1 status facts
    shift
    wanted "$promise" || return 0
    local daemon
    for daemon in ${DAEMONS:-}; do
        [ -e "$WORK/$daemon.pid" ] || daemon_start "$daemon" || exit 1
    done
    CASE=$(mktemp -d "$WORK/case.XXXXXX")
    : > "$CASE/note"
    local log
    for log in "$WORK"/*.log; do
        [ -e "$log" ] && stat -c %s "$log" > "$CASE/$(basename "$log").size"
    done
    local begun=$EPOCHREALTIME
    ( set -eo pipefail; "$@" ) > "$CASE/output" 2>&1 < /dev/null &
    local runner=$! watchdog
    ( read -r -t "${CASE_SECONDS:-240}" -u 9; echo "out of time" >> "$CASE/output"; kill -9 $runner ) 2> /dev/null &
    watchdog=$!
    wait $runner 2> /dev/null
    status=$?
    kill $watchdog
    wait $watchdog 2> /dev/null
    facts=$(paste -sd, "$CASE/note" 2>/dev/null | sed 's/,/, /g')
    facts=${facts:+: $facts}
    if [ $status = 0 ]; then
        echo "ok    $promise$facts ($(seconds_since "$begun") s)"
        counted passed
    elif [ $status = 77 ] && [ -e "$CASE/skip" ]; then
        echo "skip  $promise: $(cat "$CASE/skip")"
        counted skipped
    else
        echo "FAIL  $promise$facts (status $status, $(seconds_since "$begun") s)"
        sed 's/^/      | /' "$CASE/output" | tail -n 60
        show_logs
        counted failed
        echo "$PART: $promise" >> "$TESTS_COUNTS.failed"
        # The next case gets fresh daemons.
        daemons_stop
        rm -rf "$WORK/alpha" "$WORK/beta"
    fi
    # A victim that a failed case left behind must not disturb the next one.
    end_left_behind
    CASE=$WORK
}

seconds_since() {
    awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'
}

# What the daemons and the enclaves have logged since the case began.
show_logs() {
    local log from
    for log in "$WORK"/*.log; do
        [ -e "$log" ] || continue
        from=$(cat "$CASE/$(basename "$log").size" 2>/dev/null)
        show_log "$log" $((${from:-0} + 1)) 25
    done
    for log in "$CASE"/*.log; do
        [ -e "$log" ] && show_log "$log" 1 15
    done
    find "$WORK"/alpha "$WORK"/beta -name '*.log' -newer "$CASE/note" -size +0 2>/dev/null | tail -n 6 |
        while read -r log; do
            show_log "$log" 1 12
        done
}

show_log() { # FILE FROM-BYTE LINES
    local lines
    lines=$(tail -c "+$2" "$1" | tr -cd '[:print:]\n\t' | tail -n "$3" | cut -c1-300)
    [ -n "$lines" ] || return 0
    echo "      | --- ${1#"$WORK"/}"
    sed 's/^/      | /' <<< "$lines"
}

# until_true SECONDS COMMAND...: polls it.
until_true() {
    local end=$((SECONDS + $1 + 1))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.02
    done
}

# A process that has to be gone when the part ends.
remember() {
    : > "$WORK/pids/$1"
}

forget() {
    rm -f "$WORK/pids/$1"
}

# ---- daemons ----

free_port() {
    $PYTHON -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

alpha() {
    timeout "${PATIENCE:-120}" "$OPTMIG_BUILD/optmig" --host "$WORK/alpha" "$@"
}

beta() {
    timeout "${PATIENCE:-120}" "$OPTMIG_BUILD/optmig" --host "$WORK/beta" "$@"
}

# daemon_start alpha|beta [options]: PREFIX may hold a command to run it under, LISTEN its address.
daemon_start() {
    local name=$1 port
    shift
    port=$(free_port)
    mkdir -p "$WORK/$name"
    ${PREFIX:-} "$OPTMIG_BUILD/optmigd" --listen "${LISTEN:-127.0.0.1}:$port" --state "$WORK/$name" "$@" \
        >> "$WORK/$name-daemon.log" 2>&1 < /dev/null &
    local pid=$!
    remember $pid
    echo $pid > "$WORK/$name.pid"
    echo "${LISTEN:-127.0.0.1}:$port" > "$WORK/$name.address"
    until_true 10 "$name" ls --json || { echo "daemon $name does not answer"; return 1; }
}

daemon_stop() {
    local pid children
    pid=$(cat "$WORK/$1.pid" 2>/dev/null) || return 0
    children=$(pgrep -P "$pid" | tr '\n' ' ') || true
    kill "$pid" 2>/dev/null || true
    until_true 5 process_gone "$pid" || kill -9 "$pid" 2>/dev/null || true
    # A host process that outlives its daemon is ended here; a case that minds tests for it.
    [ -z "$children" ] || kill -9 $children 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    forget "$pid"
    rm -f "$WORK/$1.pid"
}

process_gone() {
    [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

daemons_stop() {
    daemon_stop alpha
    daemon_stop beta
}

end_left_behind() {
    local host name
    for host in alpha beta; do
        [ -e "$WORK/$host.pid" ] || continue
        for name in $(PATIENCE=5 "$host" ls --json 2>/dev/null | names_in_list); do
            PATIENCE=10 "$host" stop "$name" > /dev/null 2>&1 || true
        done
    done
}

names_in_list() {
    jq -r '.enclaves[] | select(.pid) | .name' 2>/dev/null
}

# No enclave has a process there; a daemon that does not answer is no proof of that.
nothing_at() { # HOST
    [ "$(PATIENCE=5 "$1" ls --json | jq '[.enclaves[] | select(.pid)] | length')" = 0 ]
}

address() {
    cat "$WORK/$1.address"
}

other() {
    [ "$1" = alpha ] && echo beta || echo alpha
}

# ---- victims ----
# Their directory is $CASE/NAME; HERE names the daemon that has it.

launch() { # NAME PROGRAM [arguments]; on alpha, with $RUN_OPTIONS
    local name=$1 program=$2
    shift 2
    mkdir -p "$CASE/$name"
    # shellcheck disable=SC2086
    alpha run --name "$name" --detach ${RUN_OPTIONS:-} -- "$VICTIMS/$program" "dir=$CASE/$name" "$@" ||
        complain "optmig run of $program"
    HERE=alpha
    CHECKS=0
    MOVES=0
    WAITING_FOR=ready
    until_true 60 test -e "$CASE/$name/ready" || complain "$program never became ready"
}

# order NAME check|stop: tells the victim and looks at its answer.
order() {
    local name=$1 leaf=$2
    [ "$leaf" = stop ] || { CHECKS=$((CHECKS + 1)); leaf=check.$CHECKS; }
    : > "$CASE/$name/$leaf"
    answer "$name" "result.${leaf#check.}"
}

answer() {
    local file=$CASE/$1/$2
    until_true "${ANSWER_SECONDS:-60}" test -e "$file" || complain "no $2 from $1 on $HERE"
    if [ "$(tail -n 1 "$file")" != ok ]; then
        cat "$file"
        complain "$1 found itself wrong ($2, after $MOVES moves, on $HERE)"
    fi
}

# value NAME LEAF KEY: of an answer.
value() {
    sed -n "s/^$3=//p" "$CASE/$1/$2" | head -n 1
}

# It verifies itself, ends, and the daemon says with which status.
finish() {
    local name=$1 status
    order "$name" stop
    until_true 20 exited "$HERE" "$name" || complain "$name has not ended after its last answer"
    status=$(field "$HERE" "$name" .exit_status)
    [ "$status" = 0 ] || complain "$name ended with status $status"
}

field() { # HOST NAME .key
    PATIENCE=10 "$1" status "$2" --json | jq -r ".enclave$3"
}

exited() {
    [ "$(field "$1" "$2" .state)" = exited ]
}

runs_on() { # HOST NAME
    [ "$(field "$1" "$2" .state)" = running ]
}

# ---- moves ----

# What every report must have, and how its figures hang together.
REPORT_RIGHT='
    def number($key): (.[$key] | type == "number" and . >= 0) // error("\($key): \(.[$key])");
    [ "memory_bytes", "pages", "rounds", "bytes_sent", "total_ms", "downtime_ms", "stop_ms",
      "capture_ms", "transfer_ms", "commit_ms", "resume_ms", "postcopy_pages", "postcopy_ms",
      "throughput_bytes_per_s" ] as $keys
    | (reduce $keys[] as $key (.; if number($key) then . else error("\($key): \(.[$key])") end))
    | if .result != "moved" then error("result: \(.result)") else . end
    | if .platform != $platform then error("platform: \(.platform)") else . end
    | if .downtime_ms > .total_ms then error("downtime_ms > total_ms") else . end
    | if .downtime_ms <= 0 then error("downtime_ms is zero") else . end
    | if .stop_ms + .capture_ms + .transfer_ms + .commit_ms + .resume_ms > .downtime_ms * 1.2 + 2
      then error("the parts of the downtime are more than the whole") else . end
    | if .memory_bytes <= 0 then error("memory_bytes is zero") else . end
    | if .bytes_sent < .pages * 4096 then error("fewer bytes sent than pages hold") else . end
    | if (.mode == "stopcopy" or .mode == "precopy") and .postcopy_pages != 0
      then error("post-copy pages in mode \(.mode)") else . end'

# try_move NAME MODE TRACKER [options]: from HERE to the other one.  1, and says why, if it was not moved.
try_move() {
    local name=$1 mode=$2 tracker=$3 from=$HERE to status=0
    shift 3
    to=$(other "$from")
    "$from" migrate "$name" --to "$(address "$to")" --mode "$mode" --tracker "$tracker" --json "$@" \
        > "$CASE/report.json" || status=$?
    if [ $status != 0 ]; then
        cat "$CASE/report.json"
        echo "move $((MOVES + 1)) ($mode, $tracker, $from to $to) ended with status $status"
        return 1
    fi
    HERE=$to
    MOVES=$((MOVES + 1))
    cat "$CASE/report.json" >> "$CASE/reports"
    if ! jq -e --arg platform "${PLATFORM:-sim}" "$REPORT_RIGHT" "$CASE/report.json" > "$CASE/report.checked" ||
        [ "$(jq -r '.name + " " + .mode + " " + .tracker' "$CASE/report.json")" != "$name $mode $tracker" ]; then
        cat "$CASE/report.json"
        echo "the report of a move is not right"
        exit 1
    fi
}

move() {
    try_move "$@" || exit 1
}

# A file that the program deletes between the list that the source sends and the look of the destination is a reason to
# refuse, with the program untouched: such a move is made again.
move_audited() { # NAME MODE
    local tries=0
    until try_move "$1" "$2" barrier --audit; do
        jq -e '.result == "refused" and (.reason | contains("missing at the destination"))' "$CASE/report.json" > /dev/null || return 1
        tries=$((tries + 1))
        [ $tries -lt 20 ] || return 1
    done
    [ "$2" = stopcopy ] || [ "$(jq .audit_missed "$CASE/report.json")" = 0 ] ||
        { cat "$CASE/report.json"; echo "writes without a mark"; exit 1; }
}

# move_until_ended NAME MODE TRACKER [MOVES]: moves it to and fro while it works, until it ends by itself with 0.
move_until_ended() {
    local name=$1
    while runs_on "$HERE" "$name" && [ $MOVES -lt "${4:-60}" ]; do
        # It may end by itself while the last move goes on.
        if ! try_move "$name" "$2" "$3" > "$CASE/last-move"; then
            until_true 5 exited "$HERE" "$name" || { cat "$CASE/last-move"; return 1; }
        fi
        sleep 0.2 # Let it work here for a while; nothing waits for this.
    done
    until_true 100 exited "$HERE" "$name" || complain "it has not ended"
    if [ "$(field "$HERE" "$name" .exit_status)" != 0 ]; then
        "$HERE" logs "$name"
        complain "it ended with status $(field "$HERE" "$name" .exit_status)"
    fi
    [ "$MOVES" -ge 3 ] || complain "only $MOVES moves before it had ended"
}

# The longest of a figure over all moves of this case, rounded.
longest() {
    jq -s "[.[].$1] | max | . * 10 | round / 10" "$CASE/reports"
}
